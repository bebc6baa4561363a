import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dareps.balancing._rules import in_turn, solved
from dareps.balancing.gradients import IMTLG, MGDA, AlignedMTL, CAGrad, NashMTL, PCGrad, UPGrad
from dareps.balancing.gradnorm import GradNorm
from dareps.errors import ConfigError, ContractError
from dareps.types import Task
from tests.alignment._built import step_of
from tests.alignment._samples import PROPERTY

pytest.importorskip("torchjd", reason="the extra [balancing] is not installed")

ALL = [UPGrad(), MGDA(), PCGrad(), CAGrad(), IMTLG(), AlignedMTL(), NashMTL()]
VALUES = st.floats(-4, 4, allow_subnormal=False)


def gradients(tasks):
    return arrays(float, (tasks, 3), elements=VALUES).map(torch.from_numpy)


def balanced(balancer, gram, number=0, losses=None):
    names = [f"task{place}" for place in range(len(gram))]
    module = balancer.build([Task(name, "regression", 1) for name in names])
    losses = torch.ones(len(gram), dtype=torch.float64) if losses is None else losses
    return module(dict(zip(names, losses.unbind(), strict=True)), step_of(number=number), gram)


def weights(balancer, g, number=0):
    """Weights for gradients (k, d)."""
    return torch.stack(list(balanced(balancer, g @ g.T, number).weights.values()))


@PROPERTY
@given(arrays(float, (4, 3), elements=VALUES).map(torch.from_numpy), st.integers(0, 100))
def test_conflicts_are_projected_away_one_after_the_other(g, seed):
    torch.manual_seed(seed)
    found = in_turn(long_enough(g) @ g.T) @ g
    torch.manual_seed(seed)
    expected = torch.zeros(3, dtype=torch.float64)
    for place, order in enumerate(torch.rand(4, 4).argsort(1).tolist()):
        own = g[place].clone()
        for other in order:
            if other != place:
                own -= (own @ g[other]).clamp(max=0) / g[other].square().sum() * g[other]
        expected += own
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=1e-9)


def long_enough(g):
    assume(float(g.norm(dim=1).min()) > 0.1)
    return g


@PROPERTY
@given(gradients(2))
def test_two_tasks_have_the_shortest_combination(g):
    first, second = long_enough(g)
    assume(float((first - second).norm()) > 1e-2)
    share = (((second - first) @ second) / (first - second).square().sum()).clamp(0, 1)
    torch.testing.assert_close(weights(MGDA(), g), 2 * torch.stack([share, 1 - share]), atol=1e-6, rtol=1e-6)


@PROPERTY
@given(gradients(2))
def test_a_conflict_of_two_is_projected_away(g):
    first, second = long_enough(g)
    inner = first @ second
    conflict = torch.minimum(inner, torch.zeros(()))
    expected = 1 - torch.stack([conflict / first.square().sum(), conflict / second.square().sum()])
    torch.testing.assert_close(weights(PCGrad(), g), expected)


@PROPERTY
@given(gradients(3))
def test_no_task_is_hurt(g):
    g = long_enough(g)
    found = weights(UPGrad(), g)
    # The solver's cone is that of gram / trace + 1e-9, which lets a task lose as much times its weight.
    assert (g @ (found @ g)).min() > -1e-8 * g.square().sum() * found.abs().max()


@PROPERTY
@given(gradients(3))
def test_projections_on_all_tasks_are_equal(g):
    g = long_enough(g)
    assume(float(torch.linalg.svdvals(g).min()) > 0.1)
    update = weights(IMTLG(), g) @ g
    gains = (g / g.norm(dim=1, keepdim=True)) @ update
    torch.testing.assert_close(gains, gains.mean().expand(3), atol=1e-6, rtol=1e-6)


