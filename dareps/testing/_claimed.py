"""The laws that a loss is subject to because it says so, by class flag or by argument."""

from __future__ import annotations

from itertools import permutations
from typing import Final

import numpy as np
import torch

from dareps.testing._draws import Case, dealt, samples, scaled, shifted, turned
from dareps.testing._law import Law, demand, demand_equal, on_features, rounding, value_of
from dareps.testing._orders import permuted
from dareps.testing._subject import Subject


def _agreed(subject: Subject, rows: np.ndarray) -> np.ndarray:
    """Rows whose label is the class that their logits name: the sides of a labelled pair differ in that alone."""
    if not subject.beside:
        return rows
    named = torch.as_tensor(rows[:, -subject.beside : -1]).argmax(1, keepdim=True)
    return np.concatenate((rows[:, :-1], named.numpy()), 1)


def _symmetric(subject: Subject, case: Case) -> None:
    pair = _agreed(subject, case.source), _agreed(subject, case.target)
    demand_equal(subject, value_of(subject, *pair), value_of(subject, *pair[::-1]), *pair)


def _nonnegative(subject: Subject, case: Case) -> None:
    value = value_of(subject, case.source, case.target)
    demand(value >= -rounding(subject, case.source, case.target), f"the value is {value!r}")


def _zero_on_identical(subject: Subject, case: Case) -> None:
    source = _agreed(subject, case.source)
    for rows in (source, source[case.more["source_order"]]):
        value = value_of(subject, source, rows)
        demand(abs(value) <= rounding(subject, source), f"the value is {value!r}")


def _translation(subject: Subject, case: Case) -> None:
    _unmoved(subject, case, *on_features(subject, lambda rows: rows + case.more["shift"], case.source, case.target))


def _rotation(subject: Subject, case: Case) -> None:
    normal = case.more["mirror"]
    mirror = np.eye(len(normal)) - 2 * np.outer(normal, normal) / (normal @ normal)
    _unmoved(subject, case, *on_features(subject, lambda rows: rows @ mirror, case.source, case.target))


def _unmoved(subject: Subject, case: Case, source: np.ndarray, target: np.ndarray) -> None:
    before, after = value_of(subject, case.source, case.target), value_of(subject, source, target)
    demand_equal(subject, before, after, case.source, case.target, source, target)


def _scale(subject: Subject, case: Case) -> None:
    factor, degree = case.more["factor"], subject.claims["scale"]
    source, target = on_features(subject, lambda rows: rows * factor, case.source, case.target)
    wanted = degree if isinstance(degree, int | float) else 0
    expected = factor**wanted * value_of(subject, case.source, case.target)
    demand_equal(subject, expected, value_of(subject, source, target), source, target)


def _duplication(subject: Subject, case: Case) -> None:
    once = value_of(subject, case.source, case.target)
    for times in (2, 3):
        said = value_of(subject, *(np.concatenate([rows] * times) for rows in (case.source, case.target)))
        demand_equal(subject, once, said, case.source, case.target)


def _unbiased(subject: Subject, case: Case) -> None:
    # Rows of one law may be dealt out to source and target in any order, each as likely as the others, so the mean
    # over all orders is the expectation given the rows. Where the law is any law at all it has to be 0 for all rows.
    pool, n = np.concatenate((case.source, case.target)), len(case.source)
    values = [value_of(subject, rows[:n], rows[n:]) for rows in map(pool.__getitem__, map(list, _orders(len(pool))))]
    mean = sum(values) / len(values)
    allowed = 1e-9 * max(map(abs, values)) + rounding(subject, pool)
    demand(abs(mean) <= allowed, f"dealt out in all {len(values)} orders the same rows give {mean!r} on average")


def _orders(rows: int) -> list[tuple[int, ...]]:
    return list(permutations(range(rows)))


CLAIMED: Final = (
    Law(
        "symmetric",
        "claimed: swapping source and target does not change the value",
        "Look for a bandwidth, a mean or a normalisation taken from one side alone.",
        samples,
        _symmetric,
        claim="symmetric",
        still=True,
    ),
    Law(
        "nonnegative",
        "claimed: the value is at least 0",
        "Look for dropped diagonals (unbiased estimators can be negative) and for a missing absolute value.",
        samples,
        _nonnegative,
        claim="nonnegative",
    ),
    Law(
        "zero on identical",
        "claimed: the value is 0 when both sides hold the same rows, in any order",
        "Look for additive constants and for diagonals that one of the terms lacks.",
        permuted,
        _zero_on_identical,
        claim="zero_on_identical",
        still=True,
    ),
    Law(
        "translation",
        "claimed: moving both sides by the same vector does not change the value",
        "Look for raw moments in place of central ones and for kernels that are no function of x - y.",
        shifted,
        _translation,
        claim="translation",
    ),
    Law(
        "rotation",
        "claimed: turning or mirroring both sides does not change the value",
        "Look for coordinate-wise norms, powers and scalings.",
        turned,
        _rotation,
        claim="rotation",
    ),
    Law(
        "scale",
        "claimed: L(c x, c y) = c^k L(x, y) for c > 0",
        "Look for fixed bandwidths and for constants that are added to distances.",
        scaled,
        _scale,
        claim="scale",
    ),
    Law(
        "duplication",
        "claimed: saying every row of both sides twice, or three times, does not change the value",
        "Look for sums in place of means, for n - 1 in place of n, and for diagonals that are left out.",
        samples,
        _duplication,
        claim="duplication",
        still=True,
    ),
    Law(
        "unbiased",
        "claimed: the mean over all ways to deal the same rows out to source and target is 0",
        "Look for diagonals that are kept, for n in place of n - 1, and for a clamp at 0.",
        dealt,
        _unbiased,
        claim="unbiased",
        most=10,
        still=True,
    ),
)
