"""Deep embedded validation."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from dareps.selection._base import ValidationView, Validator

if TYPE_CHECKING:
    import numpy as np


class DEV(Validator):
    """Deep embedded validation: negative estimate of the target risk from source rows; -inf when an output is NaN.

    Density ratios w = (n_s / n_t) P(target | f) / P(source | f) come from a logistic regression on features of source
    train and target rows (at most `rows` each, evenly spaced; features standardised; penalty |weights|^2 / 2 times
    `penalty`).
    With l the cross-entropy on source validation rows, or the squared error of standardised numbers, and L = w l,

        R = mean(L) + eta mean(w) - eta,   eta = -Cov(L, w) / Var(w), 0 where w does not vary,

    and the score is -R. R has no lower bound. You et al., ICML 2019, eq. 8 and algorithm 1.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"values", "target"})

    rows: int = Field(500, ge=2)
    """At most this many rows of each domain train the domain classifier, evenly spaced."""
    penalty: float = Field(1.0, gt=0)
    """Weight of |weights|^2 / 2 in the domain classifier."""

    def __call__(self, view: ValidationView) -> float:
        """The negative estimated target risk."""
        import numpy as np

        from dareps.maths.domain_classifier import density_ratio
        from dareps.selection._scores import ranked, source_losses

        losses = source_losses(view)
        features = view.source_train.features, view.target.features, view.source.features
        if not (len(losses) and all(np.isfinite(part).all() for part in (*features, losses))):
            return ranked(float("nan"))
        return ranked(-dev_risk(losses, density_ratio(*features, rows=self.rows, penalty=self.penalty)))


def dev_risk(losses: np.ndarray, weights: np.ndarray) -> float:
    """R of losses (n,) under density ratios (n,); equals the mean of w l where w does not vary.

    The control variate is left out when w is constant up to rounding, since eta would be a quotient of noise.
    """
    weighted = losses * weights
    if len(weights) < 2 or weights.std() <= 1e-9 * abs(weights.mean()):
        return float(weighted.mean())
    centred = weights - weights.mean()
    eta = -((weighted - weighted.mean()) @ centred) / (centred @ centred)
    return float(weighted.mean() + eta * weights.mean() - eta)
