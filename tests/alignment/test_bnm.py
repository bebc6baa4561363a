import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dareps.alignment import BatchNuclearNorm
from dareps.errors import ContractError
from dareps.maths.spectral import nuclear_norm, polar_factor
from tests.alignment._samples import PROPERTY, gradient, largest_tensor, normal
from tests.alignment._steps import fits_into_a_step


@st.composite
def matrices(draw, high=20.0, rows=6, columns=5):
    shape = draw(st.tuples(st.integers(1, rows), st.integers(1, columns)))
    return torch.tensor(draw(arrays(np.float64, shape, elements=st.floats(-high, high, allow_subnormal=False))))


def certain(labels, classes):
    return 500 * torch.nn.functional.one_hot(torch.tensor(labels), classes).double()


@given(z=matrices())
@PROPERTY
def test_equals_the_singular_value_decomposition(z):
    expected = -np.linalg.svd(z.softmax(1).numpy(), compute_uv=False).sum() / len(z)
    assert BatchNuclearNorm()(z).item() == pytest.approx(expected, rel=1e-10)


@given(z=matrices(high=300.0))
@PROPERTY
def test_stays_between_uniformity_and_balanced_certainty(z):
    m, c = z.shape
    low, high = math.sqrt(m / c) / m, math.sqrt(m * min(m, c)) / m
    assert low * (1 - 1e-12) <= -BatchNuclearNorm()(z).item() <= high * (1 + 1e-12)


@given(rows=st.integers(1, 6), classes=st.integers(1, 6), level=st.floats(-100, 100))
@PROPERTY
def test_uniform_predictions(rows, classes, level):
    found = BatchNuclearNorm()(torch.full((rows, classes), level, dtype=torch.float64))
    assert found.item() == pytest.approx(-math.sqrt(rows / classes) / rows, rel=1e-12)


@given(classes=st.integers(1, 5), each=st.integers(1, 4))
@PROPERTY
def test_certain_and_balanced_predictions(classes, each):
    found = BatchNuclearNorm()(certain([*range(classes)] * each, classes))
    assert found.item() == pytest.approx(-math.sqrt(classes * each * classes) / (classes * each), rel=1e-12)


@given(counts=st.lists(st.integers(0, 5), min_size=2, max_size=5).filter(any))
@PROPERTY
def test_certain_predictions_count_by_the_roots_of_class_sizes(counts):
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    expected = -sum(map(math.sqrt, counts)) / len(labels)
    assert BatchNuclearNorm()(certain(labels, len(counts))).item() == pytest.approx(expected, rel=1e-12)


@given(z=matrices(), data=st.data())
@PROPERTY
def test_names_of_classes_and_a_constant_per_row_do_not_matter(z, data):
    order = data.draw(st.permutations(range(z.shape[1])))
    moved = z[:, order] + torch.arange(len(z), dtype=z.dtype)[:, None]
    torch.testing.assert_close(BatchNuclearNorm()(moved), BatchNuclearNorm()(z), rtol=1e-9, atol=1e-12)


@given(x=matrices(high=100.0))
@PROPERTY
def test_nuclear_norm_of_any_matrix_of_any_rank(x):
    value, (slope,) = gradient(nuclear_norm, x)
    expected = np.linalg.svd(x.numpy(), compute_uv=False)
    assert value.item() == pytest.approx(expected.sum(), rel=1e-10, abs=1e-300)
    # A subgradient G of the norm has |G|_2 <= 1 and <G, X> = |X|_*.
    assert np.linalg.norm(slope.numpy(), 2) <= 1 + 1e-12
    assert (slope * x).sum().item() == pytest.approx(expected.sum(), rel=1e-10, abs=1e-300)


@given(x=matrices(high=1.0, rows=3, columns=3), factor=st.sampled_from((1e-200, 1e-20, 1e20, 1e100)))
@PROPERTY
def test_nuclear_norm_has_degree_one(x, factor):
    torch.testing.assert_close(nuclear_norm(factor * x), factor * nuclear_norm(x), rtol=1e-9, atol=1e-290)


@pytest.mark.parametrize("shape", [(7, 4), (4, 7), (5, 5)])
def test_gradient_is_the_polar_factor(shape):
    x = normal(*shape, 1)
    u, _, v = torch.linalg.svd(x, full_matrices=False)
    torch.testing.assert_close(gradient(nuclear_norm, x)[1][0], u @ v, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(polar_factor(x.float()).double(), u @ v, rtol=1e-4, atol=1e-5)


def test_repeated_and_zero_singular_values_have_finite_gradients_of_least_size():
    identity = torch.eye(3, dtype=torch.float64)
    torch.testing.assert_close(gradient(nuclear_norm, 2 * identity)[1][0], identity)
    rank_one = torch.ones(4, 3, dtype=torch.float64)
    torch.testing.assert_close(gradient(nuclear_norm, rank_one)[1][0], rank_one / math.sqrt(12))
    value, (slope,) = gradient(nuclear_norm, 0 * rank_one)
    assert value == 0
    assert not slope.any()


@pytest.mark.parametrize("shape", [(6, 3), (3, 6)])
def test_gradient_is_that_of_the_value(shape):
    z = normal(*shape, 2).mul(2)
    assert torch.autograd.gradcheck(BatchNuclearNorm(), z.clone().requires_grad_())
    fits_into_a_step(BatchNuclearNorm(), z)


def test_second_derivatives_are_refused():
    def squared_slope(z):
        return torch.func.grad(BatchNuclearNorm())(z).square().sum()

    with pytest.raises(ContractError, match="second derivatives"):
        torch.func.grad(squared_slope)(normal(4, 3, 3))


def test_neither_library_decompositions_nor_large_tensors():
    largest, calls = largest_tensor(BatchNuclearNorm(), normal(40, 6, 4))
    assert largest <= 40 * 6
    assert not {call for call in calls if "linalg" in call}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_certainty_at_huge_logits_is_a_stationary_point(dtype):
    value, (slope,) = gradient(BatchNuclearNorm(), torch.tensor([[3e38, -3e38], [-3e38, 3e38]], dtype=dtype))
    assert value.item() == pytest.approx(-1, rel=1e-6)
    assert not slope.any()


def test_narrow_types_and_bad_input():
    z = normal(16, 5, 5) * 2
    loss = BatchNuclearNorm()
    assert loss(z.bfloat16()).dtype == torch.bfloat16
    assert loss(z.bfloat16()).item() == pytest.approx(loss(z.bfloat16().double()).item(), rel=1e-2)
    assert loss(z.float()).item() == pytest.approx(loss(z).item(), rel=1e-5)
    assert loss(z * math.nan).isnan()
    for bad in (z[0], z[:0], z[:, :0], z.long()):
        with pytest.raises(ContractError, match="target"):
            loss(bad)
