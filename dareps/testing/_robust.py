"""Laws on inputs that batches turn into when training goes wrong, and on sizes and precisions."""

from __future__ import annotations

import math
from functools import partial
from typing import Final

import torch

from dareps.errors import ContractError
from dareps.testing._draws import Case, degenerate, large, samples, single, spoilt
from dareps.testing._law import Law, demand, rounding, tensors, value_of
from dareps.testing._null import alike, null_rows
from dareps.testing._subject import Subject

_BLOCK, _BLOCKS = 16, 8
_MARGIN = 2.0
_AUTOCAST = 2.0**-5


def _all_finite(subject: Subject, case: Case, dtype: torch.dtype = torch.float64) -> None:
    leaves = tensors(case.source, case.target, dtype=dtype, grad=True)
    value = subject.value(*leaves)
    number = float(value.detach())
    demand(math.isfinite(number), f"the value is {number}")
    if not value.requires_grad:
        return
    found = torch.autograd.grad(value, [leaves[index] for index in subject.indices], allow_unused=True)
    for side, gradient in zip(subject.sides, found, strict=True):
        finite = gradient is None or bool(gradient.isfinite().all())
        demand(finite, f"the value is {number:.3g} and the gradient on the {side} is not finite")


def _single_row(subject: Subject, case: Case) -> None:
    try:
        _all_finite(subject, case)
    except (ContractError, ValueError) as refusal:
        demand(bool(str(refusal)), f"a {type(refusal).__name__} without a word")


def _not_a_number_shows(subject: Subject, case: Case) -> None:
    for side in subject.sides:
        spoilt_sides = {"source": case.source, "target": case.target}
        spoilt_sides[side] = spoilt_sides[side].copy()
        spoilt_sides[side][case.more[side]] = math.nan
        try:
            value = value_of(subject, spoilt_sides["source"], spoilt_sides["target"])
        except (ContractError, ValueError):
            continue
        demand(not math.isfinite(value), f"with a NaN among the {side} features the value is {value!r}")


def _stable_under_null(subject: Subject, case: Case) -> None:
    source, target = null_rows(case.more, _BLOCK * _BLOCKS, subject.beside)
    blocks = [slice(start, start + _BLOCK) for start in range(0, _BLOCK * _BLOCKS, _BLOCK)]
    few = max(abs(value_of(subject, source[block], target[block])) for block in blocks)
    many = abs(value_of(subject, source, target))
    allowed = _MARGIN * few + rounding(subject, source, target)
    demand(many <= allowed, f"at most {few:.4g} for 16 rows a side, and {many:.4g} for 128")


def _autocast(subject: Subject, case: Case) -> None:
    inputs = tensors(case.source, case.target, dtype=torch.float32)
    with torch.no_grad():
        plain = float(subject.value(*inputs))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            cast = float(subject.value(*inputs))
    allowed = _AUTOCAST * (abs(plain) + rounding(subject, case.source, case.target) * 1e7)
    demand(abs(cast - plain) <= allowed, f"{plain:.6g} in float32 and {cast:.6g} under autocast")


ROBUST: Final = (
    Law(
        "degenerate inputs",
        "value and gradient are finite for collapsed sides, repeated rows and columns that never change",
        "Look for divisions by a variance, norm, bandwidth or number of distinct rows, and for roots of 0.",
        degenerate,
        _all_finite,
    ),
    Law(
        "single row",
        "one row on a side gives finite numbers, or a ValueError or ContractError that says what is missing",
        "Look for divisions by n - 1 and for covariances; refuse such a batch by its shape, which costs nothing.",
        single,
        _single_row,
    ),
    Law(
        "large inputs",
        "value and gradient are finite in float32 up to the largest magnitude that the loss is declared for",
        "Look for powers and exponentials before a division or a subtraction of the maximum, or declare `largest`.",
        large,
        partial(_all_finite, dtype=torch.float32),
    ),
    Law(
        "NaN shows",
        "a NaN among the features never gives a finite value",
        "Look for nan_to_num, for comparisons (False with NaN) that choose a constant, and for maxima that skip NaN.",
        spoilt,
        _not_a_number_shows,
    ),
    Law(
        "stable under the null",
        "with both sides from one law the value does not grow with the number of rows, from 16 to 128",
        "Look for sums over rows or pairs in place of means, and for covariances that are not divided by n - 1.",
        alike,
        _stable_under_null,
        most=6,
    ),
    Law(
        "autocast",
        "under bfloat16 autocast the value is that of float32 to 3 %",
        "Compute distances, covariances and decompositions in float32 with autocast switched off around them.",
        partial(samples, even=True),
        _autocast,
        most=20,
    ),
)
