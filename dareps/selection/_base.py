"""The validator family: scores by which a checkpoint is chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from dareps.errors import ContractError
from dareps.plugin import Plugin

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Outputs:
    """A model's outputs on some rows: `features` (n, d) and `logits` (n, c), float64."""

    features: np.ndarray
    logits: np.ndarray

    @property
    def probabilities(self) -> np.ndarray:
        """Softmax of the logits, (n, c)."""
        import numpy as np

        shifted = np.exp(self.logits - self.logits.max(axis=1, keepdims=True))
        return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


@dataclass(frozen=True, slots=True)
class ValidationView:
    """What validators see of one checkpoint: one shared pass over source train, source and target validation rows.

    Attributes:
        target_labels: None for every validator but those that declare `oracle`.
        backward: (n, m) linear map of ridge regression on the rows as they are before a representation is learned: it
            takes values at the m target rows to fitted values at the n source rows, so that labels can be carried back
            from target to source.
    """

    step: int
    source_train: Outputs
    source: Outputs
    source_labels: np.ndarray
    target: Outputs
    target_labels: np.ndarray | None = None
    backward: np.ndarray | None = None


class Validator(Plugin, family="validator"):
    """A model-selection score: higher is better. Label-free on the target unless `oracle` is true."""

    oracle: ClassVar[bool] = False
    reads_inputs: ClassVar[bool] = False
    """True when the score depends on the rows themselves, so that it means the same only for equal transforms."""

    def __call__(self, view: ValidationView) -> float:
        """The score of one checkpoint."""
        raise ContractError(f"validator {type(self).name}", "it has no __call__", fix="Define __call__(view).")
