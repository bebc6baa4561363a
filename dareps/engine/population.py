"""One or many copies of a method: the same calls whether seeds are stacked or not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, jvp, stack_module_state

from dareps.engine.capture import Inputs
from dareps.engine.rows import Pool
from dareps.errors import ConfigError, ContractError
from dareps.maths.noise import Noise
from dareps.maths.staged import hosts_in
from dareps.recipe.initial import draw_anew
from dareps.recipe.method import Method
from dareps.sharing._apart import apart_in, origin
from dareps.types import LOOK, ORDINARY, Meeting, Step, SubStep

STACK = "engine.stack"


class Population:
    """S copies of a method that differ in their seed.

    With one copy the module is called directly. With more, parameters and buffers carry a leading dimension S and
    the step is mapped over it, so that the copies share no tensor and train as if alone.

    Args:
        methods: One method per seed, equal but for their weights.
        seeds: Their seeds.
        device: Where to train.
        dtype: Floating type of parameters.
        stacked: Map over a leading dimension even for one copy.
    """

    def __init__(
        self,
        methods: Sequence[Method],
        seeds: Sequence[int],
        device: torch.device,
        dtype: torch.dtype,
        stacked: bool | None = None,
    ) -> None:
        for method in methods:
            method.to(device=device, dtype=dtype)
        self.method, self.seeds = methods[0], tuple(seeds)
        self.stacked = len(methods) > 1 if stacked is None else stacked
        self.seed = torch.tensor(self.seeds, device=device)
        if self.stacked:
            parameters, buffers = stack_module_state(list(methods))
            self.parameters = {name: nn.Parameter(value.detach()) for name, value in parameters.items()}
            self.buffers = dict(buffers)
        else:
            self.seed = self.seed[0]
            self._take_in()

    def _take_in(self) -> None:
        """The one method's own parameters and buffers."""
        self.parameters = dict(self.method.named_parameters())
        self.buffers = dict(self.method.named_buffers())

    @property
    def size(self) -> int:
        """Number of copies S."""
        return len(self.seeds)

    def losses(
        self,
        pool: Pool,
        x: Tensor,
        y: Mapping[str, Tensor],
        inputs: Inputs,
        sub: SubStep = ORDINARY,
        turn: int = 0,
        tasks: tuple[str, ...] | None = None,
        pairs: Meeting | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The objective of a sub-step's n-th turn summed over copies (0-d), and the logged parts, each 0-d or (S,)."""
        if not self.stacked:
            here = _step(inputs, self.seed, sub, turn, tasks, pairs)
            total, values = self.method(pool.batch(x, y, here.noise), here)
            return total, values

        def one(
            parameters: Mapping[str, Tensor], buffers: dict[str, Tensor], x: Tensor, y: dict[str, Tensor], seed: Tensor
        ) -> tuple[Tensor, dict[str, Tensor]]:
            here = _step(inputs, seed, sub, turn, tasks, pairs)
            result: tuple[Tensor, dict[str, Tensor]] = functional_call(
                self.method, (dict(parameters), buffers), (pool.batch(x, y, here.noise), here)
            )
            return result

        try:
            totals, values = torch.vmap(one)(self.parameters, self.buffers, x, dict(y), self.seed)
        except RuntimeError as error:
            if "vmap" not in str(error) and "Batching rule" not in str(error):
                raise
            why = hosts_in(self.method) or str(error).splitlines()[:1]
            what = f"the method cannot be stacked ({', '.join(why)})"
            raise ContractError(STACK, what, fix="Train with engine.stack=false.") from error
        return totals.sum(), values

    def changes(
        self,
        pool: Pool,
        x: Tensor,
        y: Mapping[str, Tensor],
        inputs: Inputs,
        before: Mapping[str, Tensor],
        moved: Mapping[str, Tensor],
        tasks: tuple[str, ...] | None = None,
    ) -> dict[str, Tensor]:
        """What a change of parameters does to each task's loss to first order, as `task.NAME`, each 0-d or (S,).

        One pass forward with derivatives along the change, whatever the number of tasks; no buffer moves.

        Args:
            pool: Makes the batch.
            x: Inputs of the rows.
            y: Their labels.
            inputs: The step, whose noise is used.
            before: Parameters by name at which derivatives are taken; others as they are.
            moved: The change, by name; what is not named stays.
            tasks: Those that the step trains; None for all.

        Raises:
            ConfigError: Some part of the network has no forward derivatives.
        """

        def one(
            state: dict[str, Tensor], moved: dict[str, Tensor], x: Tensor, y: dict[str, Tensor], seed: Tensor
        ) -> dict[str, Tensor]:
            here = _step(inputs, seed, LOOK, 0, tasks)
            batch = pool.batch(x, y, here.noise)

            def losses(chosen: dict[str, Tensor]) -> dict[str, Tensor]:
                values: dict[str, Tensor] = functional_call(self.method, {**state, **chosen}, (batch, here))[1]
                return values

            found: dict[str, Tensor] = jvp(losses, ({name: state[name] for name in moved},), (moved,))[1]
            return found

        state = {**{name: value.detach() for name, value in self.state().items()}, **before}
        mapped = torch.vmap(one) if self.stacked else one
        try:
            result: dict[str, Tensor] = mapped(state, dict(moved), x, dict(y), self.seed)
        except (RuntimeError, NotImplementedError) as error:
            if "forward AD" not in str(error):
                raise
            what = f"some part of the network has no forward derivatives ({str(error).splitlines()[0]})"
            raise ConfigError("engine.conflict", what, fix="Leave engine.conflict out.") from error
        return result

    def weights(self, copy: int) -> dict[str, Tensor]:
        """Clones of one copy's parameters and buffers by name."""
        named = {**self.parameters, **self.buffers}
        return {name: (value[copy] if self.stacked else value).detach().clone() for name, value in named.items()}

    def single(self, copy: int) -> Method:
        """One copy as a module to evaluate; for a stack, the skeleton loaded with that copy's weights."""
        if self.stacked:
            self.method.adopt(self.weights(copy))
        return self.method

    def put_back(self, copy: int, method: Method) -> None:
        """Store the buffers of a module that `single` gave into its copy."""
        if self.stacked:
            for name, value in method.named_buffers():
                self.buffers[name][copy] = value

    def state(self) -> dict[str, Tensor]:
        """Parameters and buffers by name, as they are."""
        return {**self.parameters, **self.buffers}

    def go_apart(self, tasks: Iterable[str]) -> dict[str, str]:
        """Let these tasks go on apart in every copy; gives the former name of each parameter and buffer."""
        before = self.state()
        self.method.go_apart(tasks)
        if not self.stacked:
            self._take_in()
        else:
            names = [name for name, _ in self.method.named_parameters()]
            split = {name: before[origin(name, before)].detach().clone() for name in self.method.state_dict()}
            self.parameters = {name: nn.Parameter(split[name]) for name in names}
            self.buffers = {name: value for name, value in split.items() if name not in self.parameters}
        return {name: origin(name, before) for name in self.state()}

    def draw_anew(self, names: Collection[str], phase: int) -> list[str]:
        """Draw parameters anew in every copy, as a phase begins; gives those that cannot be drawn."""
        left: list[str] = []
        for copy, seed in enumerate(self.seeds):
            method = self.single(copy)
            left = draw_anew(method, names, seed, phase, method.drawn_as)
            for name, value in method.state_dict().items() if self.stacked else ():
                self.state()[name].data[copy] = value
        return left

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Copy values into parameters and buffers in place, with the tasks apart that are apart in them."""
        apart = apart_in(state)
        if apart != set(self.method.apart):
            self.go_apart(apart)
        with torch.no_grad():
            for name, value in self.state().items():
                value.copy_(state[name])

    def clip(self, parts: Sequence[Sequence[Tensor]], limit: float) -> None:
        """Scale the gradient of each part of the parameters, in each copy, to a norm of at most `limit`."""
        for parameters in parts:
            gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
            if gradients:  # A task that is apart has none in a step that does not train it.
                self._clip(gradients, limit)

    def _clip(self, gradients: Sequence[Tensor], limit: float) -> None:
        lead = 1 if self.stacked else 0
        squares = [
            gradient.flatten(lead).square().sum(-1) if gradient.dim() > lead else gradient.square()
            for gradient in gradients
        ]
        norm = torch.stack(squares).sum(0).sqrt()
        factor = (limit / (norm + 1e-12)).clamp(max=1.0)
        for gradient in gradients:
            gradient.mul_(factor.view(factor.shape + (1,) * (gradient.dim() - lead)))


def _step(
    inputs: Inputs,
    seed: Tensor,
    sub: SubStep,
    turn: int,
    tasks: tuple[str, ...] | None,
    pairs: Meeting | None = None,
) -> Step:
    """Where one copy's training stands; every sub-step and every turn of it has noise of its own."""
    lane = "" if sub.owner is None else f"{sub.owner}.{sub.name}.{turn}/"
    noise = Noise(seed, inputs.step, lane)
    return Step(inputs.progress, inputs.total_progress, noise, inputs.strengths, sub, tasks=tasks, pairs=pairs)
