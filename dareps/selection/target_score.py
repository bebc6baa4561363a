"""Select by the figures on target validation rows whose labels the split declares."""

from __future__ import annotations

from typing import ClassVar

from dareps.selection._base import ValidationView, Validator


class TargetScore(Validator):
    """Mean over tasks of their main metrics on the target validation rows that the split gives labels: `@N+M`.

    It is no oracle: the M labels of each class are declared, and counted as target labels in every result. Accuracy of
    classes, R^2 of numbers, mean average precision of label sets; -inf where no such row has a label.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"labels"})

    def __call__(self, view: ValidationView) -> float:
        """The mean, at most 1."""
        from dareps.selection._scores import mean_score

        return mean_score(view.declared_scores)
