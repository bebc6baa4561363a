"""Balancers in the loop, on three tasks of three kinds."""

import pytest
import torch

from dareps.balancing import Balancer
from dareps.engine.loop import Trainer
from dareps.errors import ConfigError
from dareps.plugin import plugins
from tests.engine._make import CPU
from tests.engine._tasks import AGE, KIND, TAGS, dataset, first_batch, outcomes_of, run_on, split_of

NAMES = sorted(plugins(Balancer))
GRADIENTS = [name for name in NAMES if plugins(Balancer)[name].needs_all]
SOME = {"a": {"age": 0.5, "tags": 0.3}}


def trainer_of(runs, stacked=None):
    return Trainer(runs, [split_of(run) for run in runs], CPU, stacked=stacked)


def balanced_run(name, seed=0, **method):
    return run_on(dataset(SOME), {"balance": name, **method}, seed=seed, engine={"precision": "float64"})


def stood(run):
    """A trainer at its first step: the method, its objective, and the logged parts."""
    trainer, pool, (x, y), inputs = first_batch(run)
    total, values = trainer.population.losses(pool, x, y, inputs)
    return trainer.population.method, total, values


@pytest.mark.parametrize("name", NAMES)
def test_every_balancer_learns_all_tasks(name, tmp_path):
    method = {"balance": name, "phases": [{"steps": 200, "optimizer": {"name": "adam", "lr": 0.01}}]}
    (outcome,) = outcomes_of([run_on(dataset(SOME), method)], tmp_path)
    last = [
        next(row for row in rows if row.selection == "last") for rows in (outcome.selected, *outcome.others.values())
    ]
    assert [row.source_metric > 0.6 for row in last] == [True] * 3
    shown = {key for key in outcome.curves if key.startswith("balance.")}
    assert shown in (set(), {"balance.age", "balance.kind", "balance.tags"})
    assert bool(shown) == (name not in ("equal", "fixed", "geometric"))


@pytest.mark.parametrize("name", NAMES)
def test_stacked_seeds_train_as_if_alone(name):
    runs = [balanced_run(name, seed) for seed in (0, 5)]
    together, alone = trainer_of(runs, stacked=True), trainer_of(runs[1:])
    together.train()
    alone.train()
    for key, value in alone.population.weights(0).items():
        torch.testing.assert_close(together.population.weights(1)[key], value, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", GRADIENTS)
def test_the_encoder_moves_by_the_weighted_sum_of_the_tasks_gradients(name):
    method, total, values = stood(balanced_run(name))
    weights = [method.encoder.encoder.chain["layer1"][0].weight]
    losses = {task.name: values[f"task.{task.name}"] for task in (AGE, KIND, TAGS)}
    slopes = {key: torch.autograd.grad(loss, weights, retain_graph=True)[0] for key, loss in losses.items()}
    expected = sum(values[f"balance.{key}"] * slope for key, slope in slopes.items())
    torch.testing.assert_close(torch.autograd.grad(total, weights)[0], expected)


def test_two_tasks_in_conflict_are_weighed_by_the_gradients_of_their_features():
    """MGDA's weights by hand, from gradients by the features that both heads read."""
    data = dataset(tasks=(AGE, KIND))
    run = run_on(data, {"balance": "mgda"}, engine={"precision": "float64"})
    trainer, pool, (x, y), inputs = first_batch(run)
    _, values = trainer.population.losses(pool, x, y, inputs)
    method = trainer.population.method
    features = method.encoder.encoder(x[: run.method.phases[0].batch]).detach().requires_grad_()
    age = (method.heads["age"](features) - y["age"][: len(features)]).square().mean()
    kind = torch.nn.functional.cross_entropy(method.heads["kind"](features), y["kind"][: len(features)])
    first, second = (torch.autograd.grad(loss, features)[0] for loss in (age, kind))
    share = float((((second - first) * second).sum() / (first - second).square().sum()).clamp(0, 1))
    assert float(values["balance.age"]) == pytest.approx(2 * share, abs=1e-9)
    assert float(values["balance.kind"]) == pytest.approx(2 - 2 * share, abs=1e-9)


def test_gradients_that_do_not_meet_are_refused_with_the_reason():
    run = balanced_run("mgda", sharing={"name": "soft", "along": "tasks"})
    with pytest.raises(ConfigError, match=r"features of their own.*sharing: hard"):
        stood(run)
