"""Reverse validation."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dareps.selection._base import ValidationView, Validator
from dareps.types import Task

if TYPE_CHECKING:
    import numpy as np


class ReverseValidation(Validator):
    """Balanced source accuracy of a linear classifier that learned the target rows' predicted classes.

    The model labels the target validation rows; ridge regression learns these labels, one against the rest, from the
    rows as they are before a representation is learned, and labels the source validation rows, whose true classes are
    known. A class that is never predicted on the target cannot come back, so a collapsed model scores 1 / c. In
    [0, 1]; -inf when a logit is NaN. Numbers are learned and come back as they are, and the score is their R^2, at most
    1 and 0 for a constant mean.

    Zhong et al., ECML PKDD 2010; Ganin et al., JMLR 2016, section 5.1.2, who train the backward classifier by the
    same method as the forward one. Here it is linear in the rows, which makes it one product per checkpoint, and its
    scores are compared only among recipes whose rows went through the same transform.
    """

    version: ClassVar[str] = "2"
    reads_inputs: ClassVar[bool] = True
    needs: ClassVar[frozenset[str]] = frozenset({"values", "target"})

    def __call__(self, view: ValidationView) -> float:
        """The backward classifier's balanced accuracy on the source validation rows."""
        import numpy as np

        logits = view.target.logits
        if view.backward is None or not np.isfinite(logits).all():
            return -np.inf
        numbers = view.kind == "regression"
        claimed = logits if numbers else np.eye(logits.shape[1])[logits.argmax(axis=1)]
        back = view.backward @ (claimed - claimed.mean(axis=0)) + claimed.mean(axis=0)
        if numbers:
            return _explained(view.source_labels, back)
        classes, found = np.unique(view.source_labels), back.argmax(axis=1)
        return float(np.mean([(found[view.source_labels == label] == label).mean() for label in classes]))


def _explained(labels: np.ndarray, found: np.ndarray) -> float:
    """The mean over outputs of R^2 of labels (n, k), NaN where missing; -inf where none is defined."""
    from dareps.selection._scores import mean_score
    from dareps.tasks import kind_of

    numbers = kind_of(Task("numbers", "regression", labels.shape[1]))
    return mean_score({"r2": numbers.scores(labels, found).primary})
