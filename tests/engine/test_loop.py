import dataclasses

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from dareps.engine.moving import trained
from dareps.engine.phases import rates
from dareps.engine.rows import IndexOrder
from dareps.engine.state import evaluation_steps
from dareps.errors import ConfigError
from dareps.maths.noise import Noise
from dareps.types import Step
from tests.engine._make import FLOAT64, NOISY, SHORT, distance, run_of, trainer_of, weights_of

PLAIN = (*SHORT, *FLOAT64)
ALIGNED = (
    *("dann", "dan", "deep_coral", "cmd", "mcc"),
    *("cdan", "cdan_e", "wdgrl", "domain_confusion", "mcd", "mdd"),
)


def _shared(one, other):
    return {name: value for name, value in one.items() if name in other}


@pytest.mark.parametrize("recipe", ALIGNED)
def test_weight_zero_is_source_only(recipe):
    baseline, zero = (
        trainer_of([run_of("source_only", (*PLAIN, ("encoder.activation", "sigmoid")))]),
        trainer_of([run_of(recipe, (*PLAIN, ("encoder.activation", "sigmoid"), ("align.0.weight", 0.0)))]),
    )
    baseline.train()
    zero.train()
    ours = _shared(weights_of(zero), weights_of(baseline))
    assert distance(ours, weights_of(baseline)) < 1e-12


@pytest.mark.parametrize("recipe", ALIGNED)
def test_every_alignment_moves_the_encoder(recipe):
    heavy = trainer_of([run_of(recipe, (*PLAIN, ("align.0.weight", 5.0), ("align.0.schedule", "constant")))])
    zero = trainer_of([run_of(recipe, (*PLAIN, ("align.0.weight", 0.0)))])
    heavy.train()
    zero.train()
    name = "encoder.encoder.chain.layer1.0.weight"
    assert (weights_of(heavy)[name] - weights_of(zero)[name]).abs().max() > 1e-4


def test_the_same_seed_gives_every_recipe_the_same_start():
    runs = [trainer_of([run_of(recipe, NOISY)]) for recipe in ("source_only", "dann", "mcc")]
    first, *rest = [weights_of(trainer) for trainer in runs]
    for other in rest:
        assert distance(_shared(other, first), first) == 0


def test_runs_with_other_flushes_and_evaluations_train_alike():
    one = trainer_of([run_of("dann", (*PLAIN, *NOISY, ("engine.flush", 4), ("engine.evaluations", 5)))])
    other = trainer_of([run_of("dann", (*PLAIN, *NOISY, ("engine.flush", 50), ("engine.evaluations", 1)))])
    one.train()
    other.train()
    assert distance(weights_of(one), weights_of(other)) == 0


def test_frozen_parts_do_not_move():
    phases = [
        {"streams": {"source": "labelled"}, "steps": 10},
        {"streams": {"source": "labelled"}, "steps": 10, "trains": ["heads"], "optimizer": {"name": "adamw"}},
    ]
    run = run_of("source_only", (("phases", phases), *NOISY, ("engine.evaluations", 2)))
    trainer = trainer_of([run])
    before = {}
    trainer.hooks.report = lambda state: before.update(weights_of(trainer)) if state.step == 10 else None
    trainer.train()
    after = weights_of(trainer)
    moved = {name for name in after if not torch.equal(after[name], before[name])}
    assert moved == {"heads.digit.weight", "heads.digit.bias"}


def test_an_unknown_part_is_a_config_error():
    trainer = trainer_of([run_of("source_only")])
    with pytest.raises(ConfigError, match=r"encoder\.layer1"):
        trained(trainer.population, ["encoder.layr1"], "phases.0.trains")


def test_the_published_rate_schedule():
    phase = run_of(
        "source_only",
        (
            ("phases.0.optimizer", {"name": "sgd", "lr": 0.01}),
            ("phases.0.schedule", "annealing"),
            ("phases.0.steps", 100),
        ),
    ).method.phases[0]
    found = rates(phase, torch.tensor([0, 50, 100]))
    assert found.tolist() == pytest.approx([0.01, 0.01 * 6**-0.75, 0.01 * 11**-0.75])


@given(st.integers(1, 40), st.integers(1, 50), st.integers(0, 30), st.integers(1, 20))
@settings(deadline=None, derandomize=True)
def test_the_order_of_rows(rows, batch, start, count):
    order = IndexOrder(rows, batch, ("seed", 1))
    block = order.block(start, count)
    assert block.shape == (count, batch)
    whole = order.block(0, start + count)
    np.testing.assert_array_equal(block, whole[start:])
    flat = whole.reshape(-1)
    for epoch in range(len(flat) // rows):
        assert sorted(flat[epoch * rows : (epoch + 1) * rows]) == list(range(rows))


@given(st.integers(0, 5000), st.integers(1, 60))
def test_evaluations_are_spread_and_end_at_the_last_step(total, count):
    found = evaluation_steps(total, count)
    assert max(found) == total
    assert len(found) <= count
    assert len(found) == min(count, max(total, 1))


def test_strengths_of_a_window_are_weight_times_schedule_of_every_alignment():
    align = [
        {"name": "mmd", "weight": 0.3, "schedule": "ramp"},
        {"name": "adversarial", "weight": 2.0, "schedule": {"name": "linear", "start": 1.0, "end": 0.0}},
    ]
    trainer = trainer_of([run_of("dann", (*PLAIN, ("align", align)))])
    plan = trainer.plans[0]
    trainer.enter(plan)
    for own in trainer.inputs(plan, trainer.pool(plan), 0, 30):
        p = own.progress.item()
        expected = [0.3 * (2 / (1 + np.exp(-10 * p)) - 1), 2.0 * (1 - p)]
        np.testing.assert_allclose(own.strengths.numpy(), expected, atol=1e-14)


def test_a_step_without_strengths_computes_its_own():
    trainer = trainer_of([run_of("dann", PLAIN)])
    plan = trainer.plans[0]
    trainer.enter(plan)
    pool = trainer.pool(plan)
    own = list(trainer.inputs(plan, pool, 0, 30))[17]
    method, x_y = trainer.population.method, pool.gather(own.index)
    batch = pool.batch(*x_y, Noise(trainer.population.seed, own.step))
    given = Step(own.progress, own.total_progress, Noise(trainer.population.seed, own.step), own.strengths)
    left_out = dataclasses.replace(given, strengths=None)
    gradients = [
        torch.autograd.grad(method(batch, step)[0], list(method.encoder.parameters())) for step in (given, left_out)
    ]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=0)
