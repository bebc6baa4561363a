"""Inputs shared by the tests of the losses."""

from typing import ClassVar

import numpy as np
import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

PROPERTY = settings(max_examples=30, deadline=None, derandomize=True, database=None)


@st.composite
def pairs(draw, low=-10.0, high=10.0, least=2, most=5):
    """Two samples with different numbers of rows, as float64 tensors."""
    d = draw(st.integers(1, 3))
    values = st.floats(low, high, allow_subnormal=False)
    shapes = [(draw(st.integers(least, most)), d) for _ in range(2)]
    return tuple(torch.tensor(draw(arrays(np.float64, shape, elements=values))) for shape in shapes)


def normal(n, d, key, dtype=torch.float64):
    """Fixed standard normal rows."""
    rows = np.random.Generator(np.random.Philox(key=key)).standard_normal((n, d))
    return torch.tensor(rows, dtype=dtype)


def gradient(loss, *inputs):
    """The value and the gradient on every input."""
    leaves = [x.clone().requires_grad_() for x in inputs]
    value = loss(*leaves)
    return value, torch.autograd.grad(value, leaves)


def largest_tensor(loss, *inputs):
    """The most elements that any tensor has which forward or backward makes."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Watch(TorchDispatchMode):
        largest = 0
        calls: ClassVar[list[str]] = []

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            Watch.calls.append(func.overloadpacket.__name__)
            if isinstance(out, torch.Tensor):
                Watch.largest = max(Watch.largest, out.numel())
            return out

    with Watch():
        gradient(loss, *inputs)
    return Watch.largest, Watch.calls
