"""Series that say how the tasks' gradients agree with the step and with each other."""

import numpy as np
import pytest
import torch

from dareps.engine.loop import Trainer
from dareps.errors import ConfigError
from dareps.recipe.bind import dump_run
from tests.engine._make import CPU, distance, weights_of
from tests.engine._tasks import dataset, first_batch, outcomes_of, run_on, split_of

SOME = {"a": {"age": 0.5, "tags": 0.3}}
NOISY = {"name": "mlp", "width": 8, "norm": True, "dropout": 0.3}
NAMES = ("age", "kind", "tags")


def watched_run(conflict, seed=0, balance="equal", **method):
    engine = {"precision": "float64", "conflict": conflict}
    phases = [{"optimizer": {"name": "adam", "lr": 0.01}, "clip": 0.5}]
    settings = {"balance": balance, "encoder": NOISY, "phases": phases, **method}
    return run_on(dataset(SOME), settings, seed=seed, engine=engine)


def trainer_of(*runs, stacked=None):
    return Trainer(runs, [split_of(run) for run in runs], CPU, stacked=stacked)


def series(trainer, copy=0):
    return {name: curve for name, curve in trainer.ledgers[copy].curves.items() if name.split(".")[0] in SERIES}


SERIES = ("conflict", "cosine", "norm")


@pytest.mark.parametrize(("along", "parts"), [(["encoder"], ("encoder",)), (["*"], ("encoder", "heads"))], ids=str)
def test_a_step_changes_each_loss_by_its_gradient_times_what_moved(along, parts):
    trainer, pool, (x, y), inputs = first_batch(watched_run({"along": along}))
    population = trainer.population
    _, values = population.losses(pool, x, y, inputs)
    moving = {name: own for name, own in population.parameters.items() if name.startswith(parts)}
    slopes = {
        task: torch.autograd.grad(values[f"task.{task}"], list(moving.values()), retain_graph=True, allow_unused=True)
        for task in NAMES
    }
    before = {name: own.detach().clone() for name, own in moving.items()}
    logged = trainer.step_function(trainer.plans[0], pool, watched=True)(inputs)
    for task in NAMES:
        pairs = zip(slopes[task], moving.items(), strict=True)
        expected = sum(
            (slope * (own.detach() - before[name])).sum() for slope, (name, own) in pairs if slope is not None
        )
        torch.testing.assert_close(logged[f"conflict.{task}"], expected)
        assert logged[f"conflict.{task}"] != 0


def test_finite_differences_agree():
    """A small step changes losses by what was logged of it, to second order."""
    method = {"encoder": {"name": "mlp", "width": 8}, "phases": [{"optimizer": {"name": "sgd", "lr": 1e-5}}]}
    trainer, pool, (x, y), inputs = first_batch(watched_run({"along": ["*"]}, **method))
    step = trainer.step_function(trainer.plans[0], pool, watched=True)
    before = trainer.population.losses(pool, x, y, inputs)[1]
    logged = step(inputs)
    after = trainer.population.losses(pool, x, y, inputs)[1]
    for task in NAMES:
        change = (after[f"task.{task}"] - before[f"task.{task}"]).detach()
        torch.testing.assert_close(logged[f"conflict.{task}"], change, rtol=1e-3, atol=1e-12)
        assert change != 0


@pytest.mark.parametrize("pairs", ["features", "parameters", None])
def test_what_is_trained_does_not_change(pairs):
    plain, watched = trainer_of(watched_run(None)), trainer_of(watched_run({"every": 7, "pairs": pairs}))
    plain.train()
    watched.train()
    assert distance(weights_of(plain), weights_of(watched)) == 0
    assert not series(plain)
    expected = {f"conflict.{name}" for name in NAMES}
    if pairs:
        expected |= {f"norm.{name}" for name in NAMES} | {"cosine.age.kind", "cosine.age.tags", "cosine.kind.tags"}
    assert set(series(watched)) == expected
    assert all(len(curve) == 3 for curve in series(watched).values())


@pytest.mark.parametrize("balance", ["equal", "famo", "mgda"])
def test_stacked_seeds_are_watched_as_if_alone(balance):
    runs = [watched_run({"every": 3, "pairs": "parameters"}, seed, balance) for seed in (0, 5)]
    together, alone = trainer_of(*runs, stacked=True), trainer_of(runs[1])
    together.train()
    alone.train()
    found, expected = series(together, 1), series(alone)
    assert found.keys() == expected.keys()
    for name, curve in expected.items():
        assert np.array(found[name]) == pytest.approx(np.array(curve), rel=1e-8, abs=1e-12)


def test_a_phase_that_moves_nothing_of_the_part_has_no_such_series():
    trainer = trainer_of(watched_run({"every": 3}, phases=[{"trains": ["heads"]}]))
    trainer.train()
    assert {name.split(".")[0] for name in series(trainer)} == {"cosine", "norm"}


def test_tasks_in_turn_are_watched_in_turn():
    trainer = trainer_of(watched_run({"every": 1}, phases=[{"sampling": "round_robin"}]))
    trainer.train()
    assert {f"conflict.{name}" for name in NAMES} <= set(series(trainer))


def test_a_run_says_so_in_its_outcome_and_configuration(tmp_path):
    run, plain = watched_run({"every": 5}), watched_run(None)
    (outcome,) = outcomes_of([run], tmp_path)
    assert "conflict.age" in outcome.curves
    assert "conflict" not in dump_run(plain)["engine"]
    assert dump_run(run)["engine"]["conflict"] == {"every": 5, "along": ["encoder"], "pairs": "features"}


@pytest.mark.parametrize(
    ("conflict", "method", "message"),
    [
        ({"along": ["encodr"]}, {}, r"engine.conflict.along: no such part of the method, got 'encodr'.*encoder"),
        ({}, {"sharing": {"name": "soft", "along": "tasks"}}, r"engine.conflict.pairs: .*features of their own"),
    ],
)
def test_what_cannot_be_watched_is_refused(conflict, method, message):
    with pytest.raises(ConfigError, match=message):
        trainer_of(watched_run(conflict, **method)).train()
