import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dareps.balancing import Balancer
from dareps.balancing.dynamic_weight_average import DynamicWeightAverage
from dareps.balancing.equal import Equal
from dareps.balancing.fixed import Fixed
from dareps.balancing.geometric import Geometric
from dareps.balancing.random_weights import Random
from dareps.balancing.uncertainty import Uncertainty
from dareps.errors import ConfigError, ContractError
from dareps.plugin import plugins
from dareps.recipe.bind import bind_recipe
from dareps.testing._gates import forbid_host_copies, forbid_host_sync
from dareps.types import Task
from tests.alignment._built import step_of
from tests.alignment._samples import PROPERTY

TASKS = (Task("kind", "classification", 3), Task("age", "regression", 1), Task("tags", "multilabel", 4))
NAMES = [task.name for task in TASKS]
ALL = [Equal(), Fixed(weights={"age": 3.0}), Geometric(), Geometric(form="log"), Uncertainty(), Random()]
ALL += [DynamicWeightAverage(window=2)]
VALUES = st.lists(st.floats(1e-3, 1e3), min_size=3, max_size=3)


def losses_of(values, names=NAMES):
    return {name: torch.tensor(value, dtype=torch.float64) for name, value in zip(names, values, strict=True)}


def built(balancer):
    return balancer.build(TASKS).double()


def set_logs(module, logs):
    with torch.no_grad():
        for own, log in zip(module.log_variance, logs, strict=True):
            own.fill_(log)


def gradient(balancer, values, number=0):
    """The objective's slope in every loss."""
    losses = {name: loss.requires_grad_() for name, loss in losses_of(values).items()}
    balancer(losses, step_of(number=number)).total.backward()
    return [float(loss.grad) for loss in losses.values()]


@PROPERTY
@given(VALUES)
def test_equal_and_fixed_weights_are_the_slopes(values):
    assert gradient(built(Equal()), values) == [1.0, 1.0, 1.0]
    assert gradient(built(Fixed(weights={"age": 3.0, "tags": 0.0})), values) == [1.0, 3.0, 0.0]


@PROPERTY
@given(VALUES, st.sampled_from([1e-3, 7.0, 1e3]))
def test_scales_of_tasks_do_not_move_the_geometric_direction(values, factor):
    mean = math.prod(values) ** (1 / 3)
    assert float(built(Geometric())(losses_of(values), step_of()).total) == pytest.approx(mean)
    assert gradient(built(Geometric()), values) == pytest.approx([mean / 3 / value for value in values])
    assert gradient(built(Geometric(form="log")), values) == pytest.approx([1 / value for value in values])
    scaled = [values[0] * factor, *values[1:]]
    first, second = (gradient(built(Geometric(form="log")), each) for each in (values, scaled))
    assert [second[0] * factor, *second[1:]] == pytest.approx(first)


def test_a_loss_of_zero_moves_nothing_and_stays_finite():
    assert gradient(built(Geometric()), [0.0, 1.0, 2.0])[0] == 0
    assert all(map(math.isfinite, gradient(built(Geometric(form="log")), [0.0, 1.0, 2.0])))


@PROPERTY
@given(VALUES, st.lists(st.floats(-3, 3), min_size=3, max_size=3))
def test_learned_variances_follow_the_formula(values, logs):
    module = built(Uncertainty())
    set_logs(module, logs)
    result = module(losses_of(values), step_of())
    factors = [1.0, 0.5, 1.0]
    variances = [math.exp(log) for log in logs]
    terms = zip(factors, values, variances, strict=True)
    assert float(result.total.detach()) == pytest.approx(
        sum(c * v / s + math.log(s) / 2 for c, v, s in terms), rel=1e-5
    )
    weights = [c / s for c, s in zip(factors, variances, strict=True)]
    assert [float(weight) for weight in result.weights.values()] == pytest.approx(weights, rel=1e-5)


@PROPERTY
@given(VALUES)
def test_the_best_variance_is_the_loss_of_a_regression_and_twice_that_of_a_classification(values):
    module = built(Uncertainty())
    set_logs(module, [math.log(factor * value) for factor, value in zip((2, 1, 2), values, strict=True)])
    module(losses_of(values), step_of()).total.backward()
    assert max(float(own.grad.abs()) for own in module.log_variance) < 1e-6


def test_the_variance_of_a_task_that_is_absent_gets_no_gradient():
    module = built(Uncertainty())
    module(losses_of([3.0, 3.0], ["kind", "tags"]), step_of()).total.backward()
    assert [own.grad is None for own in module.log_variance] == [False, True, False]


@PROPERTY
@given(VALUES)
def test_random_weights_are_keyed_by_the_step_and_sum_to_the_number_of_tasks(values):
    first, again, later = (gradient(built(Random()), values, number) for number in (0, 0, 1))
    assert first == again != later
    assert sum(first) == pytest.approx(3, rel=1e-6)
    assert min(first) > 0


