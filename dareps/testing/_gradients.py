"""Laws on gradients: they are what a loss teaches, and a right value says nothing about them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np
import torch
from hypothesis import assume
from torch import Tensor

from dareps.testing._draws import Case, apart, generic, turned
from dareps.testing._law import (
    Law,
    demand,
    demand_same,
    features_of,
    gradients,
    on_features,
    rounding,
    tensors,
    value_of,
)
from dareps.testing._orders import permuted
from dareps.testing._subject import Subject

_STEP = 2.0**-22
_AGREE = 1e-4
_DOWNHILL = 1e-4


def _rows_in_order(subject: Subject, case: Case) -> None:
    orders = {side: case.more[f"{side}_order"] for side in ("source", "target")}
    moved = gradients(subject, case.source[orders["source"]], case.target[orders["target"]])
    for side, before, after in zip(subject.sides, gradients(subject, case.source, case.target), moved, strict=True):
        demand_same(subject, before[orders[side]], after, side, case.source, case.target)


def _moves_nothing(subject: Subject, case: Case) -> None:
    found = [features_of(subject, gradient) for gradient in gradients(subject, case.source, case.target)]
    total = torch.cat([torch.as_tensor(gradient) for gradient in found])
    still = torch.zeros_like(total[0])
    moved = total.sum(0) * torch.ones_like(still)
    # Judged beside the largest gradient of a single row.
    padded = torch.cat((moved[None], total)), torch.cat((still[None], total))
    demand_same(subject, *padded, "rows, summed over both sides,", case.source, case.target)


def _turns_along(subject: Subject, case: Case) -> None:
    normal = case.more["mirror"]
    mirror = np.eye(len(normal)) - 2 * np.outer(normal, normal) / (normal @ normal)
    turned_samples = on_features(subject, lambda rows: rows @ mirror, case.source, case.target)
    pairs = zip(
        subject.sides, gradients(subject, case.source, case.target), gradients(subject, *turned_samples), strict=True
    )
    for side, before, after in pairs:
        expected = torch.as_tensor(features_of(subject, before)) @ torch.as_tensor(mirror)
        demand_same(subject, expected, torch.as_tensor(features_of(subject, after)), side, case.source, case.target)


def _downhill(subject: Subject, case: Case) -> None:
    found = dict(zip(subject.sides, gradients(subject, case.source, case.target), strict=True))
    steepest = max(float(gradient.abs().max()) for gradient in found.values())
    size = _DOWNHILL * _spread(case) / steepest
    moved = [
        rows - size * found[side].numpy() if side in found else rows
        for side, rows in (("source", case.source), ("target", case.target))
    ]
    before, after = value_of(subject, case.source, case.target), value_of(subject, *moved)
    demand(after < before, f"a small step against the gradient takes {before!r} to {after!r}")


def slope(value: Callable[[Tensor, Tensor], Tensor], case: Case, along: list[np.ndarray], size: float) -> float:
    """The central difference of a loss along a direction, one array per side."""
    ends = []
    for sign in (1, -1):
        moved = [rows + sign * size * way for rows, way in zip((case.source, case.target), along, strict=True)]
        with torch.no_grad():
            ends.append(float(value(*tensors(*moved))))
    return (ends[0] - ends[1]) / (2 * size)


def slopes(subject: Subject, value: Callable[[Tensor, Tensor], Tensor], case: Case, along: list[np.ndarray]) -> float:
    """The slope along a direction, from two step sizes; cases that sit on a kink are not tried.

    A kink within reach shows as two step sizes that disagree.
    """
    size = _STEP * _spread(case)
    coarse, fine = (slope(value, case, along, step) for step in (size, size / 4))
    assume(abs(coarse - fine) <= slack(subject, case, fine))
    return fine


def slack(subject: Subject, case: Case, expected: float) -> float:
    """What a slope found by differences may be off by: its own share, and the rounding of value and arithmetic."""
    spread = _spread(case)
    own = 10 * rounding(subject, case.source, case.target) / spread
    # Probabilities and the like round at 1, however small the value that they make.
    return _AGREE * abs(expected) + own + 1e-15 / (_STEP * spread)


def _spread(case: Case) -> float:
    return float(np.ptp(np.concatenate((case.source, case.target))))


def direction(subject: Subject, case: Case) -> list[np.ndarray]:
    """An irregular direction on the sides that a loss reads; a label has none."""
    ways = []
    for side, rows in (("source", case.source), ("target", case.target)):
        way = np.cos(1 + np.arange(rows.size) * (1.7 if side == "source" else 2.3)).reshape(rows.shape)
        if subject.beside:
            way[:, -1] = 0
        ways.append(way if side in subject.sides else 0 * way)
    return ways


def along_gradient(subject: Subject, case: Case, along: list[np.ndarray]) -> float:
    """The slope that the gradient promises along a direction."""
    found = gradients(subject, case.source, case.target)
    return sum(
        float((gradient.numpy() * along[index]).sum()) for index, gradient in zip(subject.indices, found, strict=True)
    )


def _as_defined(subject: Subject, case: Case) -> None:
    claimed = subject.claims["gradient"]
    value = partial(_with_fixed, claimed, *tensors(case.source, case.target)) if callable(claimed) else subject.value
    if callable(claimed):
        first, second = value_of(subject, case.source, case.target), float(value(*tensors(case.source, case.target)))
        allowed = 1e-9 * abs(second) + rounding(subject, case.source, case.target)
        demand(abs(first - second) <= allowed, f"the value is {first!r} and by its definition {second!r}")
    along = direction(subject, case)
    expected, found = slopes(subject, value, case, along), along_gradient(subject, case, along)
    demand(
        abs(expected - found) <= slack(subject, case, expected),
        f"the gradient promises a slope of {found!r}, and it is {expected!r}",
    )


def _with_fixed(defined: Callable[..., Tensor], kept_source: Tensor, kept_target: Tensor, *moving: Tensor) -> Tensor:
    return defined(*moving, kept_source, kept_target)


GRADIENTS: Final = (
    Law(
        "gradient row order",
        "reordering the rows of a side reorders the gradient in the same way",
        "Look for gradients that only some rows get: slices, detached halves, memory of earlier rows.",
        partial(permuted, of=generic),
        _rows_in_order,
        most=20,
        still=True,
    ),
)
CLAIMED_GRADIENTS: Final = (
    Law(
        "gradient under translation",
        "claimed with `translation`: the gradient, summed over the rows of both sides, is 0",
        "Look for parts of one side that are detached, for example a mean or one of two terms.",
        generic,
        _moves_nothing,
        claim="translation",
        most=20,
    ),
    Law(
        "gradient under rotation",
        "claimed with `rotation`: turning both sides turns the gradient",
        "Look for gradients that are clipped, scaled or detached coordinate by coordinate.",
        partial(turned, of=generic),
        _turns_along,
        claim="rotation",
        most=20,
    ),
    Law(
        "gradient downhill",
        "claimed with `zero_on_identical`: a small step against the gradient lowers the value of samples that differ",
        "Look for a sign, for gradient reversal without an opponent, and for statistics that should not be cut off.",
        apart,
        _downhill,
        claim="zero_on_identical",
        most=20,
    ),
    Law(
        "gradient as defined",
        "claimed with `gradient`: the gradient is the slope of the value, or of the definition that was passed",
        "Look for what is detached and should not be, or for a bandwidth, plan or weight that should be and is not.",
        generic,
        _as_defined,
        claim="gradient",
        most=20,
    ),
)
