"""Steps that train some tasks: the others stand still to the last bit, and resuming chooses the same."""

import pytest
import torch

from dareps.balancing import Balancer
from dareps.data.split import make_split
from dareps.engine.loop import Hooks, Stopped, Trainer
from dareps.engine.resume import Checkpointer
from dareps.engine.state import optimizer_state
from dareps.errors import ConfigError
from dareps.plugin import plugins
from dareps.recipe.bind import dump_run, run_key
from dareps.recipe.settings import Recipe
from dareps.suite.bench import group_jobs
from dareps.transfer.optimizers import SGD
from tests.engine._make import CPU
from tests.engine._tasks import dataset, run_on

OPTIMIZERS = [
    {"name": "sgd", "lr": 0.01, "momentum": 0.9, "weight_decay": 0.1},
    {"name": "adam", "weight_decay": 0.1},
    {"name": "adamw", "weight_decay": 0.1},
]
TASKS = ("age", "kind", "tags")


def trainer_of(sampling, seeds=(0,), hooks=None, stacked=None, lacking=None, **phase):
    runs = [run_on(dataset(lacking), {"phases": [{"sampling": sampling, **phase}]}, seed=seed) for seed in seeds]
    return Trainer(runs, [make_split(run.data, run.source, run.target, run.seed) for run in runs], CPU, hooks, stacked)


def stepped(trainer, count=12):
    """Task trained, and whether each head and its optimizer state moved, step by step."""
    plan = trainer.plans[0]
    trainer.enter(plan)
    pool = trainer.pool(plan)
    steps = trainer.steps(plan, pool)
    heads = {task: [f"heads.{task}.weight", f"heads.{task}.bias"] for task in TASKS}
    numbers = {name: str(number) for number, name in enumerate(trainer.population.parameters)}
    for number, inputs in enumerate(trainer.inputs(plan, pool, 0, count)):
        before = {name: value.detach().clone() for name, value in trainer.population.parameters.items()}
        state = {name: value.clone() for name, value in optimizer_state(trainer.optimizer).items()}
        values = steps(number, inputs)
        after = optimizer_state(trainer.optimizer)
        moved = {}
        for task, names in heads.items():
            own = [key for key in after if key.split(".")[0] in {numbers[name] for name in names}]
            still = all(torch.equal(before[name], trainer.population.parameters[name]) for name in names)
            still &= all(key in state and torch.equal(state[key], after[key]) for key in own)
            moved[task] = not still
        yield steps.choice.at(number), moved, values


@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda own: own["name"])
def test_heads_of_other_tasks_stand_still_to_the_last_bit(optimizer, stacked):
    trainer = trainer_of("round_robin", seeds=(0, 1) if stacked else (0,), optimizer=optimizer)
    for number, (active, moved, values) in enumerate(stepped(trainer)):
        assert active == (TASKS[number % 3],)
        assert moved == {task: task in active for task in TASKS}
        assert [name for name in values if name.startswith("task.")] == [f"task.{active[0]}"]


def test_the_joint_sampler_is_what_is_meant_by_none():
    found = []
    for sampling in (None, "joint"):
        trainer = trainer_of(sampling)
        trainer.train()
        found.append((trainer.population.weights(0), trainer.ledgers[0].curves))
    assert found[0][1] == found[1][1]
    assert all(torch.equal(found[0][0][name], found[1][0][name]) for name in found[0][0])


def test_leaving_sampling_open_leaves_keys_as_they_were():
    run = run_on(dataset())
    assert "sampling" not in dump_run(run)["method"]["phases"][0]
    assert run_key(run, "x") != run_key(run_on(dataset(), {"phases": [{"sampling": "shuffled"}]}), "x")


@pytest.mark.parametrize("sampling", ["shuffled", "proportional", "annealed"])
def test_a_resumed_run_trains_the_same_tasks(sampling, tmp_path):
    whole = trainer_of(sampling)
    whole.train()
    calls = iter([False, True])
    stopped = trainer_of(sampling, hooks=Hooks(stop=lambda: next(calls)))
    with pytest.raises(Stopped):
        stopped.train()
    keeper = Checkpointer(tmp_path / "c.safetensors", ["k"], 0)
    keeper.write(stopped)
    resumed = trainer_of(sampling)
    assert Checkpointer(tmp_path / "c.safetensors", ["k"], 0).resume(resumed)
    resumed.train()
    weights = whole.population.weights(0)
    assert all(torch.equal(value, resumed.population.weights(0)[name]) for name, value in weights.items())
    assert whole.ledgers[0].curves == resumed.ledgers[0].curves


