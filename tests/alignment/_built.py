"""What the tests of learned losses call built modules with."""

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dareps.maths.noise import Noise
from dareps.testing._gates import forbid_host_copies, forbid_host_sync
from dareps.types import ORDINARY, Shapes, Step, SubStep, View
from tests.alignment._samples import normal

ONE = torch.ones((), dtype=torch.float64)
TWO_DOMAINS = Shapes(3, 4, ("d0",), ("d1",))


def step_of(name="", number=0):
    """A step half way, in the sub-step of that name."""
    half, zero = ONE / 2, torch.zeros((), dtype=torch.int64)
    return Step(half, half, Noise(zero, zero + number), sub=SubStep(name) if name else ORDINARY)


STEP = step_of()


def shapes_of(sources, targets, features=3, classes=4):
    """Domains d0, d1, ... of which the first are sources."""
    names = [f"d{i}" for i in range(sources + targets)]
    return Shapes(features, classes, tuple(names[:sources]), tuple(names[sources:]))


def filled(module):
    """The module in float64 with fixed normal parameters."""
    for key, parameter in enumerate(module.double().parameters()):
        parameter.data = normal(parameter.numel(), 1, key).view(parameter.shape)
    return module


def views_of(*pairs, sources=1, labels=True):
    """(features, logits) per domain as streams; sources are labelled by a pattern of classes."""
    found = []
    for i, (x, z) in enumerate(pairs):
        role = "source" if i < sources else "target"
        y = torch.arange(len(x)) * 7 % z.shape[1] if labels and role == "source" else None
        found.append(View(f"d{i}", role, x, z, y))
    return found


def seen(*sizes, sources=1, features=3, classes=4):
    """Streams of fixed normal rows: the features, the logits, the views."""
    rows = [normal(n, features, 50 + i).requires_grad_() for i, n in enumerate(sizes)]
    logits = [normal(n, classes, 80 + i).requires_grad_() for i, n in enumerate(sizes)]
    return rows, logits, views_of(*zip(rows, logits, strict=True), sources=sources)


@st.composite
def drawn(draw, domains=2, features=3, classes=4, high=5.0):
    """(features, logits) of a few rows per domain."""
    values = st.floats(-high, high, allow_subnormal=False)

    def block(rows, width):
        return torch.tensor(draw(arrays(np.float64, (rows, width), elements=values)))

    sizes = [draw(st.integers(1, 4)) for _ in range(domains)]
    return [(block(rows, features), block(rows, classes)) for rows in sizes]


def can_be_captured(module, views, *steps):
    """Every one of the steps runs forward and backward without a wait or a copy from the host."""
    for step in steps:
        with forbid_host_sync(), forbid_host_copies():
            module(views, ONE, step).backward()
    return True
