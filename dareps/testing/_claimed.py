"""The laws that a loss is subject to because it says so, by class flag or by argument."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from dareps.testing._draws import Case, permuted, samples, scaled, shifted, turned
from dareps.testing._law import Law, demand, demand_equal, rounding, value_of
from dareps.testing._subject import Subject


def _symmetric(subject: Subject, case: Case) -> None:
    pair = case.source, case.target
    demand_equal(subject, value_of(subject, *pair), value_of(subject, *pair[::-1]), *pair)


def _nonnegative(subject: Subject, case: Case) -> None:
    value = value_of(subject, case.source, case.target)
    demand(value >= -rounding(subject, case.source, case.target), f"the value is {value!r}")


def _zero_on_identical(subject: Subject, case: Case) -> None:
    for rows in (case.source, case.source[case.more["source_order"]]):
        value = value_of(subject, case.source, rows)
        demand(abs(value) <= rounding(subject, case.source), f"the value is {value!r}")


def _translation(subject: Subject, case: Case) -> None:
    moved = case.source + case.more["shift"], case.target + case.more["shift"]
    _unmoved(subject, case, *moved)


def _rotation(subject: Subject, case: Case) -> None:
    normal = case.more["mirror"]
    mirror = np.eye(len(normal)) - 2 * np.outer(normal, normal) / (normal @ normal)
    _unmoved(subject, case, case.source @ mirror, case.target @ mirror)


def _unmoved(subject: Subject, case: Case, source: np.ndarray, target: np.ndarray) -> None:
    before, after = value_of(subject, case.source, case.target), value_of(subject, source, target)
    demand_equal(subject, before, after, case.source, case.target, source, target)


def _scale(subject: Subject, case: Case) -> None:
    factor, degree = case.more["factor"], subject.claims["scale"]
    source, target = case.source * factor, case.target * factor
    expected = factor ** float(degree or 0) * value_of(subject, case.source, case.target)
    demand_equal(subject, expected, value_of(subject, source, target), source, target)


CLAIMED: Final[Mapping[str, Law]] = MappingProxyType(
    {
        "symmetric": Law(
            "symmetric",
            "claimed: swapping source and target does not change the value",
            "Look for a bandwidth, a mean or a normalisation taken from one side alone.",
            samples,
            _symmetric,
        ),
        "nonnegative": Law(
            "nonnegative",
            "claimed: the value is at least 0",
            "Look for dropped diagonals (unbiased estimators can be negative) and for a missing absolute value.",
            samples,
            _nonnegative,
        ),
        "zero_on_identical": Law(
            "zero on identical",
            "claimed: the value is 0 when both sides hold the same rows, in any order",
            "Look for additive constants and for diagonals that one of the terms lacks.",
            permuted,
            _zero_on_identical,
        ),
        "translation": Law(
            "translation",
            "claimed: moving both sides by the same vector does not change the value",
            "Look for raw moments in place of central ones and for kernels that are no function of x - y.",
            shifted,
            _translation,
        ),
        "rotation": Law(
            "rotation",
            "claimed: turning or mirroring both sides does not change the value",
            "Look for coordinate-wise norms, powers and scalings.",
            turned,
            _rotation,
        ),
        "scale": Law(
            "scale",
            "claimed: L(c x, c y) = c^k L(x, y) for c > 0",
            "Look for fixed bandwidths and for constants that are added to distances.",
            scaled,
            _scale,
        ),
    }
)