def test_what_is_logged_is_the_mean_over_the_steps_that_train_the_task():
    trainer = trainer_of("round_robin", steps=10)
    seen = {task: [] for task in TASKS}
    for active, _, values in stepped(trainer_of("round_robin", steps=10), 10):
        seen[active[0]].append(values[f"task.{active[0]}"].item())
    trainer.train()
    # Evaluations cut the ten steps in two windows.
    for task, own in seen.items():
        curve = dict(trainer.ledgers[0].curves[f"task.{task}"])
        first = [value for number, value in enumerate(own) if 3 * number + TASKS.index(task) < 5]
        assert curve[5] == pytest.approx(sum(first) / len(first), rel=1e-12)


def test_a_task_without_labels_in_the_phase_is_never_chosen():
    phases = [
        {"steps": 9, "sampling": "round_robin", "streams": {"source": "labelled"}},
        {"steps": 9, "sampling": "round_robin", "streams": {"target": "labelled"}},
    ]
    run = run_on(dataset({"a": {"tags": 1.0}}), {"phases": phases})
    with pytest.warns(UserWarning, match="no labels in a"):
        trainer = Trainer([run], [make_split(run.data, run.source, run.target, 0)], CPU)
    chosen = []
    for plan in trainer.plans:
        steps = trainer.steps(plan, trainer.pool(plan))
        chosen.append({task for number in range(plan.steps) for task in steps.choice.at(number)})
    assert chosen == [{"age", "kind"}, {"age", "kind", "tags"}]


def test_seeds_that_train_different_tasks_do_not_stack():
    with pytest.raises(ConfigError, match=r"engine\.stack: the seeds of a stack train different tasks in a step"):
        trainer_of("shuffled", seeds=(0, 1)).train()


@pytest.mark.parametrize(("sampling", "jobs"), [(None, 1), ("round_robin", 1), ("shuffled", 2)])
def test_a_suite_stacks_only_what_stacks(sampling, jobs):
    data = dataset()
    runs = [run_on(data, {"phases": [{"sampling": sampling}]}, seed=seed) for seed in (0, 1)]
    assert len(group_jobs([(run, str(run.seed)) for run in runs], stack=True)[0]) == jobs


def test_a_balancer_that_needs_all_tasks_refuses_to_take_them_in_turn():
    class Whole(Balancer, abstract=True):
        name = "whole"
        needs_all = True

    Recipe(balance=Whole(), phases=({"sampling": "joint"},))
    with pytest.raises(ValueError, match="the balancer whole needs the losses of all tasks in every step"):
        Recipe(balance=Whole(), phases=({"sampling": "round_robin"},))


def test_alignments_act_in_every_step():
    streams = {"source": "labelled", "target": "unlabelled"}
    run = run_on(dataset(), {"align": ["coral", "mcc"], "phases": [{"sampling": "round_robin", "streams": streams}]})
    trainer = Trainer([run], [make_split(run.data, run.source, run.target, 0)], CPU)
    for active, _, values in stepped(trainer, 6):
        assert {"align.0.coral", "align.1.mcc", f"task.{active[0]}"} == set(values)


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_begins_as_torch_s_own_does(nesterov):
    ours, plain = (torch.nn.Parameter(torch.tensor([1.0, -2.0, 3.0])) for _ in range(2))
    optimizers = [
        SGD(lr=0.1, nesterov=nesterov, weight_decay=0.01).build([ours], torch.tensor(0.1), capturable=False),
        torch.optim.SGD([plain], lr=0.1, momentum=0.9, nesterov=nesterov, weight_decay=0.01, fused=True),
    ]
    for number in range(3):
        for parameter, optimizer in zip((ours, plain), optimizers, strict=True):
            parameter.grad = torch.tensor([0.5, -0.25, 0.0]) * (number + 1)
            optimizer.step()
        assert torch.equal(ours, plain)


@pytest.mark.parametrize("name", [name for name in plugins(Balancer) if name != "fixed"])
def test_every_balancer_takes_tasks_in_turn_or_refuses(name):
    balance = Balancer.bind(name)
    method = {"balance": name, "phases": [{"sampling": "round_robin", "steps": 9}]}
    if balance.needs_all:
        with pytest.raises(ValueError, match="needs the losses of all tasks"):
            run_on(dataset(), method)
        return
    run = run_on(dataset({"a": {"age": 0.5}}), method)
    trainer = Trainer([run], [make_split(run.data, run.source, run.target, 0)], CPU)
    (ledger,) = trainer.train()
    assert not ledger.failure
    assert {f"task.{task}" for task in TASKS} <= set(ledger.curves)
