"""Importance-weighted validation."""

from __future__ import annotations

from typing import ClassVar

from dareps.selection._base import ValidationView, Validator


class ImportanceWeighted(Validator):
    """Importance-weighted validation: negative estimate of the target risk from source rows; -inf when one is NaN.

    -sum_i w_i l_i / sum_i w_i over source validation rows, l the cross-entropy or the squared error of standardised
    numbers (1 for the constant guess), w = p_target(x) / p_source(x). Under covariate shift, p(y | x) the same on both
    sides, it tends to the target risk as rows grow in number. The ratio comes from a logistic regression that tells
    source train from target validation rows as they are before a representation is learned (penalty |weights|^2 / 2),
    so that all recipes and checkpoints meet the same weights, and none can hide the shift by forgetting it; `dev` takes
    the ratio on the model's own features instead.

    Sugiyama, Krauledat & Mueller, JMLR 8 (2007), on held-out rows in place of folds; divided by the sum of the
    weights in place of n, which an estimated ratio's own scale then does not change.
    """

    reads_inputs: ClassVar[bool] = True
    needs: ClassVar[frozenset[str]] = frozenset({"values", "target"})

    def __call__(self, view: ValidationView) -> float:
        """The negative estimated target risk, at most 0."""
        import numpy as np

        from dareps.selection._scores import ranked, source_losses

        losses = source_losses(view)
        if view.importance is None or not len(losses):
            return -np.inf
        weights = view.importance()
        with np.errstate(invalid="ignore"):  # An infinite loss times a weight of 0.
            return ranked(-float((weights * losses).sum() / weights.sum()))