@PROPERTY
@given(gradients(3))
def test_the_bargain_makes_every_weight_the_inverse_of_its_gain(g):
    g = long_enough(g)
    assume(float(torch.linalg.svdvals(g).min()) > 0.1)
    found = weights(NashMTL(), g)
    assert found.sum() == pytest.approx(3)
    shares = found * (g @ (found @ g))
    torch.testing.assert_close(shares, shares.mean().expand(3), atol=0, rtol=1e-3)


@PROPERTY
@given(st.lists(st.floats(0.2, 5.0), min_size=3, max_size=3))
def test_the_bargain_gives_orthogonal_gradients_one_length(norms):
    g = torch.diag(torch.tensor(norms, dtype=torch.float64))
    inverse = [1 / norm for norm in norms]
    expected = [3 * own / sum(inverse) for own in inverse]
    assert weights(NashMTL(), g).tolist() == pytest.approx(expected, rel=1e-4)


@PROPERTY
@given(st.lists(st.floats(0.2, 5.0), min_size=3, max_size=3))
def test_orthogonal_gradients_become_as_long_as_the_shortest(norms):
    g = torch.diag(torch.tensor(norms, dtype=torch.float64))
    torch.testing.assert_close(weights(AlignedMTL(), g) @ g, torch.full((3,), min(norms), dtype=torch.float64))


@PROPERTY
@given(gradients(3))
def test_a_ball_of_radius_nought_leaves_the_mean(g):
    torch.testing.assert_close(weights(CAGrad(c=0.0), long_enough(g)), torch.ones(3, dtype=torch.float64))


@pytest.mark.parametrize("balancer", [UPGrad(), PCGrad()], ids=str)
def test_tasks_that_agree_count_once_each(balancer):
    g = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.5, 2.0]], dtype=torch.float64)
    torch.testing.assert_close(weights(balancer, g), torch.ones(3, dtype=torch.float64), atol=1e-3, rtol=0)


@pytest.mark.parametrize("balancer", ALL, ids=str)
@pytest.mark.parametrize("factor", [1e-12, 1e3, 1e12])
def test_the_scale_of_all_gradients_together_does_not_matter(balancer, factor):
    g = torch.tensor([[1.0, 0.2], [-0.3, 1.0], [0.5, -0.7]], dtype=torch.float64)
    torch.testing.assert_close(weights(balancer, factor * g), weights(balancer, g), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("balancer", ALL, ids=str)
def test_weights_are_the_slopes_of_the_objective_and_carry_no_gradient(balancer):
    g = torch.tensor([[1.0, 0.2], [-0.3, 1.0]], dtype=torch.float64, requires_grad=True)
    losses = torch.tensor([3.0, 5.0], dtype=torch.float64, requires_grad=True)
    result = balanced(balancer, g @ g.T, losses=losses)
    result.total.backward()
    torch.testing.assert_close(losses.grad, torch.stack(list(result.weights.values())))
    assert g.grad is None


@pytest.mark.parametrize("balancer", ALL, ids=str)
@pytest.mark.parametrize("gram", [torch.zeros(2, 2), torch.full((2, 2), torch.nan), torch.full((2, 2), torch.inf)])
def test_gradients_that_say_nothing_leave_every_task_its_weight(balancer, gram):
    assert [float(weight) for weight in balanced(balancer, gram.double()).weights.values()] == [1.0, 1.0]


@pytest.mark.parametrize("balancer", ALL, ids=str)
def test_stacked_seeds_are_separate_seeds(balancer):
    stack = torch.tensor([[[1.0, 0.2], [-0.9, 0.4]], [[0.1, 2.0], [0.3, -1.0]]], dtype=torch.float64)
    grams, losses = stack @ stack.mT, torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64)
    together = torch.vmap(lambda gram, own: balanced(balancer, gram, losses=own).total)(grams, losses)
    apart = [balanced(balancer, *each[:1], losses=each[1]).total for each in zip(grams, losses, strict=True)]
    torch.testing.assert_close(together, torch.stack(apart))


