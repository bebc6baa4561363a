"""Losses that run the method themselves: copies of the networks, passes on rows of their own."""

from dataclasses import replace

import pytest
import torch

from dareps.engine.execute import Surroundings, execute
from dareps.engine.loop import Stopped
from dareps.engine.population import Population
from dareps.recipe.forward import Forward
from tests.engine._make import CPU, FLOAT64, NOISY, SHORT, distance, outcome_of, run_of, trainer_of, weights_of
from tests.engine.test_resume import _same

AUGMENT = ("data.augment", ["crop"])
RUNNING = ("self_training", "mcc_self_training", "fixmatch", "adamatch", "vada")
TWO_PHASES = ("dirt", "adda", "shot")


def _predicting(trainer):
    """The weights that predict, by name."""
    return {
        name: value for name, value in weights_of(trainer).items() if name.partition(".")[0] in ("encoder", "heads")
    }


def _views(trainer, monkeypatch, recipe_step=0):
    """What the alignments of one step see, and the model that they are given."""
    seen = {}
    plan = trainer.plans[0]
    trainer.enter(plan)
    pool = trainer.pool(plan)
    module = trainer.population.method.align[0]
    forward = type(module).forward

    def spy(self, views, strength, step):
        seen.update(views=views, model=step.model)
        return forward(self, views, strength, step)

    monkeypatch.setattr(type(module), "forward", spy)
    (own, *_) = trainer.inputs(plan, pool, recipe_step, recipe_step + 1)
    trainer.population.losses(pool, *pool.gather(own.index), own)
    return seen["views"], seen["model"]


@pytest.mark.parametrize("recipe", RUNNING)
def test_weight_zero_trains_the_networks_as_without_the_loss(recipe):
    overrides = (*SHORT, *NOISY, ("normalise", "per_domain"), AUGMENT)
    zero = tuple((f"align.{index}.weight", 0.0) for index in range(len(run_of(recipe).method.align)))
    with_loss, without = (trainer_of([run_of(recipe, (*overrides, *more))]) for more in (zero, (("align", []),)))
    for trainer in (with_loss, without):
        trainer.train()
    one, other = _predicting(with_loss), _predicting(without)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_views_carry_the_rows_before_and_after_augmentation(monkeypatch):
    trainer = trainer_of([run_of("self_training", (*SHORT, *FLOAT64, AUGMENT))])
    views, model = _views(trainer, monkeypatch)
    assert isinstance(model, Forward)
    for view in views:
        assert view.x.shape == view.plain.shape
        assert not torch.equal(view.x, view.plain)
        once_more = model.augmented(view, "again")
        assert not torch.equal(once_more, view.x)
        assert torch.equal(once_more, model.augmented(view, "again"))
        assert not torch.equal(once_more, model.augmented(view, "otherwise"))


def test_without_augmentation_the_rows_are_plain(monkeypatch):
    views, model = _views(trainer_of([run_of("self_training", (*SHORT, *FLOAT64))]), monkeypatch)
    for view in views:
        assert torch.equal(view.x, view.plain)
        assert torch.equal(model.augmented(view, "again"), view.plain)


@pytest.mark.parametrize("normalise", ["joint", "per_domain", "domain_specific"])
def test_a_pass_over_the_steps_own_rows_gives_the_steps_own_outputs(normalise, monkeypatch):
    network = ("encoder", {"name": "mlp", "width": 16, "norm": True})
    trainer = trainer_of([run_of("self_training", (*SHORT, *FLOAT64, network, ("normalise", normalise)))])
    views, model = _views(trainer, monkeypatch)
    before = weights_of(trainer)
    for view, again in zip(views, model(views), strict=True):
        torch.testing.assert_close(again.shared, view.shared)
        torch.testing.assert_close(again.logits, view.logits)
    assert distance(before, weights_of(trainer)) == 0


def test_passes_of_one_name_see_the_same_dropout(monkeypatch):
    views, model = _views(trainer_of([run_of("self_training", (*SHORT, *NOISY))]), monkeypatch)
    first, second, other = (model(views, place)[1].logits for place in ("a", "a", "b"))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert not torch.equal(first, views[1].logits)


def test_a_gradient_reaches_inputs_and_weights_but_not_copies(monkeypatch):
    trainer = trainer_of([run_of("self_training", (*SHORT, *NOISY, *FLOAT64))])
    views, model = _views(trainer, monkeypatch)
    x = views[1].x.clone().requires_grad_()
    weight = trainer.population.parameters["heads.digit.weight"]
    by_student = model([replace(views[1], x=x)])[0].logits.square().sum()
    assert all(own.any() for own in torch.autograd.grad(by_student, (x, weight)))
    by_teacher = model([replace(views[1], x=x)], networks=trainer.population.method.align[0].teacher)[0]
    assert not by_teacher.logits.requires_grad


@pytest.mark.parametrize("stacked", [False, True])
def test_copies_start_at_the_networks_of_their_own_seed(stacked):
    trainer = trainer_of([run_of("self_training", SHORT, seed) for seed in ((0, 4) if stacked else (4,))], stacked)
    trainer.enter(trainer.plans[0])
    weights = weights_of(trainer, copy=len(trainer.runs) - 1)
    copies = {name.partition("teacher.")[2]: value for name, value in weights.items() if "teacher." in name}
    assert copies
    assert all(torch.equal(weights[name], value) for name, value in copies.items())


@pytest.mark.parametrize("recipe", [*RUNNING[1:], *TWO_PHASES])
def test_images_in_half_precision(recipe):
    network = {"name": "digit_cnn", "padding": 2, "channels": [3, 4], "width": 8, "dropout": 0.2}
    few = (("phases.*.steps", 3), ("engine.precision", "bf16"), ("encoder", network), ("normalise", "per_domain"))
    trainer = trainer_of([run_of(recipe, (*SHORT, *few, AUGMENT))])
    trainer.train()
    assert not trainer.ledgers[0].failure
    assert all(value.isfinite().all() for value in weights_of(trainer).values())


def test_copies_are_not_trained():
    population: Population = trainer_of([run_of("self_training", SHORT)]).population
    assert not any("teacher" in name for name in population.parameters)
    assert any("teacher" in name for name in population.buffers)


@pytest.mark.parametrize("stops", [1, 4])
@pytest.mark.parametrize("recipe", ["self_training", *TWO_PHASES])
def test_a_stopped_run_with_copies_continues_exactly(recipe, stops, tmp_path):
    overrides = (*SHORT, *NOISY, ("normalise", "per_domain"), ("engine.checkpoint_seconds", 0.0), AUGMENT)
    overrides = (*overrides, ("engine.flush", 7))
    run = run_of(recipe, overrides)
    whole = outcome_of(run, tmp_path / "whole")
    calls = iter(range(100))
    with pytest.raises(Stopped):
        execute([run], Surroundings(tmp_path / "parts", CPU, stop=lambda: next(calls) >= stops))
    _same(whole, outcome_of(run, tmp_path / "parts"), tmp_path / "whole", tmp_path / "parts")
