"""What a saved model needs for conformal sets and intervals: scores and weights of source validation rows, and a ratio.

These are a few numbers a row, so they are stored with the model, and nobody needs the data again to make sets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dareps.data._base import Part
from dareps.engine.evaluate import SEEN, Evaluator
from dareps.engine.inputs import spaced
from dareps.maths.conformal import effective_rows, errors_of, prediction_intervals, prediction_sets, scores_of
from dareps.maths.domain_classifier import DensityRatio, fit_ratio
from dareps.recipe.method import Method
from dareps.selection._base import Outputs


@dataclass(frozen=True, slots=True)
class Calibration:
    """Source validation rows as conformal prediction sees them.

    Attributes:
        scores: 1 - p(y) of each, (n,); of numbers the largest absolute error in units of a head.
        weights: p_target / p_source of the features of each, (n,); 1 without a target.
        ratio: The same as a function of features; None without a target.
    """

    scores: np.ndarray
    weights: np.ndarray
    ratio: DensityRatio | None

    def sets(self, rows: Outputs, level: float, of_target: bool) -> np.ndarray:
        """Which classes are in each row's set, (m, c); rows of a source domain count as unshifted."""
        return prediction_sets(rows.probabilities, *self._weighed(rows, of_target), level)

    def intervals(self, rows: Outputs, level: float, of_target: bool) -> np.ndarray:
        """Lowest and highest number of each output of each row, (m, k, 2), in units of a head, likewise."""
        return prediction_intervals(rows.logits, *self._weighed(rows, of_target), level)

    def _weighed(self, rows: Outputs, of_target: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Weights of the rows asked for, and scores and weights of the calibration rows."""
        if self.ratio is None or not of_target:
            return np.ones(len(rows.logits)), self.scores, self._ones()
        return self.ratio(rows.features), self.scores, self.weights

    def worth(self, of_target: bool) -> float:
        """How many rows of equal weight say as much as the weighted ones."""
        return effective_rows(self.weights if of_target else self._ones())

    def _ones(self) -> np.ndarray:
        return np.ones(len(self.scores))

    def tensors(self) -> dict[str, Tensor]:
        """All of it by name."""
        found = {"scores": self.scores, "weights": self.weights}
        if self.ratio is not None:
            own = self.ratio
            found |= {"ratio/mean": own.mean, "ratio/spread": own.spread, "ratio/weights": own.weights}
            found |= {"ratio/numbers": np.array([own.bias, own.factor])}
        return {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in found.items()}

    @classmethod
    def restored(cls, tensors: Mapping[str, Tensor]) -> Calibration | None:
        """What `tensors` gave; None of nothing, as models had of before it was kept."""
        own = {name: value.numpy() for name, value in tensors.items()}
        if "scores" not in own:
            return None
        ratio = None
        if "ratio/numbers" in own:
            bias, factor = map(float, own["ratio/numbers"])
            ratio = DensityRatio(own["ratio/mean"], own["ratio/spread"], own["ratio/weights"], bias, factor)
        return cls(own["scores"], own["weights"], ratio)


def calibration_of(evaluator: Evaluator, method: Method) -> Calibration | None:
    """Score the source validation rows that validators see, and tell source train from target train rows by features.

    No target label is read. Several sources, and several targets, are taken together. The same validation rows may have
    chosen the checkpoint, which is a small breach of exchangeability.

    Returns:
        None where the first task is one of label sets, no row has all its labels, or something is not finite.
    """
    lead, (labels, known) = evaluator.lead, _labels(evaluator)
    if lead.kind == "multilabel" or not len(labels):
        return None
    targets = evaluator.data.target_train
    seen = [Part(part.domain, part.role, part.x[spaced(len(part.x), SEEN // len(targets))]) for part in targets]
    held, train, target = (
        evaluator.seen(method, parts)[lead.name] for parts in (evaluator.source, evaluator.train, seen)
    )
    features, logits = held.features[known], held.logits[known]
    if not all(np.isfinite(own).all() for own in (features, logits, train.features, target.features)):
        return None
    classes = lead.kind == "classification"
    scores = scores_of(Outputs(features, logits).probabilities, labels) if classes else errors_of(logits, labels)
    ratio = fit_ratio(train.features, target.features, rows=SEEN) if seen else None
    return Calibration(scores, np.ones(len(scores)) if ratio is None else ratio(features), ratio)


def _labels(evaluator: Evaluator) -> tuple[np.ndarray, np.ndarray]:
    """Labels of the source validation rows that have all of the first task, and which rows these are."""
    labels, known = evaluator.learned_labels, np.flatnonzero(evaluator.labelled)
    if labels.ndim == 1:
        return labels, known
    whole = ~np.isnan(labels).any(axis=1)
    return labels[whole], known[whole]
