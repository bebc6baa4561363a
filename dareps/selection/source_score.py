"""Select by all tasks' figures on the source."""

from __future__ import annotations

from dareps.selection._base import ValidationView, Validator


class SourceScore(Validator):
    """Mean over tasks of their main metrics on labelled source validation rows; the rule for learning without a target.

    Accuracy of classes, R^2 of numbers, mean average precision of label sets. A task without any label there is left
    out; -inf where none is left. With one task of classes it is `source_accuracy`.
    """

    def __call__(self, view: ValidationView) -> float:
        """The mean, at most 1."""
        from dareps.selection._scores import accuracy, mean_score, ranked

        if view.source_scores:
            return mean_score(view.source_scores)
        return ranked(accuracy(view.source.logits, view.source_labels))
