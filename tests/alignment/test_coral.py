import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dareps.alignment import CORAL
from dareps.errors import ContractError
from tests.alignment._samples import PROPERTY, gradient, largest_tensor, normal, pairs


def reference(x, y):
    gap = np.atleast_2d(np.cov(x.numpy().T)) - np.atleast_2d(np.cov(y.numpy().T))
    return (gap**2).sum() / (4 * x.shape[1] ** 2)


def axes(variances):
    """Rows on the axes whose covariance over n - 1 is exactly diagonal."""
    n = 2 * len(variances)
    arms = torch.diag(torch.tensor(variances, dtype=torch.float64).mul((n - 1) / 2).sqrt())
    return torch.cat((arms, -arms))


variances = st.lists(st.tuples(st.floats(0, 50), st.floats(0, 50)), min_size=1, max_size=4)


@given(variances=variances, shift=st.floats(-50, 50))
@PROPERTY
def test_diagonal_covariances(variances, shift):
    a, b = zip(*variances, strict=True)
    expected = sum((p - q) ** 2 for p, q in variances) / (4 * len(variances) ** 2)
    assert CORAL()(axes(a), axes(b) + shift).item() == pytest.approx(expected, rel=1e-8, abs=1e-9)


@given(sample=pairs())
@PROPERTY
def test_equals_the_definition_on_either_side_of_the_switch(sample):
    x, y = sample
    wide = [torch.cat([rows, rows.flip(1) / 2, rows**2 / 10, rows * 0 + 1], 1) for rows in sample]
    assert CORAL()(x, y).item() == pytest.approx(reference(x, y), rel=1e-9, abs=1e-9)
    assert CORAL()(*wide).item() == pytest.approx(reference(*wide), rel=1e-9, abs=1e-9)


def test_more_features_than_rows_need_no_covariance_matrix():
    x, y = normal(8, 300, 1), normal(6, 300, 2) * 2
    largest, _ = largest_tensor(CORAL(), x, y)
    assert largest <= 8 * 300
    assert CORAL()(x, y).item() == pytest.approx(reference(x, y), rel=1e-10)


@pytest.mark.parametrize("d", [3, 12])
def test_gradient_is_that_of_the_value(d):
    x, y = normal(6, d, 3).requires_grad_(), (normal(5, d, 4) * 2).requires_grad_()
    assert torch.autograd.gradcheck(CORAL(), (x, y))
    assert torch.autograd.gradgradcheck(CORAL(), (x, y))


def test_mean_over_gaussian_samples():
    n, m, d = 12, 20, 3
    spread = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
    c1, c2 = torch.diag(spread**2), torch.eye(d, dtype=torch.float64)
    noise = sum((torch.trace(c @ c) + torch.trace(c) ** 2) / (size - 1) for c, size in ((c1, n), (c2, m)))
    expected = ((c1 - c2).square().sum() + noise).item() / (4 * d**2)
    values = [CORAL()(normal(n, d, 2 * k) * spread, normal(m, d, 2 * k + 1)).item() for k in range(2000)]
    assert abs(np.mean(values) - expected) < 5 * np.std(values) / len(values) ** 0.5


def test_value_does_not_grow_with_the_number_of_rows():
    values = [CORAL()(normal(n, 4, n), normal(n, 4, n + 1)).item() for n in (32, 128, 512, 2048)]
    assert values[0] > values[-1]
    assert max(values) < 0.1


@pytest.mark.parametrize("d", [4, 40])
def test_narrow_types(d):
    x, y = normal(16, d, 5).bfloat16(), (normal(12, d, 6) * 2).bfloat16()
    value, gradients = gradient(CORAL(), x, y)
    wide = CORAL()(x.double(), y.double()).item()
    assert value.dtype == torch.bfloat16
    assert value.item() == pytest.approx(wide, rel=1e-2)
    assert CORAL()(x.float(), y.float()).item() == pytest.approx(wide, rel=1e-4)
    assert all(part.dtype == torch.bfloat16 and part.any() for part in gradients)
    with torch.autocast("cpu", torch.bfloat16):
        assert CORAL()(x.float(), y.float()).item() == pytest.approx(wide, rel=1e-4)


def test_bad_input():
    with pytest.raises(ContractError, match="at least 2"):
        CORAL()(torch.zeros(1, 3), torch.zeros(4, 3))
    x = normal(4, 2, 7)
    x[0, 0] = math.nan
    assert CORAL()(x, normal(4, 2, 8)).isnan()
