"""The optimizer family."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from dareps.errors import ContractError
from dareps.plugin import Plugin, Tune

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer as TorchOptimizer


Parameters = Iterable["nn.Parameter"] | Iterable[dict[str, Any]]
"""Parameters, or groups of them with settings of their own."""


class Optimizer(Plugin, family="optimizer"):
    """An element-wise update rule: it acts on each number alone, so stacked seeds do not mix."""

    lr: Annotated[float, Tune(0.3, 3.0, log=True, relative=True)] = Field(0.001, gt=0)
    """Learning rate before the phase's schedule."""
    weight_decay: float = Field(0.0, ge=0)
    """Pull of every parameter towards 0."""

    def build(self, parameters: Parameters, lr: Tensor, capturable: bool) -> TorchOptimizer:
        """The torch optimizer; `lr` is a 0-d tensor that the loop rewrites each step."""
        raise ContractError(f"optimizer {type(self).name}", "it has no build()", fix="Define build(parameters, ...).")
