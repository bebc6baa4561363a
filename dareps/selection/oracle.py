"""Select by target labels, as an upper bound."""

from __future__ import annotations

from typing import ClassVar

from dareps.errors import ContractError
from dareps.selection._base import ValidationView, Validator


class Oracle(Validator):
    """Accuracy on target validation rows, in [0, 1]: it reads target labels, so it is a bound and no rule.

    -inf when a logit is NaN. With several tasks, or one without classes, the mean over tasks of their main metrics.
    """

    oracle: ClassVar[bool] = True
    needs: ClassVar[frozenset[str]] = frozenset({"target"})

    def __call__(self, view: ValidationView) -> float:
        """The accuracy of `view.target`."""
        from dareps.selection._scores import accuracy, mean_score, ranked

        if view.target_scores is not None:
            return mean_score(view.target_scores)
        if view.target_labels is None:
            raise ContractError("validator oracle", "it was given no target labels", fix="Open them for it alone.")
        return ranked(accuracy(view.target.logits, view.target_labels))
