"""No recipe may see target labels: with garbage in their place, nothing but the test metric moves."""

import dataclasses

import numpy as np
import pytest
import torch

import dareps.engine.building as building_module
from dareps.data._base import Sealed
from dareps.data.split import make_split
from dareps.engine import checkpoint
from dareps.recipe.bind import shipped
from dareps.transfer import Train
from tests.engine._make import SHORT, outcome_of, run_of

OVERRIDES = (*SHORT, ("phases.*.steps", 60))


def _reads_target_labels(recipe):
    phases = run_of(recipe, ()).method.phases
    return any(isinstance(phase, Train) and phase.streams.target == "labelled" for phase in phases)


READING = [name for name in shipped("recipes") if _reads_target_labels(name)]


def _garbage(*arguments):
    data = make_split(*arguments)
    generator = np.random.default_rng(0)
    labels = {
        part: {own.domain: {"digit": generator.integers(0, 10, len(own.x))} for own in parts}
        for part, parts in (
            ("train", data.target_train),
            ("validation", data.target_validation),
            ("test", data.target_test),
        )
    }
    return dataclasses.replace(data, sealed=Sealed(labels))


def _both(recipe, tmp_path, monkeypatch):
    overrides = OVERRIDES if recipe != "linear_svm" else ()
    honest = outcome_of(run_of(recipe, overrides), tmp_path / "honest")
    monkeypatch.setattr(building_module, "make_split", _garbage)
    spoilt = outcome_of(run_of(recipe, overrides), tmp_path / "spoilt")
    files = [
        checkpoint.load(tmp_path / side / own.folder / "model.safetensors")[0]
        for side, own in (("honest", honest), ("spoilt", spoilt))
    ]
    return honest, spoilt, files


def _label_free(outcome):
    curves = {name: curve for name, curve in outcome.curves.items() if name != "score.oracle"}
    rows = [
        (own.selection, own.step, own.score, own.source_metric) for own in outcome.selected if own.selection != "oracle"
    ]
    return outcome.status, outcome.target_labels, outcome.warnings, curves, rows, outcome.scatter


@pytest.mark.parametrize("recipe", [name for name in shipped("recipes") if name not in READING])
def test_garbage_target_labels_change_nothing_but_the_test_metric(recipe, tmp_path, monkeypatch):
    honest, spoilt, (one, other) = _both(recipe, tmp_path, monkeypatch)
    assert honest.target_labels == 0
    assert _label_free(honest) == _label_free(spoilt)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert [own.target_metric for own in honest.selected] != [own.target_metric for own in spoilt.selected]


@pytest.mark.parametrize("recipe", READING)
def test_a_recipe_that_trains_on_target_labels_fails_the_same_test(recipe, tmp_path, monkeypatch):
    honest, spoilt, (one, other) = _both(recipe, tmp_path, monkeypatch)
    assert honest.target_labels > 0
    assert _label_free(honest) != _label_free(spoilt)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_unlabelled_streams_have_no_labels():
    from tests.engine._make import trainer_of

    trainer = trainer_of([run_of("dann")])
    plan = trainer.plans[0]
    pool = trainer.pool(plan)
    x, y = pool.gather(next(trainer.inputs(plan, pool, 0, 1)).index)
    source, target = pool.batch(x, y, None).streams
    assert hasattr(source, "y")
    assert not hasattr(target, "y")
    assert (y["digit"][len(source.x) :] < 0).all()
