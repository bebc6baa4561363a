"""Weights as they once were."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn


class Kept(nn.Module):
    """Copies of the parameters of some modules, in buffers, so that they stand in every checkpoint.

    Args:
        modules: Whose parameters; given again with each call, since a stack's are not those of the skeleton.
    """

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        super().__init__()
        for number, parameter in enumerate(_parameters(modules)):
            self.register_buffer(str(number), parameter.detach().clone())

    def take(self, modules: Sequence[nn.Module], due: Tensor) -> None:
        """Become equal to the parameters where `due` (0-d) is true."""
        for own, parameter in zip(self.buffers(), _parameters(modules), strict=True):
            own.copy_(torch.where(due, parameter, own))

    def squares(self, modules: Sequence[nn.Module]) -> list[Tensor]:
        """The squared distance of each parameter from its copy, 0-d."""
        pairs = zip(self.buffers(), _parameters(modules), strict=True)
        return [(parameter - own).square().sum() for own, parameter in pairs]


def _parameters(modules: Sequence[nn.Module]) -> Iterator[nn.Parameter]:
    return (parameter for module in modules for parameter in module.parameters())
