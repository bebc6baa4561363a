"""Balancers in the loop, on three tasks of three kinds."""

import pytest
import torch

from dareps.balancing import Balancer
from dareps.engine.loop import Trainer
from dareps.errors import ConfigError
from dareps.plugin import plugins
from dareps.recipe.bind import bind_recipe
from dareps.types import LOOK
from tests.engine._make import CPU, distance, weights_of
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


SOFT = {"name": "soft", "along": "tasks"}
NOISY = {"name": "mlp", "width": 8, "norm": True, "dropout": 0.3}


def test_gradients_that_do_not_meet_are_refused_with_the_reason():
    with pytest.raises(ConfigError, match=r"balance mgda: .*features of their own.*sharing: hard.*parameters"):
        stood(balanced_run("mgda", sharing=SOFT))
    with pytest.raises(ConfigError, match=r"balance mgda: the tasks share no parameter"):
        stood(balanced_run({"name": "mgda", "of": "parameters"}, sharing=SOFT))
    with pytest.raises(ConfigError, match=r"balance.of: .*'features' or 'parameters'"):
        bind_recipe({"balance": {"name": "mgda", "of": "heads"}}, "recipe mine")


def shared_by_hand(method):
    """The parameters of the encoder that no task has for itself."""
    private = {id(p) for task in method.encoder.names for own in method.encoder.own(task) for p in own.parameters()}
    own = private if method.encoder.along == "tasks" else ()
    return [value for value in method.encoder.parameters() if id(value) not in own]


@pytest.mark.parametrize("sharing", ["hard", "hierarchical", "cross_stitch", "mmoe", "shared_private"])
def test_gradients_by_parameters_are_those_of_each_loss(sharing):
    sharing = sharing if sharing == "hard" else {"name": sharing, "along": "tasks"}
    run = balanced_run("equal", sharing=sharing, encoder=NOISY)
    trainer, pool, (x, y), inputs = first_batch(run)
    before = weights_of(trainer)
    _, values = trainer.population.losses(pool, x, y, inputs, pairs="parameters")
    plain = first_batch(run)[0].population
    plain.losses(pool, x, y, inputs)
    assert all(torch.equal(plain.buffers[name], value) for name, value in trainer.population.buffers.items())
    assert any(not torch.equal(before[name], value) for name, value in trainer.population.buffers.items())
    shared = shared_by_hand(trainer.population.method)
    slopes = []
    for task in (AGE, KIND, TAGS):
        found = torch.autograd.grad(values[f"task.{task.name}"], shared, retain_graph=True, allow_unused=True)
        pairs = zip(shared, found, strict=True)
        slopes.append(torch.cat([(own * 0 if slope is None else slope).flatten() for own, slope in pairs]))
    for one, name in zip(slopes, ("age", "kind", "tags"), strict=True):
        torch.testing.assert_close(values[f"norm.{name}"], one.norm())
    cosine = slopes[0] @ slopes[2] / (slopes[0].norm() * slopes[2].norm())
    torch.testing.assert_close(values["cosine.age.tags"], cosine)


def test_gradients_by_features_are_those_of_each_loss():
    trainer, pool, (x, y), inputs = first_batch(balanced_run("equal"))
    method, seen = trainer.population.method, []
    method.encoder.register_forward_hook(lambda module, args, found: seen.append(found[0]["age"].task))
    _, values = trainer.population.losses(pool, x, y, inputs, pairs="features")
    slopes = [torch.autograd.grad(values[f"task.{own}"], seen[0], retain_graph=True)[0] for own in ("age", "kind")]
    torch.testing.assert_close(values["norm.kind"], slopes[1].norm())
    cosine = (slopes[0] * slopes[1]).sum() / (slopes[0].norm() * slopes[1].norm())
    torch.testing.assert_close(values["cosine.age.kind"], cosine)


def test_stacked_seeds_balance_parameters_as_if_alone():
    runs = [balanced_run({"name": "gradnorm", "of": "parameters"}, seed, encoder=NOISY) for seed in (0, 5)]
    together, alone = trainer_of(runs, stacked=True), trainer_of(runs[1:])
    together.train()
    alone.train()
    assert distance(weights_of(together, 1), weights_of(alone)) < 1e-9


def test_a_second_look_moves_nothing_but_the_balancer():
    """With one task its weight is 1 whatever the look says, so that all else is as with equal weights."""
    method = {"encoder": NOISY, "tasks": ("kind",)}
    first, second = (
        trainer_of([run_on(dataset(tasks=(KIND,)), {**method, "balance": own}, engine={"precision": "float64"})])
        for own in ("equal", "famo")
    )
    first.train()
    second.train()
    weights = weights_of(second)
    state = {name: weights.pop(name) for name in list(weights) if name.startswith("balance.")}
    assert distance(weights_of(first), weights) < 1e-9
    assert state["balance.count"] == 30


def test_the_second_look_sees_the_same_rows_and_noise_after_the_step():
    run = balanced_run({"name": "famo", "rate": 0.1}, encoder=NOISY)
    trainer, pool, (x, y), inputs = first_batch(run)
    population = trainer.population
    trainer.step_function(trainer.plans[0], pool)(inputs)
    method = population.method
    with torch.no_grad():
        after = population.losses(pool, x, y, inputs, LOOK)[1]
    fell = method.balance.before.log() - torch.stack([after[f"task.{name}"] for name in method.branches]).log()
    # The first step of Adam is the rate times the sign of the slope, which is (fell - mean) / 3 at equal weights.
    torch.testing.assert_close(method.balance.logits, -0.1 * (fell - fell.mean()).sign(), atol=1e-5, rtol=0)
