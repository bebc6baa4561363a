"""The validator family: scores by which a checkpoint is chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from dareps.errors import ContractError
from dareps.plugin import Plugin
from dareps.types import Kind

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
        source_scores: Each task's main metric on source validation rows; empty where one task of classes is all.
        target_scores: The same on target validation rows, for oracles alone.
        declared_scores: The same on the target validation rows whose labels the split declares; empty without any.
        kind: What the outputs are of. Those of numbers are standardised, as a head gives them, and so are their labels.
        importance: Gives p_target / p_source (n,) of the source validation rows as they are before a representation is
            learned; None without a target.

    With several tasks, outputs, features and labels are those of the first task of classes, else of the first task.
    """

    step: int
    source_train: Outputs
    source: Outputs
    source_labels: np.ndarray
    target: Outputs
    target_labels: np.ndarray | None = None
    backward: np.ndarray | None = None
    source_scores: Mapping[str, float] = field(default_factory=dict)
    target_scores: Mapping[str, float] | None = None
    declared_scores: Mapping[str, float] = field(default_factory=dict)
    kind: Kind = "classification"
    importance: Callable[[], np.ndarray] | None = None


class Validator(Plugin, family="validator"):
    """A model-selection score: higher is better. Label-free on the target unless `oracle` is true."""

    oracle: ClassVar[bool] = False
    reads_inputs: ClassVar[bool] = False
    """True when the score depends on the rows themselves, so that it means the same only for equal transforms."""
    needs: ClassVar[frozenset[str]] = frozenset()
    """What a run must have for the score to mean anything: `classes`, a task whose outputs are classes; `values`, one
    of classes or numbers; `target`; `labels`, target validation rows whose labels the split declares."""

    def __call__(self, view: ValidationView) -> float:
        """The score of one checkpoint."""
        raise ContractError(f"validator {type(self).name}", "it has no __call__", fix="Define __call__(view).")
