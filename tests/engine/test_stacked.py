import pytest
import torch

from dareps.maths.noise import Noise
from tests.engine._make import DEEP, FLOAT64, NOISY, SHORT, distance, run_of, trainer_of, weights_of

FIFTY = (*FLOAT64, ("phases.*.steps", 50), ("phases.*.clip", 1.0))
CNN = (("encoder", {"name": "digit_cnn", "padding": 2, "channels": [3, 4], "width": 8, "dropout": 0.2}),)

NORMALISATIONS = ("joint", "per_domain", "domain_specific")


def lengths():
    """Every recipe with every normalisation: 50 steps with one of them, taken in turn, and 12 with the others."""
    for place, recipe in enumerate(DEEP):
        for number, normalise in enumerate(NORMALISATIONS):
            yield recipe, normalise, 50 if number == place % len(NORMALISATIONS) else 12


@pytest.mark.parametrize(("recipe", "normalise", "steps"), list(lengths()))
def test_stacked_seeds_train_as_if_alone(recipe, normalise, steps):
    overrides = (*SHORT, *NOISY, *FIFTY, ("normalise", normalise))
    phases = len(run_of(recipe).method.phases)
    overrides = (*overrides, ("phases.*.steps", steps // phases))
    runs = [run_of(recipe, overrides, seed) for seed in (0, 3, 11)]
    together = trainer_of(runs)
    together.train()
    for copy, run in list(enumerate(runs))[:: 1 if steps == 50 else 2]:
        alone = trainer_of([run])
        alone.train()
        assert distance(weights_of(together, copy), weights_of(alone)) < 1e-9
        assert together.ledgers[copy].curves.keys() == alone.ledgers[0].curves.keys()


def test_a_convolutional_stack_trains_as_if_alone():
    runs = [run_of("dann", (*SHORT, *FIFTY, *CNN), seed) for seed in (0, 1)]
    together, alone = trainer_of(runs), trainer_of(runs[1:])
    together.train()
    alone.train()
    assert distance(weights_of(together, 1), weights_of(alone)) < 1e-9


def test_a_stack_of_one_is_the_same_run():
    run = run_of("dan", (*SHORT, *FIFTY, *NOISY))
    stacked, plain = trainer_of([run], stacked=True), trainer_of([run])
    stacked.train()
    plain.train()
    assert distance(weights_of(stacked), weights_of(plain)) < 1e-9
    for name, curve in plain.ledgers[0].curves.items():
        steps, values = zip(*curve, strict=True)
        other_steps, other_values = zip(*stacked.ledgers[0].curves[name], strict=True)
        assert steps == other_steps
        assert other_values == pytest.approx(values, abs=1e-9), name


def test_stacked_augmentation_is_each_seeds_own():
    overrides = (*SHORT, *FLOAT64, ("data.augment", [{"name": "affine"}]))
    runs = [run_of("source_only", overrides, seed) for seed in (0, 1)]
    together, alone = trainer_of(runs), trainer_of(runs[1:])
    together.train()
    alone.train()
    assert distance(weights_of(together, 1), weights_of(alone)) < 1e-9


@pytest.mark.parametrize("role", ["source", "target"])
def test_an_augmentation_may_be_meant_for_one_stream(role):
    augment = ("data.augment", [{"name": "erasing", "streams": role}])
    plain, own = (trainer_of([run_of("dann", (*SHORT, *FLOAT64, *more))]) for more in ((), (augment,)))
    batches = []
    for trainer in (plain, own):
        plan = trainer.plans[0]
        trainer.enter(plan)
        pool = trainer.pool(plan)
        (first, *_) = trainer.inputs(plan, pool, 0, 1)
        batches.append(pool.batch(*pool.gather(first.index), Noise(trainer.population.seed, first.step)))
    for before, after in zip(batches[0].streams, batches[1].streams, strict=True):
        assert torch.equal(before.x, after.x) == (before.role != role)