def test_a_random_order_is_keyed_by_the_step_and_leaves_the_global_generator_alone():
    g = torch.tensor([[1.0, 0.2, 0.0], [-0.9, 0.4, 0.3], [-0.5, -0.7, 1.0]], dtype=torch.float64)
    before = torch.get_rng_state()
    found = [tuple(weights(PCGrad(), g, number).tolist()) for number in range(12)]
    assert torch.equal(before, torch.get_rng_state())
    assert found == [tuple(weights(PCGrad(), g, number).tolist()) for number in range(12)]
    assert len(set(found)) > 1


def test_without_inner_products_or_library_it_says_what_is_missing(monkeypatch):
    module = UPGrad().build([Task("a", "regression", 1)])
    with pytest.raises(ContractError, match="needs the gradients' inner products"):
        module({"a": torch.ones(())}, step_of())
    monkeypatch.setitem(__import__("sys").modules, "torchjd", None)
    with pytest.raises(ConfigError, match=r"torchjd.*pip install 'dareps\[balancing\]'"):
        UPGrad().build([Task("a", "regression", 1)])


class TestGradNorm:
    TASKS = (Task("a", "regression", 1), Task("b", "regression", 1))

    def stepped(self, module, losses, norms):
        gram = torch.diag(torch.tensor(norms, dtype=torch.float64).square())
        named = dict(zip("ab", torch.tensor(losses, dtype=torch.float64).unbind(), strict=True))
        return [float(weight) for weight in module(named, step_of(), gram).weights.values()]

    @PROPERTY
    @given(st.lists(st.floats(0.5, 2), min_size=2, max_size=2), st.floats(1e-3, 1e3))
    def test_equal_rates_even_out_the_norms_at_any_scale(self, norms, scale):
        module = GradNorm(alpha=0.0, rate=0.01).build(self.TASKS).double()
        for _ in range(200):  # Steps do not shrink, so the end is a few of them from the optimum.
            found = self.stepped(module, [1.0, 1.0], [scale * norm for norm in norms])
        expected = [2 / norm / sum(1 / own for own in norms) for norm in norms]
        assert found == pytest.approx(expected, abs=0.04)

    def test_one_step_by_hand(self):
        module = GradNorm(alpha=1.0, rate=0.1).build(self.TASKS).double()
        assert self.stepped(module, [4.0, 2.0], [1.0, 1.0]) == [1.0, 1.0]  # nobody is ahead, no norm is larger
        assert self.stepped(module, [1.0, 2.0], [1.0, 3.0]) == [1.0, 1.0]
        # r = (1/4, 1) / (5/8) = (.4, 1.6); G = 2; targets (.8, 3.2): w_a falls by .1 * 1 / 2, w_b rises by .1 * 3 / 2
        moved = [0.95, 1.15]
        assert self.stepped(module, [1.0, 2.0], [1.0, 3.0]) == pytest.approx([2 * own / sum(moved) for own in moved])

    def test_it_stands_still_in_evaluation_and_needs_every_task(self):
        module = GradNorm().build(self.TASKS).double().eval()
        for _ in range(2):
            assert self.stepped(module, [1.0, 2.0], [1.0, 3.0]) == [1.0, 1.0]
        with pytest.raises(ContractError, match=r"all tasks.*\['a'\]"):
            module({"a": torch.ones(())}, step_of(), torch.ones(1, 1))

    def test_gradients_of_nought_and_losses_of_nought_move_nothing_out_of_bounds(self):
        module = GradNorm().build(self.TASKS).double()
        for losses, norms in (([0.0, 0.0], [0.0, 0.0]), ([1.0, 0.0], [1.0, 0.0])) * 200:
            self.stepped(module, losses, norms)
        assert module.weights.sum() == pytest.approx(2.0)
        assert module.weights.min() > 0


def test_a_solver_that_fails_is_named_with_its_reason():
    def failing(gram):
        raise ValueError("no solution")

    with pytest.raises(ContractError, match=r"balance cagrad: its solver failed \(no solution\)"):
        solved("cagrad", failing, torch.eye(2))
