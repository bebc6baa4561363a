"""One seed's failure is its own."""

import dataclasses

import numpy as np
import pytest
import torch

import dareps.engine.building as building_module
from dareps.data.split import make_split
from dareps.engine.execute import Surroundings, execute
from dareps.engine.state import broken
from tests.engine._make import CPU, FLOAT64, SHORT, distance, outcome_of, run_of, trainer_of, weights_of


def _poison(trainer, copy):
    name = next(name for name in trainer.population.parameters if name.endswith("layer1.0.weight"))
    with torch.no_grad():
        trainer.population.parameters[name][copy] = float("nan")


@pytest.mark.parametrize("recipe", ["source_only", "dann", "dan"])
def test_a_seed_that_breaks_leaves_the_others_untouched(recipe):
    runs = [run_of(recipe, (*SHORT, *FLOAT64, ("phases.*.clip", 1.0)), seed) for seed in (0, 1, 2)]
    together, alone = trainer_of(runs), trainer_of(runs[2:])
    _poison(together, 1)
    together.train()
    alone.train()
    assert "step 1: task.digit is not finite" in together.ledgers[1].failure
    assert not together.ledgers[0].failure
    assert not together.ledgers[2].failure
    assert distance(weights_of(together, 2), weights_of(alone)) < 1e-9


def test_a_diverging_run_is_a_failed_outcome_with_step_and_part(tmp_path):
    # Two linear layers in a row; a network with normalisation would bear it.
    overrides = (*SHORT, ("encoder", "linear"), ("phases.0.optimizer", {"name": "sgd", "lr": 9e17}))
    outcome = outcome_of(run_of("source_only", overrides), tmp_path)
    assert outcome.status == "failed"
    assert outcome.error.startswith("step ")
    assert "task.digit is not finite" in outcome.error
    assert outcome.selected == ()


def test_broken_names_the_first_value():
    values = np.array([[1.0, 2.0], [1.0, np.inf], [np.nan, 1.0]])
    assert broken(values, ["a", "b"], 100) == "step 102: b is not finite"
    assert broken(values[:1], ["a", "b"], 0) == ""


def test_a_stack_with_one_diverging_seed_gives_both_outcomes(tmp_path, monkeypatch):
    runs = [run_of("source_only", SHORT, seed) for seed in (0, 1)]

    def spoilt(data, sources, targets, seed, protocol):
        split = make_split(data, sources, targets, seed, protocol)
        if seed == 0:
            return split
        part = split.source_train[0]
        wild = dataclasses.replace(part, x=part.x * np.float32(np.inf))
        return dataclasses.replace(split, source_train=(wild,))

    monkeypatch.setattr(building_module, "make_split", spoilt)
    good, bad = execute(runs, Surroundings(tmp_path, CPU))
    assert (good.status, bad.status) == ("ok", "failed")


def test_a_part_that_raises_is_a_failed_run_and_no_traceback(tmp_path, monkeypatch):
    from dareps.alignment import MMD

    monkeypatch.setattr(MMD, "__call__", lambda self, source, target: source @ target)
    outcome = outcome_of(run_of("dan"), tmp_path)
    assert outcome.status == "failed"
    assert "RuntimeError" in outcome.error


def test_collapse_is_warned_of(tmp_path):
    overrides = (*SHORT, ("phases.0.optimizer", {"name": "adam", "lr": 30.0, "weight_decay": 0.5}))
    outcome = outcome_of(run_of("source_only", overrides), tmp_path)
    assert outcome.status == "ok"
    assert any("collapsed" in text or "one class" in text for text in outcome.warnings), outcome.curves


def test_zero_steps_evaluate_the_untrained_model(tmp_path):
    outcome = outcome_of(run_of("dann", (("phases.0.steps", 0),)), tmp_path)
    assert outcome.status == "ok"
    assert {own.step for own in outcome.selected} == {0}


def test_a_batch_larger_than_the_dataset_works(tmp_path):
    overrides = (*SHORT, ("phases.0.batch", 3000), ("phases.0.steps", 3))
    assert outcome_of(run_of("dann", overrides), tmp_path).status == "ok"


def test_half_precision_trains(tmp_path):
    overrides = (*SHORT, ("engine.precision", "bf16"), ("phases.0.steps", 150))
    outcome = outcome_of(run_of("dann", overrides), tmp_path)
    assert outcome.status == "ok"
    assert outcome.selected[0].source_metric > 0.6
