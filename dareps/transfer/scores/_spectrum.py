"""Features in the basis in which every score of theirs is a sum over directions."""

from __future__ import annotations

import numpy as np


def spectrum(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The left singular vectors (n, r) and squared singular values (r,) of features (n, d), r their rank.

    Directions whose singular value is rounding, up to max(n, d) times the largest one's, are left out: the evidence and
    inverses would take them for real ones. O(n d min(n, d)).
    """
    n, d = features.shape
    # Wide features have the left side of a square matrix, and the other side, which nothing asks for, is never formed.
    square = np.asarray(np.linalg.qr(features.T, mode="r")).T if d > n else features
    left, values, _ = np.linalg.svd(square, full_matrices=False)
    real = values > max(features.shape) * np.finfo(values.dtype).eps * values[0]
    return left[:, real], np.square(values[real])


def centred(features: np.ndarray) -> np.ndarray:
    """Features (n, d) less their mean; a column that does not vary becomes 0 exactly, and not rounding."""
    shifted = features - features[0]
    return np.asarray(shifted - shifted.mean(axis=0))


def ledoit_wolf(features: np.ndarray, squares: np.ndarray) -> float:
    """The shrinkage of the covariance C of centred features (n, d) towards m I, m = tr C / d, in [0, 1].

    min(b, e) / e with e = |C - m I|^2 the distance to the target, b = sum_i |x_i x_i' - C|^2 / n^2 the expected error
    of C; 0 where C is a multiple of I up to rounding. Ledoit & Wolf, J. Multivariate Analysis 88, 2004, lemmas 3.2-3.4.
    """
    n, d = features.shape
    variances = squares / n
    size = np.square(variances).sum()
    distance = size - np.square(variances.sum()) / d
    if distance <= 1e-12 * size:
        return 0.0
    error = (np.square(np.square(features).sum(axis=1)).mean() - size) / n
    return float(min(1.0, max(0.0, error / distance)))
