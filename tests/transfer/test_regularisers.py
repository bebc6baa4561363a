"""What regularisers compute, against closed forms, at their limits and on hard input."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dareps.transfer.regularise._features import row_distance, smallest
from dareps.transfer.regularise._relation import relation, temperature_for
from dareps.transfer.regularise._responses import related_entropy, softened_divergence
from dareps.transfer.regularise._weights import moved
from tests.alignment._samples import PROPERTY, gradient, normal

FINITE = st.floats(-5, 5, allow_subnormal=False)
HARD = {
    "zeros": torch.zeros(4, 3),
    "constant": torch.full((5, 3), 2.0),
    "one row": torch.tensor([[1.0, -2.0, 3.0]]),
    "one feature": torch.tensor([[1.0], [2.0]]),
    "identical rows": torch.tensor([[1.0, 2.0, 3.0]]).repeat(6, 1),
    "identity": torch.eye(4),
    "huge": normal(4, 3, 5, torch.float32) * 1e17,
    "tiny": normal(4, 3, 5, torch.float32) * 1e-17,
}


def matrix(draw, rows=None, columns=None):
    shape = (rows or draw(st.integers(1, 6)), columns or draw(st.integers(1, 6)))
    return torch.tensor(draw(arrays(np.float64, shape, elements=FINITE)))


matrices = st.composite(matrix)


@PROPERTY
@given(matrices(), st.integers(1, 8))
def test_bss_is_the_sum_of_the_smallest_squared_singular_values(f, k):
    squares = np.sort(np.linalg.svd(f.numpy(), compute_uv=False)) ** 2
    found, (slope,) = gradient(lambda x: smallest(x, k), f)
    assert found.item() == pytest.approx(squares[:k].sum(), rel=1e-9, abs=1e-9 * max(squares.max(), 1e-300))
    assert slope.isfinite().all()
    assert (slope * f).sum().item() == pytest.approx(2 * found.item(), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4)])
@pytest.mark.parametrize("k", [1, 2])
def test_the_gradient_of_bss_is_twice_the_smallest_part_of_the_matrix(shape, k):
    f = normal(*shape, key=3)
    u, s, v = torch.linalg.svd(f, full_matrices=False)
    _, (slope,) = gradient(lambda x: smallest(x, k), f)
    torch.testing.assert_close(slope, 2 * (u[:, -k:] * s[-k:]) @ v[-k:])


@PROPERTY
@given(st.data())
def test_bss_does_not_see_rotations_of_features_nor_the_order_of_rows(data):
    f = matrix(data.draw)
    turn = torch.linalg.qr(normal(f.shape[1], f.shape[1], key=9)).Q
    order = torch.tensor(data.draw(st.permutations(range(len(f)))))
    limits = {"rtol": 1e-9, "atol": 1e-9 * (1 + f.square().sum().item())}
    torch.testing.assert_close(smallest(f @ turn, 2), smallest(f, 2), **limits)
    torch.testing.assert_close(smallest(f[order], 2), smallest(f, 2), **limits)
    torch.testing.assert_close(smallest(3 * f, 2), 9 * smallest(f, 2), **limits)


def test_bss_of_doubled_rows_is_twice_as_much_where_rows_are_many():
    f = normal(6, 3, key=2)
    torch.testing.assert_close(smallest(torch.cat([f, f]), 2), 2 * smallest(f, 2))


@pytest.mark.parametrize("name", HARD)
def test_bss_of_repeated_and_vanishing_singular_values_has_a_finite_gradient(name):
    value, (slope,) = gradient(lambda x: smallest(x, 2), HARD[name])
    assert value >= 0
    assert slope.isfinite().all()


def test_bss_of_all_singular_values_is_the_squared_norm():
    f = normal(4, 3, key=1)
    torch.testing.assert_close(smallest(f, 3), f.square().sum())
    torch.testing.assert_close(smallest(f, 99), f.square().sum())
    torch.testing.assert_close(smallest(torch.eye(5), 2), torch.tensor(2.0))


def test_bss_lets_what_is_not_finite_through():
    f = normal(4, 3, key=1)
    f[1, 2] = math.nan
    assert smallest(f, 1).isnan()


@PROPERTY
@given(st.data())
def test_the_feature_distance_is_a_mean_over_rows(data):
    f = matrix(data.draw)
    g = matrix(data.draw, *f.shape)
    value, (slope,) = gradient(lambda x: row_distance([x], [g]), f)
    torch.testing.assert_close(value, (f - g).square().sum(1).mean())
    torch.testing.assert_close(slope, 2 * (f - g) / len(f))
    torch.testing.assert_close(row_distance([torch.cat([f, f])], [torch.cat([g, g])]), value)
    torch.testing.assert_close(row_distance(f.split(1), g.split(1)), value)
    assert row_distance([f], [f]) == 0


def test_the_feature_distance_of_images_sums_over_places():
    f, g = (normal(3, 8, key).view(3, 2, 2, 2) for key in (1, 2))
    torch.testing.assert_close(row_distance([f], [g]), (f - g).square().sum() / 3)


def by_definition(old, new, temperature):
    """T^2 times the mean over rows of sum_c p (log p - log q)."""
    p, q = ((np.exp(z / temperature).T / np.exp(z / temperature).sum(axis=1)).T for z in (old.numpy(), new.numpy()))
    return temperature**2 * (p * np.log(p / q)).sum(axis=1).mean(), p, q


@PROPERTY
@given(st.data(), st.sampled_from([0.5, 1.0, 2.0, 7.0]))
def test_responses_diverge_by_definition(data, temperature):
    old = matrix(data.draw)
    new = matrix(data.draw, *old.shape)
    wanted, p, q = by_definition(old, new, temperature)
    value, (slope,) = gradient(lambda z: softened_divergence(old, z, temperature), new)
    assert value.item() == pytest.approx(wanted, rel=1e-9, abs=1e-12)
    np.testing.assert_allclose(slope.numpy(), temperature * (q - p) / len(old), rtol=1e-9, atol=1e-12)
    assert value.item() >= -1e-12
    assert softened_divergence(old, old, temperature) == 0
    doubled = softened_divergence(torch.cat([old, old]), torch.cat([new, new]), temperature)
    torch.testing.assert_close(doubled, value)
    torch.testing.assert_close(softened_divergence(old + 3, new - 2, temperature), value)


def test_hot_responses_are_compared_by_half_the_variance_of_their_difference():
    """The factor T^2 keeps the size of the loss: without it the limit would be 0."""
    old, new = normal(5, 4, 1), normal(5, 4, 2)
    wanted = (old - new).var(1, unbiased=False).mean() / 2
    torch.testing.assert_close(softened_divergence(old, new, 1e4), wanted, rtol=1e-3, atol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_extreme_responses_stay_finite(dtype):
    old, new = (torch.tensor([[1e4, -1e4, 0.0], [5.0, 5.0, 5.0]], dtype=dtype).roll(turn, 1) for turn in (0, 1))
    value, (slope,) = gradient(lambda z: softened_divergence(old, z, 1.0), new)
    assert value.isfinite()
    assert slope.isfinite().all()
    assert softened_divergence(old[:, :1], new[:, :1], 2.0) == 0


@PROPERTY
@given(st.data())
def test_a_certain_relation_gives_the_cross_entropy(data):
    z = matrix(data.draw)
    y = torch.tensor(data.draw(arrays(np.int64, len(z), elements=st.integers(-1, z.shape[1] - 1))))
    value = related_entropy(z, y, torch.eye(z.shape[1], dtype=z.dtype))
    wanted = torch.nn.functional.cross_entropy(z, y, ignore_index=-1) if (y >= 0).any() else z.new_zeros(())
    torch.testing.assert_close(value, wanted)


def test_the_gradient_of_co_tuning_is_what_is_missing_to_the_relation():
    z, y = normal(4, 3, 1), torch.tensor([0, 1, -1, 1])
    known = normal(2, 3, 2).softmax(1)
    _, (slope,) = gradient(lambda x: related_entropy(x, y, known), z)
    wanted = (z.softmax(1) - known[y.clamp_min(0)]) * (y >= 0).double().unsqueeze(1) / 3
    torch.testing.assert_close(slope, wanted)


def test_rows_without_any_label_count_nothing():
    value, (slope,) = gradient(lambda x: related_entropy(x, torch.full((3,), -1), torch.eye(2)), torch.ones(3, 2))
    assert value == 0
    assert not slope.any()


@PROPERTY
@given(st.data(), st.integers(1, 5))
def test_a_relation_is_a_distribution_for_every_class(data, classes):
    z = matrix(data.draw)
    y = torch.tensor(data.draw(arrays(np.int64, len(z), elements=st.integers(-1, classes - 1))))
    found, p = relation(z, y, classes), z.softmax(1)
    torch.testing.assert_close(found.sum(1), torch.ones(classes, dtype=torch.float64))
    everywhere = p[y >= 0].mean(0) if (y >= 0).any() else torch.full_like(p[0], 1 / p.shape[1])
    for c in range(classes):
        torch.testing.assert_close(found[c], p[y == c].mean(0) if (y == c).any() else everywhere)
    torch.testing.assert_close(relation(torch.cat([z, z]), torch.cat([y, y]), classes), found)


@PROPERTY
@given(st.floats(0.2, 5))
def test_the_temperature_undoes_a_factor_on_the_logits(factor):
    z, y = normal(200, 3, 1), (normal(200, 3, 1) + normal(200, 3, 2)).argmax(1)
    assert temperature_for(factor * z, y) == pytest.approx(factor * temperature_for(z, y), rel=1e-3)


def test_the_temperature_has_ends():
    z = torch.tensor([[3.0, 0.0], [0.0, 3.0]])
    assert 0.01 <= temperature_for(z, torch.tensor([0, 1])) < 0.1
    assert temperature_for(z, torch.tensor([1, 0])) == pytest.approx(100, rel=1e-2)
    assert temperature_for(z, torch.tensor([-1, -1])) == 1.0
    assert temperature_for(z[:0], torch.zeros(0, dtype=torch.int64)) == 1.0


WEIRD = torch.tensor([0.0, -0.0, 1e-40, -1e38, 3e38, 1.0])


def bits(x):
    return x.view(torch.int32)


def test_both_ends_of_a_pull_are_exact_to_the_last_bit():
    home = WEIRD.flip(0)
    assert torch.equal(bits(moved(WEIRD, home, torch.zeros(()))), bits(WEIRD))
    assert torch.equal(bits(moved(WEIRD, home, torch.ones(()))), bits(home))


@PROPERTY
@given(st.data(), st.floats(1e-6, 1e6))
def test_a_pull_minimises_distance_and_penalty_together(data, strength):
    w = matrix(data.draw)
    home = matrix(data.draw, *w.shape)
    share = torch.tensor(strength / (1 + strength), dtype=torch.float64)
    u = moved(w, home, share).requires_grad_()
    ((u - w).square().sum() / 2 + strength * (u - home).square().sum() / 2).backward()
    torch.testing.assert_close(u.grad, torch.zeros_like(w), rtol=0, atol=1e-9 * (1 + strength))


@pytest.mark.parametrize(
    "loss",
    [
        lambda x: smallest(x, 2),
        lambda x: row_distance([x], [x.detach() + 1]),
        lambda x: softened_divergence(x.detach().flip(0), x, 2.0),
        lambda x: related_entropy(x, torch.tensor([0, 1, -1, 1]), torch.eye(3)[:2]),
    ],
    ids=["bss", "delta", "lwf", "co_tuning"],
)
def test_stacked_is_separate(loss):
    several = torch.stack([normal(4, 3, key) for key in range(3)])
    slopes = torch.vmap(torch.func.grad_and_value(loss))(several)
    alone = [torch.func.grad_and_value(loss)(x) for x in several]
    for found, wanted in zip(slopes, zip(*alone, strict=True), strict=True):
        torch.testing.assert_close(found, torch.stack(list(wanted)), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_wide(dtype):
    f = (normal(6, 3, 1) * 100).to(dtype)
    wanted = smallest(f.double(), 1)
    torch.testing.assert_close(smallest(f, 1).double(), wanted, rtol=2e-2, atol=0)
    torch.testing.assert_close(
        row_distance([f], [f * 2]).double(), f.double().square().sum(1).mean(), rtol=1e-5, atol=0
    )
