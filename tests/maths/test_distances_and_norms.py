import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dareps.maths.kernels import gaussian_sum, mean_bandwidth, median_bandwidth, pooled_rows, squared_distances
from dareps.maths.moments import moments
from dareps.maths.norms import safe_norm
from dareps.maths.precision import widened

PROPERTY = settings(max_examples=40, deadline=None, derandomize=True, database=None)


def tables(high=100.0, least=2):
    elements = st.floats(-high, high, allow_subnormal=False)
    return arrays(np.float64, st.tuples(st.integers(least, 6), st.integers(1, 4)), elements=elements).map(torch.tensor)


@given(rows=tables(), offset=st.floats(-1e6, 1e6))
@PROPERTY
def test_distances_survive_an_offset(rows, offset):
    centred = pooled_rows(rows[:1] + offset, rows[1:] + offset)
    expected = torch.cdist(rows + offset, rows + offset, compute_mode="donot_use_mm_for_euclid_dist") ** 2
    found = squared_distances(centred)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-13 * expected.max().item() + 1e-300)
    assert (found >= 0).all()


@given(rows=tables())
@PROPERTY
def test_bandwidths_are_the_mean_and_the_lower_median_over_pairs(rows):
    centred = pooled_rows(rows[:1], rows[1:])
    gaps = torch.pdist(rows) ** 2
    assert mean_bandwidth(centred).item() == pytest.approx(gaps.mean().item(), rel=1e-9, abs=1e-300)
    median = gaps.median().item()
    found = median_bandwidth(squared_distances(centred)).item()
    assert found == pytest.approx(median, rel=1e-6, abs=1e-12 * gaps.max().item() + 1e-300)


@given(distances=tables(), bandwidth=st.floats(0.5, 1e3))
@PROPERTY
def test_repeated_squaring_is_the_sum_of_five_gaussians(distances, bandwidth):
    distances = distances.abs()
    expected = sum((-distances / (2.0**i * bandwidth)).exp() for i in range(-2, 3))
    torch.testing.assert_close(gaussian_sum(distances, bandwidth), expected, rtol=1e-12, atol=1e-15)
    as_tensor = gaussian_sum(distances, torch.tensor(bandwidth, dtype=torch.float64))
    torch.testing.assert_close(as_tensor, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("bandwidth", [0.0, 1e-310])
def test_vanishing_bandwidth_is_a_constant_kernel(bandwidth):
    distances = torch.tensor([0.0, 1e-320, 5.0], dtype=torch.float64, requires_grad=True)
    kernel = gaussian_sum(distances, torch.tensor(bandwidth, dtype=torch.float64))
    assert kernel.tolist() == [5.0] * 3
    (slope,) = torch.autograd.grad(kernel.sum(), distances)
    assert not slope.any()


@given(vectors=tables(high=1e150, least=1))
@PROPERTY
def test_norm_is_that_of_numpy_without_overflow(vectors):
    np.testing.assert_allclose(safe_norm(vectors), [math.hypot(*row) for row in vectors.tolist()], rtol=1e-12)


def test_norm_has_gradient_zero_at_zero_and_the_unit_vector_elsewhere():
    vectors = torch.tensor([[0.0, 0.0], [3e200, 4e200], [3e-200, -4e-200]], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(safe_norm(vectors).sum(), vectors)
    expected = torch.tensor([[0, 0], [0.6, 0.8], [0.6, -0.8]], dtype=torch.float64)
    torch.testing.assert_close(slope, expected)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_norm_shows_bad_numbers(bad):
    assert not safe_norm(torch.tensor([[1.0, bad]])).isfinite().any()


@given(rows=tables(high=3.0), order=st.integers(1, 6))
@PROPERTY
def test_moments(rows, order):
    found = moments(rows, order)
    assert len(found) == order
    torch.testing.assert_close(found[0], rows.mean(0))
    for k, moment in enumerate(found[1:], start=2):
        torch.testing.assert_close(moment, ((rows - rows.mean(0)) ** k).mean(0), rtol=1e-9, atol=1e-12)


def test_widened_computes_wide_and_returns_narrow():
    def total(x):
        assert x.dtype == torch.float32
        assert not torch.is_autocast_enabled("cpu")
        return (x @ x.T).sum()

    x = torch.full((300, 1), 0.01)
    assert widened(total, x.bfloat16()).dtype == torch.bfloat16
    with torch.autocast("cpu", torch.bfloat16):
        assert widened(total, x).dtype == torch.float32
        assert torch.is_autocast_enabled("cpu")
    assert widened(lambda x: x.sum(), x.double()).dtype == torch.float64
