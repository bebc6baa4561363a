import pytest
import torch
from hypothesis import given
from torch.func import functional_call

from dareps.alignment import WassersteinCritic
from dareps.alignment._wasserstein import gradient_penalty, penalised_points
from dareps.errors import ContractError
from dareps.testing import check_alignment
from dareps.types import ORDINARY, View
from tests.alignment._built import ONE, STEP, can_be_captured, drawn, filled, seen, shapes_of, step_of, views_of
from tests.alignment._samples import PROPERTY, normal

LEARN = step_of("opponent")


def built(sources=1, targets=1, **settings):
    settings = {"hidden": (7,), **settings}
    return filled(WassersteinCritic(**settings).build(shapes_of(sources, targets)))


def slopes_of(critic, points):
    """The gradient of a critic with one hidden layer at each point, by the chain rule."""
    first, _, last = critic
    return [
        first.weight.T @ (torch.where(first.weight @ x + first.bias > 0, 1.0, 0.0).double() * last.weight[0])
        for x in points
    ]


def penalty_of(critic, points):
    """The mean of (|slope| - 1)^2, slope by slope."""
    return sum((slope.square().sum().sqrt() - 1) ** 2 for slope in slopes_of(critic, points)) / len(points)


@given(pairs=drawn(2))
@PROPERTY
def test_critic_minimises_the_definition(pairs):
    module = built(penalty=3.0)
    (critic,) = module.critics
    (x, _), (y, _) = pairs
    points = penalised_points(x, y, LEARN.noise, "between/0")
    estimate = sum(critic(row[None]) for row in x) / len(x) - sum(critic(row[None]) for row in y) / len(y)
    expected = 3 * penalty_of(critic, points) - estimate.squeeze()
    found = module(views_of(*pairs), ONE, LEARN)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    leaves = [parameter for name, parameter in module.named_parameters() if name.endswith("weight")]
    for got, want in zip(*(torch.autograd.grad(each, leaves) for each in (found, expected)), strict=True):
        torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-9)


@given(pairs=drawn(2))
@PROPERTY
def test_penalised_points_are_both_samples_and_points_between_their_rows(pairs):
    (x, _), (y, _) = pairs
    n, m = len(x), len(y)
    points = penalised_points(x, y, LEARN.noise, "place")
    assert torch.equal(points[: n + m], torch.cat((x, y)))
    share = LEARN.noise.uniform("place", (min(n, m), 1)).double()
    assert len(points) == n + m + min(n, m)
    for i, point in enumerate(points[n + m :]):
        torch.testing.assert_close(point, share[i] * x[i] + (1 - share[i]) * y[i])


def test_points_between_move_from_step_to_step():
    (x, y), _, _ = seen(4, 4)
    one, other = (penalised_points(x, y, step_of(number=number).noise, "place")[8:] for number in (0, 1))
    assert (one != other).all()


@pytest.mark.parametrize("distance", [0.1, 1.0, 30.0])
def test_best_linear_critic_of_two_points(distance):
    """-w'D + g (|w| - 1)^2 is least at w = (1 + |D| / 2g) D / |D|, where the estimate is |D| (1 + |D| / 2g)."""
    module = built(hidden=(), penalty=10.0)
    x, y = torch.zeros(4, 3).double(), torch.zeros(2, 3).double()
    x[:, 1] = distance
    size = 1 + distance / 20
    module.critics[0][0].weight.data = size * torch.tensor([[0.0, 1.0, 0.0]]).double()
    views = [View("d0", "source", x), View("d1", "target", y)]
    (slope,) = torch.autograd.grad(module(views, ONE, LEARN), [module.critics[0][0].weight])
    assert slope.abs().max().item() < 1e-12
    assert module(views, ONE, STEP).item() == pytest.approx(distance * size, rel=1e-12)


def test_critic_that_starts_flat_is_penalised_without_a_broken_gradient():
    fresh = WassersteinCritic().build(shapes_of(1, 1)).double()
    value = fresh(seen(4, 6)[2], ONE, LEARN)
    assert value.item() == pytest.approx(10)
    slopes = torch.autograd.grad(value, list(fresh.parameters()), allow_unused=True)
    assert all(slope is None or slope.isfinite().all() for slope in slopes)
    assert any(slope is not None and slope.any() for slope in slopes)


