import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.linalg import logm

from dareps.alignment import CORAL
from dareps.errors import ContractError
from dareps.maths.covariances import log_distance
from dareps.testing import check_alignment
from tests.alignment._samples import PROPERTY, gradient, normal, pairs
from tests.alignment.test_coral import axes

LOG = CORAL(metric="log_euclidean")


def reference(x, y, ridge=1e-3):
    d = x.shape[1]
    a, b = (np.atleast_2d(np.cov(part.numpy().T)) for part in (x, y))
    floor = ridge * (np.trace(a) + np.trace(b)) / (2 * d) * np.eye(d)
    return (np.abs(logm(a + floor) - logm(b + floor)) ** 2).sum() / (4 * d**2)


@given(key=st.integers(0, 40), d=st.integers(1, 4), ridge=st.floats(1e-3, 1.0))
@PROPERTY
def test_equals_the_definition(key, d, ridge):
    x, y = normal(7, d, key) * 3, normal(5, d, key + 100)
    found = CORAL(metric="log_euclidean", ridge=ridge)(x, y).item()
    assert found == pytest.approx(reference(x, y, ridge), rel=1e-8, abs=1e-10)


@given(variances=st.lists(st.tuples(st.floats(0.1, 50), st.floats(0.1, 50)), min_size=1, max_size=4))
@PROPERTY
def test_diagonal_covariances(variances):
    a, b = (np.array(side) for side in zip(*variances, strict=True))
    floor = 1e-3 * (a.mean() + b.mean()) / 2
    expected = (np.log((a + floor) / (b + floor)) ** 2).sum() / (4 * len(a) ** 2)
    assert LOG(axes(a), axes(b)).item() == pytest.approx(expected, rel=1e-8, abs=1e-10)


@given(sample=pairs(), factor=st.sampled_from([0.25, 8.0]))
@PROPERTY
def test_scale_of_both_sides_does_not_matter(sample, factor):
    x, y = sample
    assert LOG(x * factor, y * factor).item() == pytest.approx(LOG(x, y).item(), rel=1e-7, abs=1e-9)


@pytest.mark.parametrize("d", [1, 3, 9])
def test_gradient_is_that_of_the_value(d):
    x, y = normal(6, d, 3).requires_grad_(), (normal(5, d, 4) * 2).requires_grad_()
    assert torch.autograd.gradcheck(LOG, (x, y), atol=1e-4)


@pytest.mark.parametrize("a", [torch.eye(3), torch.diag(torch.tensor([1.0, 1.0, 2.0]))])
def test_gradient_at_repeated_eigenvalues(a):
    a, b = a.double().requires_grad_(), (normal(3, 3, 5) / 4 + 2 * torch.eye(3)).requires_grad_()

    def loss(a, b):
        return log_distance((a + a.T) / 2, (b + b.T) / 2)

    assert torch.autograd.gradcheck(loss, (a, b))


def test_second_derivatives_are_refused():
    x = normal(6, 3, 6).requires_grad_()
    (slope,) = torch.autograd.grad(LOG(x, normal(5, 3, 7)), x, create_graph=True)
    with pytest.raises(ContractError, match="second derivative"):
        slope.sum().backward()


@pytest.mark.parametrize("scale", [0.0, 1e-15, 1e15])
def test_flat_tiny_and_huge_rows(scale):
    x, y = normal(6, 4, 8) * scale, normal(5, 4, 9) * scale
    for pair in ((x, y), (x * 0 + 3, y), (x, x.clone())):
        value, gradients = gradient(LOG, *pair)
        assert value.isfinite()
        assert all(part.isfinite().all() for part in gradients)


def test_stacked_gradients_are_those_of_a_loop():
    x, y = (torch.stack((normal(6, 3, k), normal(6, 3, k + 1) * 2)) for k in (10, 20))
    slopes = torch.vmap(torch.func.grad(LOG))(x, y)
    for i in range(2):
        torch.testing.assert_close(slopes[i], torch.func.grad(LOG)(x[i], y[i]))


def test_only_this_metric_waits_for_the_device():
    assert LOG.host
    assert not CORAL().host


def test_narrow_types_laws_and_bad_input():
    x, y = normal(16, 4, 11).bfloat16(), (normal(12, 4, 12) * 2).bfloat16()
    assert LOG(x, y).item() == pytest.approx(LOG(x.double(), y.double()).item(), rel=1e-2)
    check_alignment(LOG, max_examples=10)
    check_alignment(CORAL(metric="log_euclidean", ridge=0.1), max_examples=10)
    assert LOG(normal(4, 2, 13).fill_(float("nan")), normal(4, 2, 14)).isnan()
    with pytest.raises(ContractError, match="at least 2"):
        LOG(x[:1], y)
    for bad in ({"metric": "riemann"}, {"ridge": 0.0}):
        with pytest.raises(ValidationError):
            CORAL(**bad)
