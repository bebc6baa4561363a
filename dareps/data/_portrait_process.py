"""The process behind the portraits, the best that can be made of it, and how that is known.

Shape legend: `n` rows, 7 features. With group g in {0, 1, 2}, each a third of the rows, standardised age a and
independent standard normal e, the features of a face are

    f = AGE a + GROUP (g - 1) + noise e,        years = MEAN + DEVIATION a,        a ~ N(0, 1).

Write w = AGE, d = GROUP, s^2 = noise^2. Given the group, f is normal with covariance S = w w' + s^2 I, the same for
all groups. So the groups lie on a line, t = d' S^-1 f / D with D^2 = d' S^-1 d is sufficient for the group, and
t ~ N((g - 1) D, 1). The best guess is the nearest of -D, 0 and D:

    accuracy = (4 Phi(D / 2) - 1) / 3.

Given the group, the best guess of a is k' (f - (g - 1) d) with k = w / (s^2 + |w|^2), of error s^2 / (s^2 + |w|^2).
Without it g - 1 is replaced by its mean given t, which adds (k' d)^2 E[Var(g | t)]: one integral over t.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dareps.data._draws import generator

FEATURES = ("hairline", "grey", "wrinkles", "cheeks", "eyes", "nose", "brows")
AGE = np.array([0.9, 0.8, 0.7, 0.6, 0.6, 0.5, 0.0])
GROUP = np.array([0.0, 0.0, 0.0, 0.0, 0.9, 0.9, 1.2])
MEAN, DEVIATION = 45.0, 12.0
GROUPS = 3
_REACH, _POINTS = 9.0, 4001
"""The integral is a sum over even steps, which for smooth functions that end in nothing errs by rounding alone."""


@dataclass(frozen=True, slots=True)
class Faces:
    """Drawn rows: `features` (n, 7), `group` (n,) int64 and `age` (n,) float64 in years."""

    features: np.ndarray
    group: np.ndarray
    age: np.ndarray


def faces(count: int, noise: float, *key: object) -> Faces:
    """Draw from the process; groups take turns, and what is drawn for a row depends on its number alone."""
    draws = generator("portraits", *key).standard_normal((count, 1 + len(FEATURES)))
    group = np.arange(count) % GROUPS
    features = np.outer(draws[:, 0], AGE) + np.outer(group - 1, GROUP) + noise * draws[:, 1:]
    return Faces(features, group.astype(np.int64), MEAN + DEVIATION * draws[:, 0])


def deviations(noise: float) -> np.ndarray:
    """Standard deviation of each feature over all faces, (7,)."""
    spread: np.ndarray = np.sqrt(AGE**2 + GROUP**2 * (GROUPS**2 - 1) / 12 + noise**2)
    return spread


def group_chances(features: np.ndarray, noise: float) -> np.ndarray:
    """P(group | features) of faces (n, 7), as (n, 3)."""
    direction, distance = _separation(noise)
    return _chances(features @ direction / distance, distance)


def expected_age(features: np.ndarray, noise: float) -> np.ndarray:
    """E[years | features] of faces (n, 7), as (n,): the guess of least squared error."""
    weights = AGE / (noise**2 + AGE @ AGE)
    moved = group_chances(features, noise) @ np.arange(-1, GROUPS - 1)
    years: np.ndarray = MEAN + DEVIATION * (features @ weights - moved * (weights @ GROUP))
    return years


def best_scores(noise: float) -> dict[str, float]:
    """The best scores that any function of the features, and so any of the image, can have in expectation.

    `group accuracy`, and `age rmse` in years with `age r2` = 1 - mse / variance; then what would be possible if the
    label of the other task were known as well.
    """
    _, distance = _separation(noise)
    unknown = noise**2 / (noise**2 + AGE @ AGE)
    pull = AGE @ GROUP / (noise**2 + AGE @ AGE)
    mse = unknown + pull**2 * _unknown_group(distance)
    return {
        "group accuracy": _accuracy(distance),
        "age rmse": float(DEVIATION * np.sqrt(mse)),
        "age r2": float(1 - mse),
        "group accuracy with age known": _accuracy(float(np.sqrt(GROUP @ GROUP)) / noise),
        "age rmse with group known": float(DEVIATION * np.sqrt(unknown)),
    }


def _separation(noise: float) -> tuple[np.ndarray, float]:
    """S^-1 d by the Sherman-Morrison formula, and D."""
    direction = (GROUP - AGE * (AGE @ GROUP) / (noise**2 + AGE @ AGE)) / noise**2
    return direction, float(np.sqrt(GROUP @ direction))


def _accuracy(distance: float) -> float:
    from scipy.special import ndtr

    return float((4 * ndtr(distance / 2) - 1) / GROUPS)


def _chances(place: np.ndarray, distance: float) -> np.ndarray:
    """P(group | t) for places t (n,), as (n, 3)."""
    centres = distance * np.arange(-1, GROUPS - 1)
    logs = place[:, None] * centres - centres**2 / 2
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    chances: np.ndarray = weights / weights.sum(axis=1, keepdims=True)
    return chances


def _unknown_group(distance: float) -> float:
    """E[Var(g | t)] over the mixture of t."""
    place = np.linspace(-distance - _REACH, distance + _REACH, _POINTS)
    chances, numbers = _chances(place, distance), np.arange(GROUPS)
    variance = chances @ numbers**2 - (chances @ numbers) ** 2
    centres = distance * np.arange(-1, GROUPS - 1)
    density = np.exp(-((place[:, None] - centres) ** 2) / 2).mean(axis=1) / np.sqrt(2 * np.pi)
    return float((variance * density).sum() * (place[1] - place[0]))
