"""Places in ascending order, and transport along directions made with its gradient."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dareps.maths._order import ascending
from dareps.maths.quantiles import mean_transport, transport_along
from tests.alignment._samples import PROPERTY, gradient, normal, pairs

values = st.one_of(st.floats(width=32, allow_nan=False), st.sampled_from([0.0, -0.0, 1.0, float("inf")]))


@given(rows=arrays(np.float32, st.tuples(st.integers(1, 3), st.integers(1, 9)), elements=values))
@PROPERTY
def test_order_is_that_of_a_stable_sort(rows):
    rows = torch.tensor(rows)
    kept = rows.clone()
    assert torch.equal(ascending(rows), rows.sort(stable=True).indices)
    assert torch.equal(ascending(rows.double()), rows.sort(stable=True).indices)
    assert torch.equal(rows, kept)


@given(sample=pairs(least=1, most=6), data=st.data())
@PROPERTY
def test_value_and_gradient_are_those_of_the_plain_form(sample, data):
    d = sample[0].shape[1]
    directions = torch.tensor(data.draw(arrays(np.float64, (d, 4), elements=st.floats(-1, 1))))
    found = gradient(lambda x, y: mean_transport(x, y, directions), *sample)
    expected = gradient(lambda x, y: transport_along(x, y, directions).mean(), *sample)
    torch.testing.assert_close(found[0], expected[0], rtol=1e-9, atol=1e-10)
    # Which of equal projections goes where is anyone's choice, but their sum is not.
    for one, other in zip(found[1], expected[1], strict=True):
        torch.testing.assert_close(one.sum(0), other.sum(0), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("sizes", [(40, 40), (40, 25)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradient_row_by_row(sizes, dtype):
    x, y = (normal(n, 5, n + key) for key, n in enumerate(sizes))
    directions = normal(5, 7, 9)
    _, exact = gradient(lambda x, y: transport_along(x, y, directions).mean(), x, y)
    narrow = (side.to(dtype) for side in (x, y))
    _, found = gradient(lambda x, y: mean_transport(x, y, directions.to(dtype)), *narrow)
    for one, other in zip(found, exact, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=1e-4, atol=1e-6)


def test_a_bad_number_stays_visible():
    x = normal(5, 3, 1, torch.float32)
    x[2, 1] = float("nan")
    assert mean_transport(x, x + 1, normal(3, 2, 2, torch.float32)).isnan()
