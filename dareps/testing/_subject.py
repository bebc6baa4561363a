"""What the laws see of a loss: one function of two samples, whatever the loss is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from dareps.alignment._base import Alignment, TargetTerm
from dareps.alignment._modules import AlignmentModule
from dareps.alignment._networks import Networks
from dareps.alignment._settings import CLAIMS
from dareps.errors import ContractError
from dareps.maths.keys import key_of
from dareps.maths.noise import Noise, name_places
from dareps.types import ORDINARY, Interval, Role, Shapes, Step, View

Claim = bool | float | None
Function = Callable[[Tensor, Tensor], Tensor]
DOMAIN = Interval(-100.0, 100.0)


@dataclass(frozen=True)
class Subject:
    """A loss under test.

    Attributes:
        value: (source (n, d), target (m, d)) -> ().
        sides: Which of source and target the loss reads.
        claims: The laws it claims beyond the universal ones.
        domain: The interval its inputs come from.
        host: True when it declares to compute on the host.
    """

    value: Function
    sides: tuple[str, ...]
    claims: Mapping[str, Claim]
    domain: Interval
    host: bool = False
    magnitudes: dict[tuple[int, float], float] = field(default_factory=dict, repr=False)

    @property
    def indices(self) -> tuple[int, ...]:
        """Positions of the sides among (source, target)."""
        return tuple(("source", "target").index(side) for side in self.sides)


def subject_of(loss: object, claims: Mapping[str, Claim], domain: Interval) -> Subject:
    """Wrap any loss: a plain callable, a stateless alignment or one that needs building."""
    if isinstance(loss, type):
        loss = loss()
    if not callable(loss):
        raise ContractError("check_alignment", "the loss must be callable", loss, "Pass (source, target) -> scalar.")
    if not isinstance(loss, Alignment):
        return Subject(loss, ("source", "target"), claims, domain)
    held = loss.claims()
    merged = {name: held[name] if claims[name] is None else claims[name] for name in CLAIMS}
    sides = ("target",) if isinstance(loss, TargetTerm) else ("source", "target")
    declared = loss.domain if domain == DOMAIN else domain
    return Subject(_function(loss), sides, merged, declared, loss.host)


def _function(loss: Alignment) -> Function:
    # A loss that says how it is built is tried as the method trains it, whether or not it can also be called.
    if type(loss).build not in (Alignment.build, TargetTerm.build):
        return _Built(loss)
    if isinstance(loss, TargetTerm):
        return lambda source, target: loss.on(_view("target", target))
    return lambda source, target: loss.between(_view("source", source), _view("target", target))


def _view(role: Role, rows: Tensor) -> View:
    """Drawn rows as a stream: they are features and outputs at once, and a source's labels are its largest outputs.

    Labels that are a function of each row alone follow it through every change of order.
    """
    return View(role, role, rows, rows, rows.detach().argmax(-1) if role == "source" else None, rows, rows)


class _Doubling:
    """Stands in for a method: outputs are twice the inputs, those of other networks the inputs; no augmentation."""

    def __call__(self, views: Sequence[View], place: str = "", networks: torch.nn.Module | None = None) -> list[View]:
        factor = 2 if networks is None else 1
        rows = [factor * view.x for view in views if view.x is not None]
        return [replace(view, shared=x, logits=x) for view, x in zip(views, rows, strict=True)]

    def augmented(self, view: View, place: str, rounds: int = 1, mask: float = 0.0) -> Tensor:
        assert view.plain is not None
        return view.plain

    def normal(self, view: View, place: str) -> Tensor:
        # The same for every row, so that the order of rows keeps making no difference.
        return torch.arange(1, view.shared.shape[-1] + 1).to(view.shared).sin().expand_as(view.shared)


class _Built:
    """A loss with parameters or state, built for each width and called the way the method calls it.

    The laws of a learned loss hold whatever its parameters are, so they are drawn: a fresh discriminator may start at
    chance, where it teaches the features nothing. Every call starts from the same state. The value is the sum over the
    sub-steps that move the encoder: those are what the features are taught by.
    """

    def __init__(self, loss: Alignment) -> None:
        self.loss = loss
        self.modules: dict[tuple[int, torch.dtype], AlignmentModule] = {}

    def __call__(self, source: Tensor, target: Tensor) -> Tensor:
        width, dtype = source.shape[-1], source.dtype
        module = self.modules.get((width, dtype))
        if module is None:
            module = self.modules[width, dtype] = _build(self.loss, width, dtype)
        views = (_view("source", source), _view("target", target))
        zero = torch.zeros((), dtype=torch.int64)
        half = torch.full((), 0.5, dtype=dtype)
        # Made from the rows, so that buffers are stacked where rows are, as they are in training.
        state = {
            name: source.new_zeros(buffer.shape, dtype=buffer.dtype).copy_(buffer)
            for name, buffer in module.named_buffers()
        }
        one = torch.ones((), dtype=dtype)
        here = Step(half, half, Noise(zero, zero), model=_Doubling())
        values: list[Tensor] = [
            torch.func.functional_call(module, state, (views, one, replace(here, sub=sub)))
            for sub in module.steps() or (ORDINARY,)
            if any(part.split(".")[0] in ("*", "encoder") for part in sub.trains)
        ]
        return values[0] if len(values) == 1 else torch.stack(values).sum()


def _build(loss: Alignment, width: int, dtype: torch.dtype) -> AlignmentModule:
    with torch.random.fork_rng(devices=[]):
        module = loss.build(Shapes(width, width, ("source",), ("target",))).to(dtype)
    module.attach(Networks(torch.nn.Identity(), torch.nn.Identity()))
    name_places(module)
    noise = Noise(torch.zeros((), dtype=torch.int64), torch.zeros((), dtype=torch.int64))
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            drawn = noise.normal(f"laws/{key_of(name)}", tuple(parameter.shape))
            parameter.copy_(drawn / (parameter.shape[-1] if parameter.ndim else 1) ** 0.5)
    return module
