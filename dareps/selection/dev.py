"""Deep embedded validation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from dareps.selection._base import ValidationView, Validator

if TYPE_CHECKING:
    import numpy as np


class DEV(Validator):
    """Deep embedded validation: negative estimate of the target risk from source rows; -inf when an output is NaN.

    Density ratios w = (n_s / n_t) P(target | f) / P(source | f) come from a logistic regression on features of source
    train and target rows (at most `rows` each, evenly spaced; features standardised; penalty |weights|^2 / 2 times
    `penalty`).
    With l the cross-entropy on source validation rows and L = w l,

        R = mean(L) + eta mean(w) - eta,   eta = -Cov(L, w) / Var(w), 0 where w does not vary,

    and the score is -R. R has no lower bound. You et al., ICML 2019, eq. 8 and algorithm 1.
    """

    rows: int = Field(500, ge=2)
    penalty: float = Field(1.0, gt=0)

    def __call__(self, view: ValidationView) -> float:
        """The negative estimated target risk."""
        import numpy as np

        from dareps.selection._scores import log_softmax, ranked

        log_p = log_softmax(view.source.logits)
        losses = -log_p[np.arange(len(log_p)), view.source_labels]
        features = view.source_train.features, view.target.features, view.source.features
        if not all(np.isfinite(part).all() for part in (*features, losses)):
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


def density_ratio(
    source: np.ndarray, target: np.ndarray, at: np.ndarray, *, rows: int = 500, penalty: float = 1.0
) -> np.ndarray:
    """p_target / p_source at some rows (k, d), by a logistic regression that tells source (n, d) from target (m, d)."""
    import numpy as np

    source, target = _capped(source, rows), _capped(target, rows)
    pooled = np.concatenate((source, target))
    mean, spread = pooled.mean(axis=0), pooled.std(axis=0)
    spread = np.where(spread > 0, spread, 1)
    signs = np.repeat((-1.0, 1.0), (len(source), len(target)))
    weights, bias = _logistic((pooled - mean) / spread, signs, penalty)
    # exp(30) is 1e13: far outside both samples a ratio says nothing, and it must not overflow.
    log_odds = np.clip((at - mean) / spread @ weights + bias, -30, 30)
    return np.asarray(len(source) / len(target) * np.exp(log_odds))


def _logistic(rows: np.ndarray, signs: np.ndarray, penalty: float) -> tuple[np.ndarray, float]:
    """Weights (d,) and bias that minimise sum log(1 + exp(-sign (w x + b))) + penalty |w|^2 / 2, from 0."""
    import numpy as np
    from scipy.optimize import minimize
    from scipy.special import expit

    def objective(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        weights, margins = parameters[:-1], signs * (rows @ parameters[:-1] + parameters[-1])
        slopes = -signs * expit(-margins)
        value = np.logaddexp(0, -margins).sum() + penalty * weights @ weights / 2
        return float(value), np.append(rows.T @ slopes + penalty * weights, slopes.sum())

    found = minimize(objective, np.zeros(rows.shape[1] + 1), jac=True, method="L-BFGS-B").x
    return found[:-1], float(found[-1])


def _capped(rows: np.ndarray, most: int) -> np.ndarray:
    """At most `most` rows, evenly spaced, so that several domains in a row keep their shares."""
    import numpy as np

    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(int)]
