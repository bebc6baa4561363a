"""What the laws see of a loss: one function of two samples, whatever the loss is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from dareps.alignment._base import Alignment, TargetTerm
from dareps.alignment._modules import AlignmentModule
from dareps.alignment._settings import AlignmentSettings
from dareps.errors import ContractError
from dareps.maths.keys import key_of
from dareps.maths.noise import Noise, name_places, noise_scope
from dareps.testing._draws import Space
from dareps.testing._stand_in import Mixing, student
from dareps.types import ORDINARY, Interval, Role, Shapes, Step, View

Claim = bool | float | Callable[..., Tensor] | Mapping[str, object] | None
Function = Callable[[Tensor, Tensor], Tensor]
DOMAIN = AlignmentSettings.domain
"""The domain of who names none: an equal one that somebody names is another object."""
CLASSES = 3
_SHRINK = 1 / 16
"""Drawn logits over the domain's numbers: within +-100 / 16 a softmax has not saturated yet."""


@dataclass(frozen=True)
class Subject:
    """A loss under test.

    A loss that reads features, logits and labels has them drawn side by side in one array, so that whatever a law does
    to rows it does to all three: (n, d + `beside`), the last columns as `features_of` and its siblings tell.

    Attributes:
        value: (source (n, d), target (m, d)) -> ().
        sides: Which of source and target the loss reads.
        claims: The laws it claims beyond the universal ones.
        domain: The interval its inputs come from.
        largest: The largest magnitude at which it promises finite numbers in float32.
        host: True when it declares to compute on the host.
        beside: Columns beside the features: logits and a label, or none.
        loss: The alignment, where it is one.
        built: The alignment's built form, where it has its own.
    """

    value: Function
    sides: tuple[str, ...]
    claims: Mapping[str, Claim]
    domain: Interval
    largest: float
    host: bool = False
    beside: int = 0
    loss: Alignment | None = None
    built: Built | None = None
    magnitudes: dict[tuple[int, float], float] = field(default_factory=dict, repr=False)

    @property
    def space(self) -> Space:
        """Where its inputs are drawn from."""
        return Space(self.domain, self.beside, self.largest)

    @property
    def indices(self) -> tuple[int, ...]:
        """Positions of the sides among (source, target)."""
        return tuple(("source", "target").index(side) for side in self.sides)


def subject_of(loss: object, claims: Mapping[str, Claim], domain: Interval, largest: float | None) -> Subject:
    """Wrap any loss: a plain callable, a stateless alignment or one that needs building."""
    if isinstance(loss, type):
        loss = loss()
    if not callable(loss):
        raise ContractError("check_alignment", "the loss must be callable", loss, "Pass (source, target) -> scalar.")
    if not isinstance(loss, Alignment):
        return Subject(loss, ("source", "target"), claims, domain, _largest(largest, domain))
    held = loss.claims()
    merged = {name: held.get(name) if claims[name] is None else claims[name] for name in claims}
    sides = ("target",) if isinstance(loss, TargetTerm) else ("source", "target")
    declared = loss.domain if domain is DOMAIN else domain
    # What runs the method makes features and outputs of the drawn rows itself.
    beside = CLASSES + 1 if loss.reads == "both" and not loss.forwards else 0
    reach = _largest(loss.largest if largest is None else largest, declared)
    built = Built(loss, beside) if has_own_build(loss) else None
    value = built or _stateless(loss, beside)
    return Subject(value, sides, merged, declared, reach, loss.host, beside, loss, built)


def has_own_build(loss: Alignment) -> bool:
    """Whether a loss says how it is built; it is then tried as the method trains it, called or not."""
    return type(loss).build not in (Alignment.build, TargetTerm.build)


def _largest(declared: float | None, domain: Interval) -> float:
    if declared is not None:
        return declared
    # Who restricts the domain restricts this as well.
    return 1e6 if domain is DOMAIN else max(abs(domain.low), abs(domain.high))


def _stateless(loss: Alignment, beside: int) -> Function:
    if isinstance(loss, TargetTerm):
        return lambda source, target: loss.on(view_of("target", target, beside))
    return lambda source, target: loss.between(view_of("source", source, beside), view_of("target", target, beside))


