"""The laws that every alignment is subject to."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

import numpy as np
import torch

from dareps.testing._draws import Case, apart, extreme, samples, unequal
from dareps.testing._gates import forbid_host_sync
from dareps.testing._law import Law, demand, demand_equal, features_of, gradients, stays_on_device, tensors, value_of
from dareps.testing._orders import permuted
from dareps.testing._subject import Subject

_ODD_SEED = 0x5EED_0DD


def _scalar(subject: Subject, case: Case) -> None:
    value = subject.value(*tensors(case.source, case.target))
    demand(isinstance(value, torch.Tensor), f"the value is a {type(value).__name__}")
    demand(value.shape == (), f"the value has shape {tuple(value.shape)}")


def _finite(subject: Subject, case: Case) -> None:
    value = value_of(subject, case.source, case.target)
    demand(math.isfinite(value), f"the value is {value}")


def _dtype(subject: Subject, case: Case) -> None:
    for dtype in (torch.float32, torch.float64):
        inputs = tensors(case.source, case.target, dtype=dtype)
        value = subject.value(*inputs)
        demand(value.dtype == dtype, f"{dtype} goes in and {value.dtype} comes out")
        demand(value.device == inputs[0].device, f"the value lies on {value.device}")


def _row_order(subject: Subject, case: Case) -> None:
    first = value_of(subject, case.source, case.target)
    source, target = case.source[case.more["source_order"]], case.target[case.more["target_order"]]
    demand_equal(subject, first, value_of(subject, source, target), case.source, case.target)


def _gradient_reaches(subject: Subject, case: Case) -> None:
    for side, gradient in zip(subject.sides, gradients(subject, case.source, case.target), strict=True):
        demand(bool(gradient.isfinite().all()), f"the gradient on the {side} is not finite")
        # Gradient on logits alone would leave the features where they are.
        reached = bool(features_of(subject, gradient).any())
        demand(reached, f"the gradient on the {side} is exactly 0 although the samples differ")


def _gradient_on_identical(subject: Subject, case: Case) -> None:
    for rows in (case.source, np.repeat(case.source[:1], len(case.source), axis=0)):
        for side, gradient in zip(subject.sides, gradients(subject, rows, rows), strict=True):
            demand(bool(gradient.isfinite().all()), f"the gradient on the {side} is {gradient.tolist()}")


def _no_host_synchronisation(subject: Subject, case: Case) -> None:
    leaves = tensors(case.source, case.target, grad=True)
    with forbid_host_sync():
        value = subject.value(*leaves)
        if value.requires_grad:
            torch.autograd.grad(value, leaves, allow_unused=True)


def _stacked_equals_loop(subject: Subject, case: Case) -> None:
    pairs = list(zip(case.source, case.target, strict=True))
    # The loop comes first: it builds what has to be built, which no method does under torch.vmap.
    singly = [value_of(subject, *pair) for pair in pairs]
    with torch.no_grad():
        stacked = torch.vmap(subject.value)(*tensors(case.source, case.target))
    for one, other, pair in zip(stacked, singly, pairs, strict=True):
        demand_equal(subject, float(one), other, *pair)


def _no_global_randomness(subject: Subject, case: Case) -> None:
    with _odd_generators():
        before = _generators()
        first = value_of(subject, case.source, case.target)
        demand(before == _generators(), "a global generator moved")
        second = value_of(subject, case.source, case.target)
    same = first == second or math.isnan(first)
    demand(same, f"two calls on the same inputs gave {first!r} and {second!r}")


@contextmanager
def _odd_generators() -> Iterator[None]:
    """Put the global generators into a state that no reseeding loss would happen to restore, and back afterwards."""
    kept = random.getstate(), np.random.get_state(legacy=False)
    try:
        with torch.random.fork_rng(devices=[]):
            random.seed(_ODD_SEED)
            np.random.seed(_ODD_SEED)
            torch.default_generator.manual_seed(_ODD_SEED)
            yield
    finally:
        random.setstate(kept[0])
        np.random.set_state(kept[1])


def _generators() -> tuple[object, ...]:
    state = np.random.get_state(legacy=False)
    keys = state["state"]["key"].tobytes(), state["state"]["pos"], state["has_gauss"], state["gauss"]
    return random.getstate(), keys, torch.get_rng_state().numpy().tobytes()


def _inputs_unchanged(subject: Subject, case: Case) -> None:
    inputs = tensors(case.source, case.target)
    with torch.no_grad():
        subject.value(*inputs)
    for side, given, kept in zip(("source", "target"), (case.source, case.target), inputs, strict=True):
        demand(np.array_equal(given, kept.numpy()), f"the {side} was changed in place")


UNIVERSAL: Final = (
    Law(
        "scalar",
        "the value is a 0-d tensor",
        "Reduce over rows and features, and return a tensor.",
        partial(samples, even=True),
        _scalar,
    ),
    Law(
        "finite",
        "the value is finite for all finite inputs of the declared domain",
        "Look for divisions, logarithms and exponentials of what can be 0 or large, or declare a narrower domain.",
        extreme,
        _finite,
    ),
    Law(
        "dtype",
        "float32 gives float32 and float64 gives float64, on the inputs' device",
        "Look for constants of a fixed dtype and for casts.",
        partial(samples, even=True),
        _dtype,
    ),
    Law(
        "no global randomness",
        "no global generator moves, and the same inputs give the same value",
        "Draw from the step's keyed noise, or keep fixed draws in a buffer; never reseed.",
        partial(samples, even=True),
        _no_global_randomness,
    ),
    Law(
        "unequal sizes",
        "source and target may have different numbers of rows",
        "Look for x - y, for a single n in place of n and m, and for matrices that are cut in the middle.",
        unequal,
        _finite,
    ),
    Law(
        "row order",
        "the order of rows within a side does not matter",
        "Look for row i of one side being compared with row i of the other, and for reductions over the wrong axis.",
        permuted,
        _row_order,
        still=True,
    ),
    Law(
        "gradient reaches",
        "each side gets a finite gradient that is not 0 when the samples differ",
        "Look for detach and no_grad, for saturated or constant outputs, and for bandwidths far from the data.",
        apart,
        _gradient_reaches,
    ),
    Law(
        "gradient on identical",
        "the gradient is finite when both sides are the same, or all rows are",
        "Look for the square root, norm or quotient of something that is 0 there.",
        partial(samples, even=True),
        _gradient_on_identical,
    ),
    Law(
        "no host synchronisation",
        "nothing waits for the device: no item, boolean mask, nonzero, unique or Python branch on a value",
        "Keep values in tensors; use torch.where or weights of 0 instead of masks.",
        samples,
        _no_host_synchronisation,
        needs=stays_on_device,
    ),
    Law(
        "stacked equals loop",
        "torch.vmap over stacked samples gives what a loop over them gives",
        "Look for len() and sizes of the wrong axis, in-place writes and operations without a batching rule.",
        partial(samples, stack=(2,)),
        _stacked_equals_loop,
        needs=stays_on_device,
    ),
    Law(
        "inputs unchanged",
        "the inputs are not written to",
        "Look for methods that end in an underscore and for assignments into slices.",
        samples,
        _inputs_unchanged,
    ),
)
