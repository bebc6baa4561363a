"""From a phase on, every task goes on by itself from what was shared."""

import numpy as np
import pytest
import torch

from dareps.engine.execute import Surroundings, execute
from dareps.engine.loop import Stopped, Trainer
from dareps.engine.predict import load
from dareps.errors import ConfigError
from dareps.recipe.bind import dump_run
from tests.engine._make import CPU, distance, weights_of
from tests.engine._tasks import dataset, outcomes_of, register, run_on, split_of

TASKS = ("age", "kind", "tags")
NETWORK = {"name": "mlp", "width": 6, "depth": 2, "norm": True, "dropout": 0.2}
PLAIN = {"name": "mlp", "width": 6, "depth": 2}
FIRST = {"steps": 10}
SECOND = {"steps": 15, "apart": True, "optimizer": {"name": "sgd", "lr": 0.05, "weight_decay": 0.01}, "clip": 0.5}
LAST = {"precision": "float64", "selection": ["last"], "keep": "last"}
SCHEMES = (
    *("hard", "soft", "hierarchical", "mmoe", "cgc", "ple", "cross_stitch", "sluice", "shared_private", "asp_mtl"),
    {"name": "hierarchical", "along": "domains"},
)


def run(*phases, seed=0, **changes):
    method = {"encoder": NETWORK, "phases": list(phases or (FIRST, SECOND)), **changes.pop("method", {})}
    return run_on(dataset(), method, seed=seed, engine={**LAST, **changes})


def trainer_of(runs, stacked=None):
    return Trainer(runs, [split_of(own).restricted(own.tasks) for own in runs], CPU, None, stacked)


def at_phase(trainer, number):
    """The trainer with the phases before this one done."""
    for plan in trainer.plans[:number]:
        trainer._phase(plan)
        trainer.position.phase, trainer.position.step = plan.number + 1, 0
    return trainer


def outputs(trainer, copy=0):
    evaluator = trainer.evaluators[copy]
    found = evaluator.outputs(trainer.population.single(copy), evaluator.source)
    return {task: own.logits for task, own in found.items()}


@pytest.mark.filterwarnings("ignore:sharing hierarchical")
@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
def test_predictions_are_the_same_to_the_last_bit_when_tasks_go_apart(scheme):
    size = 2 if scheme in ("hard", "cgc") else 1
    phases = {**FIRST, "steps": 3}, {**SECOND, "steps": 2}
    runs = [run(*phases, seed=seed, method={"sharing": scheme, "encoder": PLAIN}) for seed in range(size)]
    trainer = at_phase(trainer_of(runs), 1)
    before = [outputs(trainer, copy) for copy in range(size)]
    trainer.enter(trainer.plans[1])
    for copy, own in enumerate(before):
        after = outputs(trainer, copy)
        assert all(np.array_equal(own[task], after[task]) for task in TASKS)
    trainer._phase(trainer.plans[1])
    assert not any(name.startswith("sharing") for name in trainer.ledgers[0].at(5))


@pytest.mark.filterwarnings("ignore:sharing hierarchical")
@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
def test_a_loss_reaches_its_tasks_own_copy_and_head_alone(scheme):
    trainer = at_phase(
        trainer_of([run({**FIRST, "steps": 1}, SECOND, method={"sharing": scheme, "encoder": PLAIN})]), 1
    )
    plan = trainer.plans[1]
    trainer.enter(plan)
    pool = trainer.pool(plan)
    inputs = next(trainer.inputs(plan, pool, 0, 1))
    for task in TASKS:
        for parameter in trainer.population.parameters.values():
            parameter.grad = None
        total, _ = trainer.population.losses(pool, *pool.gather(inputs.index), inputs, tasks=(task,))
        total.backward()
        reached = {name for name, own in trainer.population.parameters.items() if own.grad is not None}
        assert {name.rsplit(".", 1)[0] for name in reached if name.startswith("heads")} == {f"heads.{task}"}
        encoder = {name for name in reached if name.startswith("encoder")}
        assert encoder
        assert all(name.startswith(f"encoder.alone.{task}.") for name in encoder)


