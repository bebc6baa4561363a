"""The family of transferability scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dareps.errors import ContractError
from dareps.plugin import Plugin

if TYPE_CHECKING:
    from dareps.transfer.scores._inputs import Values


class Transferability(Plugin, family="transferability"):
    """A number that is higher the better a source model suits a target's labels, found without training.

    Scores read arrays, lists or tensors of any device, and count in float64 on the host. They rank source models on the
    same target rows; values of different targets do not compare.
    """

    host: ClassVar[bool] = True
    reads: ClassVar[Literal["features", "predictions"]] = "features"
    """What the source model gives for each target row: features (n, d), or predictions (n, z) of its own z classes."""

    def __call__(self, outputs: Values, labels: Values) -> float:
        """The score of a source model's outputs for n target rows against their labels (n,)."""
        raise ContractError(f"transferability {type(self).name}", "it has no __call__", fix="Define __call__.")
