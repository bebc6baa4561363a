"""FAMO and DB-MTL, which weigh logarithms of losses."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dareps.balancing.db_mtl import DBMTL
from dareps.balancing.famo import FAMO
from dareps.errors import ContractError
from dareps.testing._gates import forbid_host_copies, forbid_host_sync
from dareps.types import Task
from tests.alignment._built import step_of
from tests.alignment._samples import PROPERTY

NAMES = ("a", "b", "c")
TASKS = tuple(Task(name, "regression", 1) for name in NAMES)
VALUES = st.lists(st.floats(1e-2, 1e2), min_size=3, max_size=3)


def named(values, moving=False):
    tensor = torch.as_tensor(values, dtype=torch.float64)
    return {name: own.clone().requires_grad_(moving) for name, own in zip(NAMES, tensor.unbind(), strict=True)}


def gram_of(norms):
    return torch.diag(torch.as_tensor(norms, dtype=torch.float64).square())


def slopes(module, values, gram=None):
    """The objective's slope in every loss, which has to be what is logged."""
    losses = named(values, moving=True)
    result = module(losses, step_of(), gram)
    result.total.backward()
    found = [float(own.grad) for own in losses.values()]
    assert found == pytest.approx([float(own) for own in result.weights.values()])
    return found


class TestFAMO:
    def module(self, **settings):
        return FAMO(**settings).build(TASKS).double()

    @PROPERTY
    @given(VALUES, st.lists(st.floats(-2, 2), min_size=3, max_size=3))
    def test_weights_are_shares_over_losses(self, values, logits):
        module = self.module()
        module.logits.copy_(torch.tensor(logits))
        raw = [float(share) / value for share, value in zip(module.logits.softmax(0), values, strict=True)]
        assert slopes(module, values) == pytest.approx([3 * own / sum(raw) for own in raw])

    @PROPERTY
    @given(VALUES, st.lists(st.floats(0.5, 2), min_size=3, max_size=3), st.sampled_from([0.0, 0.1]))
    def test_a_follow_up_is_adam_on_the_softmax_of_what_fell(self, values, factors, gamma):
        module = self.module(gamma=gamma, rate=0.1)
        logits = torch.zeros(3, dtype=torch.float64, requires_grad=True)
        adam = torch.optim.Adam([logits], lr=0.1, weight_decay=gamma)
        for turn in range(3):
            before = torch.tensor(values, dtype=torch.float64) / (turn + 1)
            after = before * torch.tensor(factors, dtype=torch.float64) ** (1 - turn)
            module(named(before), step_of())
            module.follow(named(after))
            adam.zero_grad()
            (logits.softmax(0) * (before.log() - after.log())).sum().backward()
            adam.step()
        # Slopes that are 0 but for rounding have no sign to speak of.
        torch.testing.assert_close(module.logits, logits.detach(), atol=1e-6, rtol=1e-6)

    def test_the_task_that_falls_fastest_loses_weight(self):
        module = self.module()
        for _ in range(20):
            module(named([1.0, 1.0, 1.0]), step_of())
            module.follow(named([0.5, 0.9, 0.9]))
        found = slopes(module, [1.0, 1.0, 1.0])
        assert found[0] < found[1] == pytest.approx(found[2])

    def test_a_loss_of_nought_moves_nothing(self):
        module = self.module()
        assert slopes(module, [0.0, 1.0, 1.0]) == pytest.approx([0.0, 1.5, 1.5])
        module.follow(named([1.0, 1.0, 1.0]))
        assert not module.logits.any()

    def test_it_stands_still_in_evaluation_and_without_a_follow_up(self):
        module = self.module().eval()
        module(named([1.0, 2.0, 3.0]), step_of())
        module.follow(named([0.5, 2.0, 3.0]))
        assert not any(own.any() for own in module.buffers())