def view_of(role: Role, rows: Tensor, beside: int) -> View:
    """Drawn rows as a stream: features, logits and a source's labels out of their columns.

    Without columns beside the features the rows are features and outputs at once.
    """
    if not beside:
        return View(role, role, rows, rows, rows.detach().argmax(-1) if role == "source" else None, rows, rows)
    features, logits, mark = rows[:, :-beside], rows[:, -beside:-1], rows[:, -1].detach()
    labels = (mark.abs().floor() % CLASSES).long() if role == "source" else None
    return View(role, role, features, logits * _SHRINK, labels)


class Built:
    """A loss with parameters or state, built for each width and called the way the method calls it.

    The laws of a learned loss hold whatever its parameters are, so they are drawn: a fresh discriminator may start at
    chance, where it teaches the features nothing. Every call starts from the same state. The value is the sum over the
    sub-steps that move the encoder: those are what the features are taught by.
    """

    def __init__(self, loss: Alignment, beside: int) -> None:
        self.loss, self.beside = loss, beside
        self.modules: dict[tuple[int, torch.dtype], AlignmentModule] = {}
        self.training = True

    def __call__(self, source: Tensor, target: Tensor) -> Tensor:
        module = self.module(source.shape[-1], source.dtype)
        # Made from the rows, so that buffers are stacked where rows are, as they are in training.
        state = {
            name: source.new_zeros(buffer.shape, dtype=buffer.dtype).copy_(buffer)
            for name, buffer in module.named_buffers()
        }
        values = self.values(module, state, source, target, only=("*", "encoder"))
        return values[0] if len(values) == 1 else torch.stack(values).sum()

    def module(self, width: int, dtype: torch.dtype) -> AlignmentModule:
        """The module for rows of this width and dtype, with drawn parameters; the same in every call."""
        if (width, dtype) not in self.modules:
            self.modules[width, dtype] = self.fresh(width, dtype)
        return self.modules[width, dtype].train(self.training)

    @contextmanager
    def still(self) -> Iterator[None]:
        """Run in evaluation mode: dropout is drawn by the places of rows."""
        self.training = False
        try:
            yield
        finally:
            self.training = True

    def fresh(self, width: int, dtype: torch.dtype, *, seed: int = 0) -> AlignmentModule:
        """Another module, initialised from the seed and then given the same drawn parameters."""
        features = width - self.beside
        classes = CLASSES if self.beside else width
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            module = self.loss.build(Shapes(features, classes, ("source",), ("target",))).to(dtype)
        module.attach(student(0.0))
        name_places(module)
        _draw_parameters(module)
        return module

    def values(
        self,
        module: AlignmentModule,
        state: Mapping[str, Tensor],
        source: Tensor,
        target: Tensor,
        *,
        only: tuple[str, ...] = (),
        strength: float = 1.0,
        progress: float = 0.5,
    ) -> list[Tensor]:
        """The value of each sub-step, or of those that train one of the parts `only`, computed from the state."""
        views = view_of("source", source, self.beside), view_of("target", target, self.beside)
        zero = torch.zeros((), dtype=torch.int64)
        at, weight = (torch.full((), number, dtype=source.dtype) for number in (progress, strength))
        noise = Noise(zero, zero)
        here = Step(at, at, noise, model=Mixing())
        with noise_scope(noise):
            return [
                torch.func.functional_call(module, dict(state), (views, weight, replace(here, sub=sub)))
                for sub in module.steps() or (ORDINARY,)
                if not only or any(part.split(".")[0] in only for part in sub.trains)
            ]


def _draw_parameters(module: AlignmentModule) -> None:
    noise = Noise(torch.zeros((), dtype=torch.int64), torch.zeros((), dtype=torch.int64))
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            drawn = noise.normal(f"laws/{key_of(name)}", tuple(parameter.shape))
            parameter.copy_(drawn / (parameter.shape[-1] if parameter.ndim else 1) ** 0.5)
