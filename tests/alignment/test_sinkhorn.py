import math

import numpy as np
import ot
import pytest
import torch
from geomloss import SamplesLoss
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dareps.alignment import MeanDifference, SinkhornDivergence
from dareps.errors import ContractError
from dareps.maths.transport import sinkhorn_divergence
from dareps.testing import check_alignment
from tests.alignment._samples import PROPERTY, gradient, normal, pairs


def costs(x, y):
    return ((x[:, None] - y[None]) ** 2).sum(-1)


def soft_minimum(values, eps, axis):
    least = values.min(axis, keepdims=True)
    return (least - eps * np.log(np.exp((least - values) / eps).mean(axis, keepdims=True))).squeeze(axis)


def entropic(x, y, eps):
    """<P, C> + eps KL(P | uniform) of the plan that alternating updates settle on."""
    cost, g = costs(x, y), np.zeros(len(y))
    for _ in range(5000):
        f = soft_minimum(cost - g, eps, 1)
        before, g = g, soft_minimum(cost - f[:, None], eps, 0)
        if np.abs(g - before).max() <= 1e-9 * eps + 1e-14 * cost.max():
            break
    else:
        reject()  # Clusters far apart settle too slowly for a reference.
    plan = np.exp((f[:, None] + g - cost) / eps) / cost.size
    return (plan * (f[:, None] + g)).sum()


def reference(x, y, eps):
    x, y = x.numpy(), y.numpy()
    return entropic(x, y, eps) - entropic(x, x, eps) / 2 - entropic(y, y, eps) / 2


def gaussian(m1, s1, m2, s2, eps):
    """Entropic transport between normal distributions on a line (Janati et al. 2020), eps = 2 s^2."""
    a, b, s = s1**2, s2**2, (eps / 2) ** 0.5
    root = (4 * a * b + s**4) ** 0.5
    return (m1 - m2) ** 2 + a + b - root + s**2 * (1 - math.log(2 * s**2)) + s**2 * math.log(root + s**2)


@given(sample=pairs(low=-3.0, high=3.0, least=1, most=4), fraction=st.sampled_from([0.5, 2.0]))
@settings(PROPERTY, max_examples=12)
def test_equals_the_definition(sample, fraction):
    x, y = sample
    eps = float(max(costs(x, y).mean(), 1e-3)) * fraction
    found = SinkhornDivergence(epsilon=eps, relative=False, iterations=200)(x, y).item()
    assert found == pytest.approx(reference(x, y, eps), rel=1e-5, abs=1e-5 * eps)


@given(sample=pairs(least=1, most=4), fraction=st.sampled_from([0.05, 0.3]), iterations=st.sampled_from([20, 50]))
@settings(PROPERTY, max_examples=20)
def test_never_below_zero_nor_above_the_converged_value(sample, fraction, iterations):
    x, y = sample
    eps = fraction * float(costs(x, y).mean())
    found = SinkhornDivergence(epsilon=fraction, iterations=iterations)(x, y).item()
    assert found >= -1e-9 * eps
    if eps > 1e-6:
        assert found <= reference(x, y, eps) + 1e-4 * eps


def test_potentials_that_are_far_from_converged_never_make_it_negative():
    x, y = (torch.tensor([side], dtype=torch.float64).T for side in ((0.0, 1.0, 2.0), (0.0, 1.0, 2.1)))
    pooled = torch.cat((x, y))
    epsilon = torch.tensor(0.5, dtype=torch.float64)
    assert sinkhorn_divergence(costs(pooled, pooled), 3, epsilon, iterations=1).item() >= 0


def test_gaussians():
    from scipy.stats import norm

    z = torch.tensor(norm.ppf((np.arange(400) + 0.5) / 400))[:, None]
    m1, s1, m2, s2, eps = 0.0, 1.0, 1.5, 0.5, 1.0
    cross, one, two = (gaussian(*pair, eps) for pair in ((m1, s1, m2, s2), (m1, s1, m1, s1), (m2, s2, m2, s2)))
    found = SinkhornDivergence(epsilon=eps, relative=False)(z * s1 + m1, z * s2 + m2)
    assert found.item() == pytest.approx(cross - (one + two) / 2, rel=2e-3)


@given(sample=pairs(low=-3.0, high=3.0, least=1))
@settings(PROPERTY, max_examples=10)
def test_much_regularisation_leaves_the_mean_difference(sample):
    found = SinkhornDivergence(epsilon=1e6, relative=False)(*sample).item()
    assert found == pytest.approx(MeanDifference()(*sample).item(), rel=1e-3, abs=2e-3)


