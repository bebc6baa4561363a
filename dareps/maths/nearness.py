"""Weights of sources by bounds on what each would do on the target, in numpy."""

from __future__ import annotations

from typing import Final

import numpy as np

TEMPERATURE: Final = 0.25
"""By how much a bound has to be larger for a weight to be e times smaller."""


def nearness_weights(bounds: np.ndarray, temperature: float = TEMPERATURE) -> np.ndarray:
    """w = softmax(-b / temperature), (k,), of bounds (k,) on the target error of k sources.

    It is the w on the simplex with the least sum_s w_s b_s - temperature H(w): the bound of a mixture of sources is the
    mixture of theirs (Ben-David et al., Machine Learning 79, 2010), and the entropy H keeps many rows in play. Wen,
    Greiner & Schuurmans, ICML 2020 (DARN), has the Euclidean norm of w in place of the entropy, which makes
    some weights exactly 0.
    """
    shifted = np.exp(-(bounds - bounds.min()) / temperature)
    return np.asarray(shifted / shifted.sum())
