"""Ridge regression as a linear map, in numpy."""

from __future__ import annotations

import numpy as np


def ridge_map(to: np.ndarray, at: np.ndarray) -> np.ndarray:
    """K(to, at) (K(at, at) + r I)^-1 for rows centred on `at`: (n, m) for n and m rows.

    Ridge regression with an intercept, in its dual form, as a matrix that takes centred targets to fitted values. The
    penalty r is the mean squared norm of the centred `at`, plus a millionth of that of `to` so that it is never zero.
    """
    from scipy.linalg import cho_factor, cho_solve

    centre = at.mean(axis=0)
    to, at = to - centre, at - centre
    gram = at @ at.T
    ridge = float(gram.diagonal().mean()) + 1e-6 * float(np.square(to).sum(axis=1).mean()) + 1e-12
    factor = cho_factor(gram + ridge * np.eye(len(at), dtype=at.dtype))
    return np.asarray(cho_solve(factor, at @ to.T).T)
