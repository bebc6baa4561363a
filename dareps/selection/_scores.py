"""What several validators compute with, in numpy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from dareps.selection._base import ValidationView


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log-probabilities (n, c) of logits (n, c), without overflow and without log 0; NaN where one is inf."""
    import numpy as np

    with np.errstate(invalid="ignore"):
        # An infinite logit has no softmax: it becomes NaN here, which `ranked` turns into the worst score.
        shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def entropies(log_p: np.ndarray) -> np.ndarray:
    """Entropy of each row of log-probabilities (..., c), in [0, log c]."""
    import numpy as np

    # A probability of exactly 0 comes from log 0 = -inf, and contributes nothing.
    terms = np.exp(log_p) * np.where(np.isneginf(log_p), 0, log_p)
    return np.asarray(-terms.sum(axis=-1))


def accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Share of labelled rows whose largest logit is the label's; NaN without any, or when a logit is not a number."""
    import numpy as np

    known = labels >= 0
    if np.isnan(logits).any() or not known.any():
        return math.nan
    return float((logits.argmax(axis=1) == labels)[known].mean())


def source_losses(view: ValidationView) -> np.ndarray:
    """The loss of each source validation row (n,): cross-entropy, or the squared error of standardised numbers.

    Of several numbers a row has the mean over those that it has a label of.
    """
    import numpy as np

    logits, labels = view.source.logits, view.source_labels
    if view.kind == "classification":
        return np.asarray(-log_softmax(logits)[np.arange(len(logits)), labels])
    known = ~np.isnan(labels)
    with np.errstate(invalid="ignore", over="ignore"):  # What is not finite becomes NaN or inf, which lose.
        errors = np.square(np.where(known, labels, logits) - logits)
        return np.asarray(errors.sum(axis=1) / known.sum(axis=1))


def mean_score(scores: Mapping[str, float]) -> float:
    """Mean over the tasks whose score is known; -inf without any."""
    known = [score for score in scores.values() if not math.isnan(score)]
    return sum(known) / len(known) if known else -math.inf


def ranked(score: float) -> float:
    """The score, with -inf for NaN: a checkpoint whose outputs are no numbers must never be chosen."""
    return -math.inf if math.isnan(score) else float(score)
