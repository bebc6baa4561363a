"""Networks that learn in sub-steps of their own and are held still while the features learn from them."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.func import functional_call

from dareps.alignment._modules import AlignmentModule
from dareps.alignment._settings import AlignmentSettings
from dareps.maths.reversal import reverse
from dareps.types import Shapes, Step, SubStep, View

_TURN = "opponent"


class Opponent(AlignmentModule):
    """A network that minimises `learns` before each ordinary step, in which the features minimise `teaches`.

    Args:
        settings: The alignment that built this module.
        shapes: Number of features, and the domains.
        repeat: Steps of the network before each ordinary one.
    """

    def __init__(self, settings: AlignmentSettings, shapes: Shapes, repeat: int) -> None:
        super().__init__(settings, shapes)
        self.repeat = repeat

    def steps(self) -> tuple[SubStep, ...]:
        """The network's own steps, then the ordinary one."""
        return (SubStep(_TURN, trains=("align",), repeat=self.repeat, tasks=False), SubStep())

    def forward(self, views: Sequence[View], strength: Tensor, step: Step) -> Tensor:
        """The unweighted value of the sub-step, 0-d; `strength` multiplies the gradient on features alone."""
        return self.learns(views, step) if step.sub.name == _TURN else self.teaches(views, strength)

    def learns(self, views: Sequence[View], step: Step) -> Tensor:
        """What the network minimises, 0-d."""
        raise NotImplementedError

    def teaches(self, views: Sequence[View], strength: Tensor) -> Tensor:
        """What the features minimise, 0-d, by way of `held_still`."""
        raise NotImplementedError


def held_still(network: nn.Module, rows: Tensor, strength: Tensor) -> Tensor:
    """network(rows), whose gradient reaches the rows alone, multiplied by `strength`."""
    weights = {name: parameter.detach() for name, parameter in network.named_parameters()}
    # Reversal by a negative strength keeps the value and scales the gradient without turning it.
    outputs: Tensor = functional_call(network, weights, (reverse(rows, -strength),))
    return outputs
