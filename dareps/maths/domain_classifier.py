"""A logistic regression between domains, in numpy: density ratios, and how well the domains can be told apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class DensityRatio:
    """p_target / p_source as a function of rows (k, d): odds exp(w ((x - mean) / spread) + bias) times n / m.

    Attributes:
        mean: (d,), as `spread` and `weights`.
        factor: n / m, the rows of both samples.
    """

    mean: np.ndarray
    spread: np.ndarray
    weights: np.ndarray
    bias: float
    factor: float

    def __call__(self, at: np.ndarray) -> np.ndarray:
        """The ratio (k,) at rows (k, d)."""
        # exp(30) is 1e13: far outside both samples a ratio says nothing, and it must not overflow.
        log_odds = np.clip((at - self.mean) / self.spread @ self.weights + self.bias, -30, 30)
        return np.asarray(self.factor * np.exp(log_odds))


def fit_ratio(source: np.ndarray, target: np.ndarray, *, rows: int = 500, penalty: float = 1.0) -> DensityRatio:
    """The ratio by a logistic regression that tells source (n, d) from target (m, d), at most `rows` of each."""
    source, target = _capped(source, rows), _capped(target, rows)
    pooled = np.concatenate((source, target))
    mean, spread = pooled.mean(axis=0), pooled.std(axis=0)
    spread = np.where(spread > 0, spread, 1)
    signs = np.repeat((-1.0, 1.0), (len(source), len(target)))
    weights, bias = _logistic((pooled - mean) / spread, signs, penalty)
    return DensityRatio(mean, spread, weights, bias, len(source) / len(target))


def density_ratio(
    source: np.ndarray, target: np.ndarray, at: np.ndarray, *, rows: int = 500, penalty: float = 1.0
) -> np.ndarray:
    """p_target / p_source at some rows (k, d); see `fit_ratio`."""
    return fit_ratio(source, target, rows=rows, penalty=penalty)(at)


def proxy_a_distance(
    seen: tuple[np.ndarray, np.ndarray], held: tuple[np.ndarray, np.ndarray], *, rows: int = 500, penalty: float = 1.0
) -> float:
    """max(0, 2 (1 - 2 e)), in [0, 2], of source and target rows (n, d) and (m, d).

    e is the balanced error on the `held` rows of the logistic regression that tells the `seen` ones apart, of which at
    most `rows` a side count. Ben-David et al., NIPS 2006.
    """
    claimed = density_ratio(*seen, np.concatenate(held), rows=rows, penalty=penalty) > 1
    source, target = np.split(claimed, [len(held[0])])
    return max(0.0, 2 * (1 - float(source.mean() + (~target).mean())))


def _logistic(rows: np.ndarray, signs: np.ndarray, penalty: float) -> tuple[np.ndarray, float]:
    """Weights (d,) and bias that minimise sum log(1 + exp(-sign (w x + b))) + penalty |w|^2 / 2, from 0."""
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
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(int)]