@pytest.mark.parametrize("strength", [0.0, 0.3, 2.0])
def test_features_descend_the_estimate_and_the_critic_keeps_still(strength):
    rows, _, views = seen(4, 6)
    module = built()
    (critic,) = module.critics
    value = module(views, ONE * strength, STEP)
    plain = critic(rows[0]).mean() - critic(rows[1]).mean()
    torch.testing.assert_close(value, plain)
    found = torch.autograd.grad(value, [*rows, *module.parameters()], allow_unused=True)
    for got, want in zip(found[:2], torch.autograd.grad(plain, rows), strict=True):
        assert want.any()
        torch.testing.assert_close(got, want * strength)
    assert found[2:] == (None,) * len(list(module.parameters()))


def test_critic_learns_from_features_that_keep_still():
    rows, _, views = seen(4, 6)
    assert torch.autograd.grad(built()(views, ONE, LEARN), rows, allow_unused=True) == (None, None)


def test_stacked_critics_learn_as_if_alone():
    module = built()
    weights = [{name: value.detach() * scale for name, value in module.named_parameters()} for scale in (0.4, 1.3)]
    inputs = [torch.stack((normal(n, 3, n), normal(n, 3, n + 20))) for n in (4, 6)]

    def value(own, x, y):
        return functional_call(module, own, ([View("d0", "source", x), View("d1", "target", y)], ONE, LEARN))

    leaves = {name: torch.stack([each[name] for each in weights]).requires_grad_() for name in weights[0]}
    stacked = torch.autograd.grad(torch.vmap(value)(leaves, *inputs).sum(), list(leaves.values()))
    for i, own in enumerate(weights):
        alone = {name: tensor.requires_grad_() for name, tensor in own.items()}
        slopes = torch.autograd.grad(value(alone, inputs[0][i], inputs[1][i]), list(alone.values()), allow_unused=True)
        for together, apart in zip(stacked, slopes, strict=True):
            torch.testing.assert_close(together[i], torch.zeros_like(together[i]) if apart is None else apart)


def test_pairs_have_critics_of_their_own_unless_they_are_pooled():
    rows, _, views = seen(2, 3, 4, 5, sources=2)
    apart, pooled = (built(2, 2, pairs=pairs) for pairs in ("all", "pooled"))
    assert (len(apart.critics), len(pooled.critics)) == (4, 1)
    gaps = [
        (critic(rows[i]).mean() - critic(rows[j]).mean())
        for critic, (i, j) in zip(apart.critics, [(0, 2), (0, 3), (1, 2), (1, 3)], strict=True)
    ]
    torch.testing.assert_close(apart(views, ONE, STEP), sum(gaps) / 4)
    (critic,) = pooled.critics
    expected = critic(torch.cat(rows[:2])).mean() - critic(torch.cat(rows[2:])).mean()
    torch.testing.assert_close(pooled(views, ONE, STEP), expected)


def test_steps_as_published():
    (own, ordinary) = WassersteinCritic().build(shapes_of(1, 1)).steps()
    assert (own.repeat, own.trains, own.tasks, ordinary) == (5, ("align",), False, ORDINARY)


def test_whole_step_can_be_captured():
    assert can_be_captured(built(), seen(4, 6)[2], STEP, LEARN)


def test_huge_and_equal_rows_stay_finite():
    for x in (torch.full((3, 3), 1e6).double(), torch.zeros(3, 3).double()):
        views = [View("d0", "source", x), View("d1", "target", x)]
        module = built()
        value = module(views, ONE, LEARN)
        assert value.isfinite()
        slopes = torch.autograd.grad(value, list(module.parameters()), allow_unused=True)
        assert all(slope is None or slope.isfinite().all() for slope in slopes)
    assert gradient_penalty(torch.nn.Linear(3, 1), torch.zeros(2, 3)).isfinite()


@pytest.mark.parametrize("target", [torch.zeros(0, 3), torch.zeros(4, 2), torch.zeros(4, 3, dtype=torch.int64)])
def test_unusable_rows_are_refused(target):
    with pytest.raises(ContractError, match="wasserstein_critic"):
        built()([View("d0", "source", torch.zeros(4, 3)), View("d1", "target", target)], ONE, STEP)


@pytest.mark.parametrize("settings", [{"hidden": ()}, {"pairs": "pooled", "hidden": (8, 4)}], ids=str)
def test_other_settings_keep_the_laws(settings):
    check_alignment(WassersteinCritic(**settings), max_examples=10)