def test_little_regularisation_gives_the_wasserstein_distance():
    from scipy.optimize import linear_sum_assignment

    x, y = normal(6, 2, 1), normal(6, 2, 2) + 2
    cost = costs(x, y).numpy()
    expected = cost[linear_sum_assignment(cost)].mean()
    assert SinkhornDivergence(epsilon=1e-3, iterations=2000)(x, y).item() == pytest.approx(expected, rel=1e-3)


@given(shift=st.floats(-50, 50), fraction=st.sampled_from([0.05, 1.0]))
@PROPERTY
def test_points_and_shifted_rows(shift, fraction):
    loss = SinkhornDivergence(epsilon=fraction)
    point = torch.zeros(3, 2, dtype=torch.float64)
    assert loss(point, point[:2] + shift).item() == pytest.approx(2 * shift**2, rel=1e-9, abs=1e-9)


def test_agrees_with_the_plans_of_pot():
    # Its own divergence leaves the entropy out of the value, so the value is made of its plans.
    def value(a, b):
        cost = costs(a, b)
        plan = ot.sinkhorn([], [], cost, reg=2.0, stopThr=1e-12)
        return (plan * cost).sum() + 2.0 * (plan * np.log(plan * plan.size)).sum()

    x, y = normal(6, 2, 3).numpy(), normal(5, 2, 4).numpy() + 1
    expected = value(x, y) - (value(x, x) + value(y, y)) / 2
    loss = SinkhornDivergence(epsilon=2.0, relative=False, iterations=200)
    assert loss(torch.tensor(x), torch.tensor(y)).item() == pytest.approx(expected, rel=1e-6)


def test_agrees_with_geomloss():
    # Its cost is |x - y|^2 / 2 and its regularisation the square of `blur`.
    x, y = normal(6, 2, 3).float(), normal(5, 2, 4).float() + 1
    expected = 2 * SamplesLoss("sinkhorn", p=2, blur=1.0, scaling=0.99, backend="tensorized")(x, y)
    found = SinkhornDivergence(epsilon=2.0, relative=False, iterations=200)(x, y)
    assert found.item() == pytest.approx(expected.item(), rel=1e-4)


def test_gradient_is_that_of_the_converged_value():
    x, y = normal(5, 2, 5).requires_grad_(), (normal(4, 2, 6) + 1).requires_grad_()
    loss = SinkhornDivergence(epsilon=2.0, relative=False, iterations=200)
    assert torch.autograd.gradcheck(loss, (x, y), atol=1e-5)


def test_second_derivatives_are_refused():
    x = normal(5, 2, 7).requires_grad_()
    (slope,) = torch.autograd.grad(SinkhornDivergence()(x, normal(4, 2, 8)), x, create_graph=True)
    with pytest.raises(ContractError, match="second derivative"):
        slope.sum().backward()


@pytest.mark.parametrize("value", [0.0, 1e-20, 3.0, 1e6])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_collapsed_and_identical_rows(value, dtype):
    for x in (torch.full((4, 3), value, dtype=dtype), normal(4, 3, 9, dtype) * value):
        found, gradients = gradient(SinkhornDivergence(), x, x.clone())
        assert abs(found.item()) <= 1e-5 * value**2
        assert all(part.isfinite().all() for part in gradients)


def test_narrow_types_bad_input_and_laws():
    x, y = normal(16, 4, 10).bfloat16(), (normal(12, 4, 11) + 1).bfloat16()
    assert SinkhornDivergence()(x, y).item() == pytest.approx(SinkhornDivergence()(x.double(), y.double()).item(), 1e-2)
    assert SinkhornDivergence()(normal(3, 2, 1) * math.nan, normal(3, 2, 2)).isnan()
    for bad, what in ((x[:0], "at least 1"), (x[:, :3], "differ in width"), (x.long(), "floating point")):
        with pytest.raises(ContractError, match=what):
            SinkhornDivergence()(bad, y)
    for settings_ in ({"epsilon": 0.0}, {"iterations": 1}):
        with pytest.raises(ValidationError):
            SinkhornDivergence(**settings_)
    check_alignment(SinkhornDivergence(epsilon=0.5, iterations=30), max_examples=5)
    check_alignment(SinkhornDivergence(epsilon=100.0, relative=False, iterations=30), max_examples=5)