def test_random_weights_favour_no_task():
    weights = torch.tensor([gradient(built(Random()), [1.0, 1.0, 1.0], number) for number in range(2000)])
    assert (weights.mean(0) - 1).abs().max() < 5 * weights.std() / 2000**0.5


def test_dynamic_weights_compare_the_last_two_windows():
    module, values = (
        built(DynamicWeightAverage(window=2, temperature=2.0)),
        [(4, 1, 2), (2, 1, 2), (1, 1, 4), (2, 1, 4)],
    )
    for each in values:
        assert list(map(float, module(losses_of(each), step_of()).weights.values())) == pytest.approx([1, 1, 1])
    rates = torch.tensor([1.5 / 3, 1.0, 2.0], dtype=torch.float64)
    expected = 3 * (rates / 2).softmax(0)
    found = module(losses_of((9, 9, 9)), step_of()).weights.values()
    assert list(map(float, found)) == pytest.approx(expected.tolist())


def test_windows_stand_still_in_evaluation_and_count_a_task_where_it_is_present():
    module = built(DynamicWeightAverage(window=1))
    module.eval()
    module(losses_of((1, 2, 3)), step_of())
    assert not module.means.any()
    module.train()
    for value in (4.0, 1.0):
        module(losses_of([value], ["age"]), step_of())
    assert module.means[:, 1].tolist() == [4.0, 1.0]
    assert not module.means[:, [0, 2]].any()


def test_remembered_windows_and_variances_are_state():
    for balancer in (DynamicWeightAverage(window=2), Uncertainty()):
        first, second = built(balancer), built(balancer)
        for value in (3.0, 2.0, 1.0):
            first(losses_of((value, 1.0, 2.0)), step_of())
        second.load_state_dict(first.state_dict())
        assert gradient(first, (1.0, 2.0, 3.0)) == gradient(second, (1.0, 2.0, 3.0))


@pytest.mark.parametrize("balancer", ALL, ids=str)
def test_stacked_seeds_are_separate_seeds(balancer):
    rows = torch.tensor([[1.0, 2.0, 3.0], [4.0, 1.0, 0.5]], dtype=torch.float64)
    modules = [built(balancer) for _ in rows]
    parameters, buffers = torch.func.stack_module_state(modules)

    def objective(parameters, buffers, values):
        losses = dict(zip(NAMES, values.unbind(), strict=True))
        return torch.func.functional_call(modules[0], (parameters, buffers), (losses, step_of())).total

    together = torch.vmap(objective)(parameters, buffers, rows)
    apart = [built(balancer)(losses_of(row.tolist()), step_of()).total for row in rows]
    torch.testing.assert_close(together, torch.stack(apart))


@pytest.mark.parametrize("balancer", ALL, ids=str)
@pytest.mark.parametrize("present", [NAMES, ["tags", "age"], ["kind"]], ids=len)
def test_a_step_may_have_some_of_the_tasks_and_waits_for_nothing(balancer, present):
    module, losses = built(balancer), losses_of([2.0] * len(present), present)
    with forbid_host_sync(), forbid_host_copies():
        result = module(losses, step_of())
    assert result.total.isfinite()
    assert set(result.weights) <= set(present)


@pytest.mark.parametrize("balancer", [own for own in ALL if type(own) not in (Equal, Fixed, Geometric)], ids=str)
def test_a_task_that_it_was_not_built_for_is_refused(balancer):
    with pytest.raises(ContractError, match="built for kind, age, tags, got 'colour'"):
        built(balancer)(losses_of([1.0], ["colour"]), step_of())


def test_what_learns_has_to_be_built_and_says_so():
    for balancer in (Uncertainty(), Random(), DynamicWeightAverage()):
        with pytest.raises(ContractError, match=r"has to be built.*build\(tasks\)"):
            balancer(losses_of([1.0, 1.0, 1.0]))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"agee": 1.0}, r"balance.weights: no task has this name, got 'agee'.*age"),
        ({"kind": 0.0, "age": 0.0, "tags": 0.0}, "every task has weight 0"),
    ],
)
def test_weights_that_fit_no_task_or_silence_all_are_refused(weights, message):
    with pytest.raises(ConfigError, match=message):
        Fixed(weights=weights).build(TASKS)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"name": "fixed", "weights": {"age": -1.0}}, "balance.weights.age: .*greater than or equal to 0"),
        ({"name": "dwa", "window": 0}, "balance.window: .*greater than or equal to 1"),
        ({"name": "dwa", "temperature": 0}, "balance.temperature: .*greater than 0"),
        ("uncertainity", "uncertainty"),
    ],
)
def test_bad_settings_name_the_key(value, message):
    with pytest.raises(ConfigError, match=message):
        bind_recipe({"balance": value}, "recipe mine")


def test_all_shipped_ones_are_tested_here():
    shipped = {name for name, own in plugins(Balancer).items() if not own.needs_all}
    assert shipped == {type(own).name for own in ALL}