@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_training_apart_is_training_each_task_alone_from_the_same_weights(stacked, optimizer):
    second = {**SECOND, "optimizer": optimizer}
    trainer = at_phase(trainer_of([run(FIRST, second)], stacked), 1)
    shared = weights_of(trainer)
    trainer._phase(trainer.plans[1])
    together = weights_of(trainer)
    for task in TASKS:
        alone = trainer_of([run(FIRST, {**second, "apart": False}, method={"tasks": [task]})])
        alone.population.load(shared)
        alone.position.phase = 1
        alone._phase(alone.plans[1])
        expected = weights_of(alone)
        names = {name: name.replace("encoder.", f"encoder.alone.{task}.", 1) for name in expected}
        assert distance(expected, {name: together[own] for name, own in names.items()}) < 1e-12
        assert distance(expected, {name: shared[name] for name in expected}) > 1e-3


def test_apart_from_the_first_step_is_separate_encoders():
    """What soft sharing builds without a coupling."""
    apart, soft = (
        trainer_of([run({**SECOND, "apart": apart, "clip": None}, method={"encoder": PLAIN, "sharing": scheme})])
        for apart, scheme in ((True, "hard"), (False, {"name": "soft", "coupling": 0}))
    )
    apart.train()
    soft.train()
    ours, theirs = weights_of(apart), weights_of(soft)
    names = {name: name for name in theirs if name.startswith("heads")}
    for number, task in enumerate(TASKS):
        start = f"encoder.branches.{number}."
        names |= {
            name: f"encoder.alone.{task}.encoder.{name.removeprefix(start)}"
            for name in theirs
            if name.startswith(start)
        }
    assert names.keys() == theirs.keys()
    assert distance(theirs, {name: ours[own] for name, own in names.items()}) == 0
    assert len(ours) == len(theirs)


@pytest.mark.parametrize("optimizer", ["adam", SECOND["optimizer"]])
def test_the_copy_of_an_absent_task_stands_still(optimizer):
    second = {**SECOND, "optimizer": optimizer, "sampling": "round_robin"}
    trainer = at_phase(trainer_of([run(FIRST, second)]), 1)
    plan = trainer.plans[1]
    trainer.enter(plan)
    pool = trainer.pool(plan)
    step = trainer.steps(plan, pool)
    for number, inputs in enumerate(trainer.inputs(plan, pool, 0, 6)):
        before, momenta = weights_of(trainer), _momenta(trainer)
        (task,) = step.choice.at(number)
        step(number, inputs)
        after, later = weights_of(trainer), _momenta(trainer)
        moved = {name for name in after if not torch.equal(before[name], after[name])}
        assert moved
        assert all(name.startswith((f"encoder.alone.{task}.", f"heads.{task}.")) for name in moved)
        assert {name for name in later if not torch.equal(momenta.get(name, torch.zeros(())), later[name])} <= {
            f"{name}/{field}" for name in moved for field in ("momentum_buffer", "exp_avg", "exp_avg_sq", "step")
        }


def _momenta(trainer):
    state = trainer.optimizer.state
    return {
        f"{name}/{field}": value.clone()
        for name, parameter in trainer.population.parameters.items()
        for field, value in state.get(parameter, {}).items()
        if isinstance(value, torch.Tensor) and parameter in state
    }


def test_stacked_seeds_are_separate_ones():
    seeds = (0, 3)
    stack = trainer_of([run(seed=seed) for seed in seeds])
    stack.train()
    for copy, seed in enumerate(seeds):
        single = trainer_of([run(seed=seed)])
        single.train()
        assert distance(weights_of(stack, copy), weights_of(single)) < 1e-12


OFTEN = {"checkpoint_seconds": 0.0, "flush": 4, "evaluations": 5, "selection": ["last", "source_score"]}


@pytest.mark.parametrize("size", [1, 2])
def test_a_run_stopped_in_either_phase_continues_exactly(size, tmp_path):
    runs = [run(seed=seed, **OFTEN) for seed in range(size)]
    whole = outcomes_of(runs, tmp_path / "whole")
    for calls in (1, 2, 2):
        left = iter(range(calls))
        with pytest.raises(Stopped):
            execute(runs, Surroundings(tmp_path / "parts", CPU, stop=lambda left=left: next(left, None) is None))
    parts = outcomes_of(runs, tmp_path / "parts")
    for one, other in zip(whole, parts, strict=True):
        assert one.status == "ok"
        assert (one.curves, one.selected, one.others) == (other.curves, other.selected, other.others)


