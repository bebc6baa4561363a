"""What a run has shown so far: curves, scores, and the weights of the checkpoints that rules would choose."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from dareps.engine.evaluate import Evaluator, scatter
from dareps.recipe.method import Method
from dareps.selection._base import ValidationView, Validator

Weights = dict[str, Tensor]
SPECTRUM_ROWS, SPECTRUM_WIDTH = 500, 256
"""Largest matrix whose spectrum is looked at; enough to see a collapse."""


@dataclass(slots=True)
class Best:
    """The checkpoint that a rule prefers so far."""

    score: float
    step: int


@dataclass(slots=True)
class Ledger:
    """The record of one seed's run.

    Attributes:
        curves: name -> [(step, value), ...].
        best: rule -> its preferred checkpoint.
        snapshots: step -> weights, for the steps in `best` only.
        failure: What broke, or an empty text.
        before: Scatter of the untrained features.
        standing: The best checkpoint of the phase by the score that it watches; None before there is one.
        waited: Evaluations of the phase since that one.
    """

    curves: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    best: dict[str, Best] = field(default_factory=dict)
    snapshots: dict[int, Weights] = field(default_factory=dict)
    failure: str = ""
    before: dict[str, Any] | None = None
    standing: Best | None = None
    waited: int = 0

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Append values at a step to their curves."""
        for name, value in values.items():
            self.curves.setdefault(name, []).append((step, value))

    def at(self, step: int) -> dict[str, float]:
        """The newest value of every curve that has one at this step."""
        return {name: curve[-1][1] for name, curve in self.curves.items() if curve[-1][0] == step}

    def judge(
        self,
        view: ValidationView,
        rules: tuple[Validator, ...],
        opened: Callable[[ValidationView], ValidationView],
        weights: Callable[[], Weights],
        competes: bool = True,
        watched: str = "",
    ) -> None:
        """Let every rule score a checkpoint, and keep the weights if one prefers it; ties go to the later step.

        Args:
            view: What label-free rules see.
            rules: The rules.
            opened: Gives the view of oracles.
            weights: Gives the checkpoint's weights.
            competes: Whether rules may choose the checkpoint.
            watched: The rule that the phase watches; empty for none.
        """
        scores = {type(rule).name: rule(opened(view) if rule.oracle else view) for rule in rules}
        self.log(view.step, {f"score.{name}": score for name, score in scores.items()})
        self.log(view.step, _diagnostics(view))
        winners = [name for name, score in scores.items() if competes and _wins(score, self.best.get(name))]
        for name in winners:
            self.best[name] = Best(scores[name], view.step)
        if watched:
            self._watch(Best(scores[watched], view.step))
        kept = {best.step for best in (*self.best.values(), *filter(None, [self.standing]))}
        if view.step in kept:
            self.snapshots[view.step] = weights()
        self.snapshots = {step: value for step, value in self.snapshots.items() if step in kept}

    def _watch(self, found: Best) -> None:
        """Compare with the phase's best so far; of equal scores the earlier one stands, so that waiting ends."""
        if self.standing is None or found.score > self.standing.score or math.isnan(self.standing.score):
            self.standing, self.waited = found, 0
        else:
            self.waited += 1

    def record(self) -> dict[str, Any]:
        """Everything but the snapshots, ready for JSON."""
        best = {name: [own.score, own.step] for name, own in self.best.items()}
        found = {"curves": self.curves, "best": best, "failure": self.failure, "before": self.before}
        watched = None if self.standing is None else [self.standing.score, self.standing.step, self.waited]
        return {**found, "watched": watched}

    @classmethod
    def restore(cls, record: Mapping[str, Any], snapshots: dict[int, Weights]) -> Ledger:
        """The ledger that `record` describes."""
        curves = {
            name: [(int(step), float(value)) for step, value in curve] for name, curve in record["curves"].items()
        }
        best = {name: Best(float(score), int(step)) for name, (score, step) in record["best"].items()}
        ledger = cls(curves, best, snapshots, record["failure"], record["before"])
        if record.get("watched"):
            score, step, ledger.waited = record["watched"]
            ledger.standing = Best(float(score), int(step))
        return ledger

    def look_before(self, evaluator: Evaluator, method: Method) -> None:
        """Keep the scatter of the features before training."""
        self.before = scatter(evaluator.view(method, 0), evaluator.source_labels) if evaluator.drawn else None

    def warnings(self, classes: int, reads_source: bool) -> tuple[str, ...]:
        """Signs of collapse at the end of training, a sentence each.

        Args:
            classes: Number of classes.
            reads_source: Whether training saw the source at all; if not, its accuracy says nothing.
        """
        found = []
        source = [value for _, value in self.curves.get("source_accuracy", ())]
        rank = [value for _, value in self.curves.get("features.rank", ())]
        spread = [value for _, value in self.curves.get("features.spread", ())]
        share = [value for _, value in self.curves.get("target.largest_class", ())]
        if reads_source and source and source[-1] < max(max(source) - 0.2, 1.2 / classes):
            found.append(_lost(source, classes))
        if spread and spread[-1] < 1e-4:
            found.append(f"features collapsed to a point: relative spread {spread[-1]:.1e}")
        elif rank and rank[-1] < 1.2 and classes > 2:
            found.append(f"features collapsed to a line: effective rank {rank[-1]:.2f}")
        if share and share[-1] > 0.95:
            found.append(f"{share[-1]:.0%} of the target rows are predicted as one class")
        return tuple(found)


def _wins(score: float, best: Best | None) -> bool:
    return best is None or (not math.isnan(score) and (score >= best.score or math.isnan(best.score)))


def _lost(source: list[float], classes: int) -> str:
    """What became of the source's accuracy: what never rose above chance was not lost."""
    if max(source) < 1.2 / classes:
        return f"the source was never learned: accuracy {max(source):.3f} at best, {1 / classes:.3f} by chance"
    return f"source accuracy was lost: {source[-1]:.3f} at the end, {max(source):.3f} at best"


def _diagnostics(view: ValidationView) -> dict[str, float]:
    """Source figures by task, and how much room the features and predictions still take."""
    figures = {f"source.{task}": score for task, score in view.source_scores.items()}
    if view.source_labels.ndim == 1:  # The lead task has classes.
        figures |= _class_figures(view)
    features = view.target.features if len(view.target.features) else view.source.features
    spread, rank = _spread(features)
    return {**figures, "features.spread": spread, "features.rank": rank}


def _class_figures(view: ValidationView) -> dict[str, float]:
    """Source accuracy, and the share of the target rows that the largest class is given."""
    right = view.source.logits.argmax(axis=1) == view.source_labels
    figures = {"source_accuracy": float(right.mean()) if len(right) else math.nan}
    if not len(view.target.logits):
        return figures
    counts = np.bincount(view.target.logits.argmax(axis=1), minlength=view.target.logits.shape[1])
    return {**figures, "target.largest_class": float(counts.max() / counts.sum())}


def _spread(features: np.ndarray) -> tuple[float, float]:
    """Variance over mean square of the features, and exp of the entropy of their covariance spectrum."""
    if not np.isfinite(features).all():
        return math.nan, math.nan
    centred = (features - features.mean(axis=0))[:SPECTRUM_ROWS, :SPECTRUM_WIDTH]
    square = float(np.square(features).mean())
    spread = float(np.square(centred).mean()) / square if square > 0 else 0.0
    spectrum = np.square(np.linalg.svd(centred, compute_uv=False))
    if spectrum.sum() <= 0:
        return spread, 0.0
    share = spectrum[spectrum > 0] / spectrum.sum()
    return spread, float(np.exp(-(share * np.log(share)).sum()))