class TestDBMTL:
    @PROPERTY
    @given(VALUES, VALUES, st.floats(1e-2, 1e2))
    def test_gradients_are_as_long_as_the_longest_of_the_logarithms_at_any_scale_of_losses(self, values, norms, scale):
        found = slopes(DBMTL(beta=0.0).build(TASKS).double(), values, gram_of(norms))
        lengths = [weight * norm for weight, norm in zip(found, norms, strict=True)]
        longest = max(norm / value for norm, value in zip(norms, values, strict=True))
        assert lengths == pytest.approx([longest] * 3)
        scaled = [scale * values[0], *values[1:]], gram_of([scale * norms[0], *norms[1:]])
        again = slopes(DBMTL(beta=0.0).build(TASKS).double(), *scaled)
        assert [again[0] * scale, *again[1:]] == pytest.approx(found)

    def test_norms_run_on_from_the_first_and_pass_over_losses_of_nought(self):
        module = DBMTL(beta=0.5).build(TASKS).double()
        slopes(module, [1.0, 2.0, 1.0], gram_of([4.0, 4.0, 4.0]))
        assert module.norms.tolist() == [4.0, 2.0, 4.0]
        found = slopes(module, [1.0, 1.0, 0.0], gram_of([2.0, 4.0, 0.0]))
        assert module.norms.tolist() == [3.0, 3.0, 4.0]
        assert found == pytest.approx([4 / 3, 4 / 3, 0.0])
        module.eval()
        slopes(module, [1.0, 1.0, 1.0], gram_of([9.0, 9.0, 9.0]))
        assert module.norms.tolist() == [3.0, 3.0, 4.0]

    def test_gradients_of_nought_leave_finite_weights(self):
        assert slopes(DBMTL().build(TASKS).double(), [1.0, 2.0, 4.0], gram_of([0, 0, 0])) == [1.0, 0.5, 0.25]


@pytest.mark.parametrize("balancer", [FAMO(), DBMTL()], ids=str)
def test_every_task_is_needed_and_the_order_does_not_matter(balancer):
    module = balancer.build(TASKS).double()
    with pytest.raises(ContractError, match=r"all tasks.*\['a'\]"):
        module({"a": torch.ones(())}, step_of(), torch.ones(1, 1))
    values, norms = {"c": 3.0, "a": 1.0, "b": 2.0}, torch.tensor([1.0, 5.0, 2.0], dtype=torch.float64)
    losses = {name: torch.tensor(value, dtype=torch.float64) for name, value in values.items()}
    mixed = module(losses, step_of(), gram_of(norms)).weights
    sorted_ = balancer.build(TASKS).double()(named([1.0, 2.0, 3.0]), step_of(), gram_of(norms[[1, 2, 0]])).weights
    assert {name: float(own) for name, own in mixed.items()} == pytest.approx(
        {name: float(own) for name, own in sorted_.items()}
    )


@pytest.mark.parametrize("balancer", [FAMO(), DBMTL()], ids=str)
def test_stacked_seeds_are_separate_seeds_and_wait_for_nothing(balancer):
    rows = torch.tensor([[1.0, 2.0, 3.0], [4.0, 1.0, 0.5]], dtype=torch.float64)
    modules = [balancer.build(TASKS).double() for _ in rows]
    _, buffers = torch.func.stack_module_state(modules)
    copies = {name: own.clone() for name, own in buffers.items()}

    def stepped(module, values):
        losses = dict(zip(NAMES, values.unbind(), strict=True))
        total = module(losses, step_of(), torch.outer(values, values)).total
        module.follow({name: own / 2 for name, own in losses.items()})
        return total

    class Both(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.module = modules[0]

        def forward(self, values):
            return stepped(self.module, values)

    both, named_buffers = Both(), {f"module.{name}": own for name, own in copies.items()}
    together = torch.vmap(lambda own, values: torch.func.functional_call(both, own, (values,)))(named_buffers, rows)
    with forbid_host_sync(), forbid_host_copies():
        apart = [stepped(balancer.build(TASKS).double(), values) for values in rows]
    torch.testing.assert_close(together, torch.stack(apart))
