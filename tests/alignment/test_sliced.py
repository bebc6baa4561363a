import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dareps.alignment import MaxSlicedWasserstein, SlicedWasserstein
from dareps.alignment._drawn import fixed_directions
from dareps.errors import ContractError
from dareps.maths.noise import Noise
from dareps.maths.quantiles import transport_along, unit_columns
from dareps.testing import check_alignment
from dareps.types import Shapes, Step, View
from tests.alignment._samples import PROPERTY, gradient, normal, pairs

BOTH = [SlicedWasserstein(), MaxSlicedWasserstein()]
HALF = torch.tensor(0.5, dtype=torch.float64)


def line(x, y):
    """int (F^-1 - G^-1)^2 by repeating the rows of both sides up to a common number."""
    size = math.lcm(len(x), len(y))
    x, y = (np.repeat(np.sort(part), size // len(part)) for part in (x, y))
    return ((x - y) ** 2).mean()


def reference(x, y, directions):
    x, y, directions = (part.numpy() for part in (x, y, directions))
    return [line(x @ direction, y @ direction) for direction in directions.T]


def step(number):
    return Step(HALF, HALF, Noise(torch.zeros((), dtype=torch.int64), torch.full((), number, dtype=torch.int64)))


def views(x, y):
    return [View("a", "source", x), View("b", "target", y)]


@given(sample=pairs(least=1, most=7))
@PROPERTY
def test_every_direction_equals_the_definition(sample):
    x, y = sample
    directions = fixed_directions(x, 5)
    torch.testing.assert_close(directions.square().sum(0), torch.ones(5, dtype=torch.float64))
    expected = reference(x, y, directions)
    assert transport_along(x, y, directions).numpy() == pytest.approx(expected, rel=1e-9, abs=1e-9)
    found = SlicedWasserstein(projections=5)(x, y).item()
    assert found == pytest.approx(np.mean(expected), rel=1e-8, abs=1e-9)


@given(sample=pairs(least=1), shift=st.floats(-9, 9))
@PROPERTY
def test_shift(sample, shift):
    x, _ = sample
    d = x.shape[1]
    by = shift * d**0.5
    assert SlicedWasserstein(projections=4000)(x, x + shift).item() == pytest.approx(by**2 / d, rel=0.06, abs=1e-9)
    assert MaxSlicedWasserstein(steps=20)(x, x + shift).item() == pytest.approx(by**2, rel=1e-6, abs=1e-9)


@given(sample=pairs(least=3, most=5))
@PROPERTY
def test_maximum_lies_between_its_starts_and_the_distance_of_the_rows(sample):
    from scipy.optimize import linear_sum_assignment

    x, y = (part[:3] for part in sample)
    cost = ((x[:, None] - y[None]) ** 2).sum(-1).numpy()
    most = cost[linear_sum_assignment(cost)].mean()
    found = MaxSlicedWasserstein()(x, y).item()
    assert found <= most * (1 + 1e-9) + 1e-9
    assert found >= max(reference(x, y, fixed_directions(x, 8))) * (1 - 1e-9) - 1e-9


def test_search_finds_the_direction_that_a_fine_grid_finds():
    x, y = normal(9, 2, 1), normal(7, 2, 2) * 2 + 0.3
    angles = torch.linspace(0, math.pi, 2000, dtype=torch.float64)
    best = transport_along(x, y, torch.stack((angles.cos(), angles.sin()))).max().item()
    assert MaxSlicedWasserstein(steps=20)(x, y).item() == pytest.approx(best, rel=1e-2)


@pytest.mark.parametrize("loss", BOTH, ids=str)
def test_one_feature_is_the_distance_on_a_line(loss):
    x, y = normal(9, 1, 3), normal(6, 1, 4) + 1
    assert loss(x, y).item() == pytest.approx(line(x[:, 0].numpy(), y[:, 0].numpy()), rel=1e-9)


@pytest.mark.parametrize("loss", BOTH, ids=str)
def test_steps_draw_directions_of_their_own_and_calls_do_not(loss):
    x, y = normal(6, 4, 5), normal(5, 4, 6) + 0.3
    module = loss.build(Shapes(4, 2, ("a",), ("b",)))
    first, second, again = (module(views(x, y), HALF, step(number)).item() for number in (1, 2, 1))
    assert first == again
    assert first != second
    assert loss(x, y).item() == loss(x, y).item()
    torch.manual_seed(1)
    assert module(views(x, y), HALF, step(1)).item() == first


def test_built_module_uses_the_mean_over_pairs():
    module = SlicedWasserstein().build(Shapes(2, 2, ("a",), ("b", "c")))
    x, y, z = normal(4, 2, 7), normal(5, 2, 8), normal(3, 2, 9)
    together = module([*views(x, y), View("c", "target", z)], HALF, step(0))
    apart = [module(views(x, part), HALF, step(0)) for part in (y, z)]
    torch.testing.assert_close(together, sum(apart) / 2)


@pytest.mark.parametrize("loss", BOTH, ids=str)
@pytest.mark.parametrize("m", [5, 8])
def test_gradient_is_that_of_the_value(loss, m):
    x, y = normal(5, 3, 10).requires_grad_(), (normal(m, 3, 11) + 1).requires_grad_()
    directions = fixed_directions(x, 8)
    if isinstance(loss, SlicedWasserstein):
        assert torch.autograd.gradcheck(lambda x, y: loss.along(x, y, directions), (x, y))
    else:
        _, slopes = gradient(loss, x, y)
        assert all(part.isfinite().all() and part.any() for part in slopes)
        assert torch.autograd.gradcheck(lambda x, y: MaxSlicedWasserstein(steps=0)(x, y), (x, y))


@pytest.mark.parametrize("loss", BOTH, ids=str)
def test_stacked_modules_draw_by_seed_as_if_alone(loss):
    x, y = torch.stack((normal(6, 3, 12), normal(6, 3, 13))), torch.stack((normal(4, 3, 14), normal(4, 3, 15)))
    module = loss.build(Shapes(3, 2, ("a",), ("b",)))

    def value(x, y, seed):
        noise = Noise(seed, torch.zeros((), dtype=torch.int64))
        return module(views(x, y), HALF, Step(HALF, HALF, noise))

    seeds = torch.arange(2)
    slopes = torch.vmap(torch.func.grad(value))(x, y, seeds)
    for i in range(2):
        torch.testing.assert_close(slopes[i], torch.func.grad(value)(x[i], y[i], seeds[i]))


def test_zero_vectors_have_no_direction_and_no_nan():
    vectors = torch.tensor([[0.0, 1e-25], [0.0, 0.0]])
    assert unit_columns(vectors).tolist() == [[0.0, 1.0], [0.0, 0.0]]


@pytest.mark.parametrize("loss", BOTH, ids=str)
@pytest.mark.parametrize("scale", [0.0, 1e-20, 1e6])
def test_identical_collapsed_and_huge_rows(loss, scale):
    x = normal(4, 3, 16).float() * scale
    for pair in ((x, x.clone()), (x[:1], x), (x * 0, x)):
        value, gradients = gradient(loss, *pair)
        assert value.isfinite()
        assert all(part.isfinite().all() for part in gradients)


@pytest.mark.parametrize("loss", BOTH, ids=str)
def test_narrow_types_and_bad_input(loss):
    x, y = normal(16, 4, 17).bfloat16(), (normal(12, 4, 18) + 1).bfloat16()
    assert loss(x, y).dtype == torch.bfloat16
    assert loss(x, y).item() == pytest.approx(loss(x.float(), y.float()).item(), rel=1e-2)
    assert loss(normal(3, 2, 1) * math.nan, normal(3, 2, 2)).isnan()
    for bad, what in ((x[:0], "at least 1"), (x[:, :3], "differ in width"), (x.long(), "floating point")):
        with pytest.raises(ContractError, match=what):
            loss(bad, y)
    with pytest.raises(ValidationError):
        type(loss)(projections=0)


def test_other_settings_keep_the_laws():
    check_alignment(SlicedWasserstein(projections=3), max_examples=10)
    check_alignment(MaxSlicedWasserstein(projections=2, steps=3), max_examples=10)