@pytest.mark.parametrize(("keep", "last"), [("last", True), ("source_score", False)])
def test_checkpoints_of_both_phases_are_chosen_and_their_models_predict(keep, last, tmp_path, monkeypatch):
    ruinous = {**SECOND, "optimizer": {"name": "sgd", "lr": 30.0}}
    given = run(FIRST, ruinous, keep=keep, **OFTEN)
    register(monkeypatch, type(given.data))
    (outcome,) = outcomes_of([given], tmp_path)
    steps = {own.selection: own.step for own in outcome.selected}
    assert steps["last"] == 25
    assert steps["source_score"] <= 10
    model = load(tmp_path / outcome.folder)
    assert model.method.apart == (TASKS if last else ())
    rows = split_of(given).target_test[0].x
    stored = load_predictions(tmp_path / outcome.folder)
    assert np.array_equal(model.predict(rows, "kind"), stored)


def load_predictions(folder):
    from dareps.engine import checkpoint

    return checkpoint.load(folder / "model.safetensors")[0]["predicted"].numpy()


def test_a_later_phase_stays_apart_and_freezes_by_stage():
    heads = {**FIRST, "trains": ["heads", "encoder.layer2"]}
    trainer = at_phase(trainer_of([run(FIRST, SECOND, heads)]), 2)
    before = weights_of(trainer)
    trainer._phase(trainer.plans[2])
    after = weights_of(trainer)
    moved = {name for name in after if not torch.equal(before[name], after[name])}
    assert before.keys() == after.keys()
    assert {name.split(".")[5] for name in moved if name.startswith("encoder.alone")} == {"layer2"}
    assert {name.split(".")[1] for name in moved if name.startswith("heads")} == set(TASKS)


def test_nothing_is_said_of_it_where_it_is_not_asked_for():
    assert all("apart" not in phase for phase in dump_run(run(FIRST))["method"]["phases"])
    assert dump_run(run())["method"]["phases"][1]["apart"] is True


def test_what_cannot_go_apart_is_refused():
    both = {"source": "labelled", "target": "unlabelled"}
    with pytest.raises(ValueError, match=r"phases\.2\.align: tasks are apart"):
        run({**FIRST, "streams": both}, SECOND, {**FIRST, "streams": both}, method={"align": ["mmd"]})
    run({**FIRST, "streams": both}, {**SECOND, "streams": both, "align": False}, method={"align": ["mmd"]})
    with pytest.raises(ValueError, match=r"phases\.1\.apart: with joint_many_tasks a task reads what others predict"):
        run(method={"sharing": "joint_many_tasks"})
    with pytest.raises(ValueError, match=r"phases\.1\.apart: there is one task only"):
        run(method={"tasks": ["kind"]})


def test_a_wrong_part_is_refused_before_training():
    with pytest.raises(ConfigError, match="Did you mean"):
        trainer_of([run(FIRST, {**SECOND, "trains": ["encoder.layer3"]})])


@pytest.mark.parametrize("balance", ["famo", "gradnorm", {"name": "db_mtl", "of": "parameters"}], ids=str)
def test_where_no_task_shares_nothing_is_balanced(balance):
    """Neither the second look nor the gradients' products are taken, and the balancer's state stands still."""
    trainer = at_phase(trainer_of([run({**FIRST, "steps": 3}, {**SECOND, "steps": 2}, method={"balance": balance})]), 1)
    method = trainer.population.method
    assert {name.partition(".")[0] for name in trainer.ledgers[0].at(3)} >= {"balance", "task"}
    trainer.enter(trainer.plans[1])
    assert len(method.steps()) == 1
    state = {name: value.clone() for name, value in method.balance.named_buffers()}
    trainer._phase(trainer.plans[1])
    assert all(value.equal(state[name]) for name, value in method.balance.named_buffers())
    assert not any(name.startswith("balance") for name in trainer.ledgers[0].at(5))
