"""Conformal sets of trained models: what is kept of the calibration rows, and what sets are made of it."""

import dataclasses
from typing import ClassVar

import numpy as np
import pytest
import torch

from dareps.data._base import Part, Sealed
from dareps.engine import checkpoint
from dareps.engine.building import build_method
from dareps.engine.conformal import Calibration, calibration_of
from dareps.engine.evaluate import Evaluator
from dareps.engine.inputs import spaced
from dareps.engine.predict import load
from dareps.engine.saving import MODEL
from dareps.errors import ConfigError
from dareps.maths.conformal import prediction_sets
from dareps.maths.domain_classifier import density_ratio
from tests.engine import _tasks
from tests.engine._make import CPU, SHORT, data_of, outcome_of, run_of
from tests.engine.test_label_shift import Shifted

LONGER = (*SHORT, ("phases.*.steps", 200))


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A run and the folder of its model."""
    folder, run = tmp_path_factory.mktemp("sets"), run_of("dann", LONGER)
    outcome = outcome_of(run, folder)
    return run, folder / outcome.folder


def untrained(run):
    data = _tasks.split_of(run)
    return Evaluator(data, CPU, torch.float32, 1000), build_method(run, data)


def test_the_calibration_rows_are_source_validation_rows(digits):
    run, folder = digits
    model, data = load(folder), data_of(run)
    evaluator = Evaluator(data, CPU, torch.float32, 1000)
    (held,) = data.source_validation
    found = evaluator.seen(model.method, [held])["digit"]
    p = found.probabilities[np.arange(len(held.x)), held.y["digit"]]
    np.testing.assert_allclose(model.calibration.scores, 1 - p, atol=1e-9)
    (unlabelled,) = data.target_train
    thinned = Part("scans", "target", unlabelled.x[spaced(len(unlabelled.x), 1000)])
    train, target = (evaluator.seen(model.method, own)["digit"].features for own in (evaluator.train, [thinned]))
    expected = density_ratio(train, target, found.features, rows=1000)
    np.testing.assert_allclose(model.calibration.weights, expected, rtol=1e-6)


def test_sets_are_those_of_the_weighted_quantile(digits):
    run, folder = digits
    model, held = load(folder), load(folder).calibration
    rows = type(run.data)().rows("scans").x[:50]
    found = model._outputs(rows, model.task)
    expected = prediction_sets(model.predict_proba(rows), held.ratio(found.features), held.scores, held.weights, 0.8)
    assert (model.predict_sets(rows, 0.8) == expected).all()
    assert (model.predict_sets(rows, 0.5) <= model.predict_sets(rows, 0.99)).all()


def test_rows_of_the_source_need_no_weights(digits):
    run, folder = digits
    model = load(folder, domain="fonts")
    rows = type(run.data)().rows("fonts").x[:50]
    held, p = model.calibration, model.predict_proba(rows)
    limit = np.sort(held.scores)[int(np.ceil(0.9 * (len(held.scores) + 1))) - 1]
    assert (model.predict_sets(rows, 0.9) == (1 - p <= limit)).all()
    assert held.worth(model.of_target) == pytest.approx(len(held.scores))
    assert held.worth(True) < len(held.scores)


def test_what_is_kept_is_what_was_kept(digits):
    held = load(digits[1]).calibration
    again = Calibration.restored(held.tensors())
    for name in ("scores", "weights"):
        assert (getattr(again, name) == getattr(held, name)).all()
    assert all(np.array_equal(*pair) for pair in zip(*map(dataclasses.astuple, (held.ratio, again.ratio)), strict=True))
    assert Calibration.restored({}) is None


def test_a_source_alone_is_calibrated_without_weights():
    run = _tasks.run_on(_tasks.dataset(tasks=(_tasks.KIND,)), source=("a",), target=(), protocol="supervised")
    held = calibration_of(*untrained(run))
    assert held.ratio is None
    assert held.weights.tolist() == [1.0] * len(held.scores)
    assert set(held.tensors()) == {"scores", "weights"}


def test_no_target_label_is_read():
    evaluator, method = untrained(_tasks.run_on(Shifted()))
    blind = Evaluator(dataclasses.replace(evaluator.data, sealed=Sealed({})), CPU, torch.float32, 1000)
    assert len(calibration_of(blind, method).scores) == 800


def test_what_is_not_finite_or_a_set_of_labels_is_not_calibrated():
    evaluator, method = untrained(_tasks.run_on(Shifted()))
    with torch.no_grad():
        method.heads["kind"].bias.fill_(float("nan"))
    assert calibration_of(evaluator, method) is None
    assert calibration_of(*untrained(_tasks.run_on(_tasks.dataset(tasks=(_tasks.TAGS,))))) is None


@pytest.mark.parametrize("coverage", [0.0, 1.0, -1.0, float("nan")])
def test_coverage_is_a_probability(digits, coverage):
    with pytest.raises(ConfigError, match=r"sets: expected a probability between 0 and 1"):
        load(digits[1]).predict_sets(np.zeros((1, 64)), coverage)


def test_a_model_of_before_says_that_it_has_nothing_to_calibrate_by(digits, tmp_path):
    tensors, record = checkpoint.load(digits[1] / MODEL)
    kept = {name: value for name, value in tensors.items() if not name.startswith("conformal/")}
    checkpoint.save(tmp_path / MODEL, kept, record)
    model = load(tmp_path)
    assert model.predict(np.zeros((1, 64))).shape == (1,)
    with pytest.raises(ConfigError, match=r"sets: the model was saved without"):
        model.predict_sets(np.zeros((1, 64)))


class Ages(_tasks.Tasks, abstract=True):
    """Numbers in the thousands."""

    name: ClassVar[str] = "ages_toy"
    tasks = (_tasks.AGE,)


def trained_on(kind, folder, monkeypatch, **changes):
    _tasks.register(monkeypatch, kind)
    rules = {"selection": ["last"], "keep": "last"}
    run = _tasks.run_on(kind(), {"phases": [{"steps": 150}]}, engine=rules, **changes)
    (outcome,) = _tasks.outcomes_of([run], folder)
    return run, folder / outcome.folder


def test_intervals_of_numbers_are_in_their_units(tmp_path, monkeypatch):
    run, folder = trained_on(Ages, tmp_path, monkeypatch)
    model, data = load(folder), _tasks.split_of(run)
    (held,), x = data.source_validation, Ages().rows("b").x
    errors = np.abs(held.y["age"] - model.predict(held.x))[:, 0]
    np.testing.assert_allclose(model.calibration.scores * data.scales["age"].spread, errors, rtol=1e-5)
    found = model.predict_intervals(x, 0.5)
    assert found.shape == (len(x), 1, 2)
    finite = np.isfinite(found[:, 0, 0])
    assert finite.any()
    np.testing.assert_allclose(found[finite].mean(axis=2), model.predict(x)[finite])
    wider = model.predict_intervals(x, 0.8)
    assert (wider[..., 1] >= found[..., 1]).all()
    with pytest.raises(ConfigError, match="predict_intervals"):
        model.predict_sets(x)


def test_intervals_hold_numbers_of_the_source_as_often_as_promised(tmp_path, monkeypatch):
    _, folder = trained_on(Ages, tmp_path, monkeypatch)
    model, rows = load(folder, domain="a"), Ages().rows("a")
    ends = model.predict_intervals(rows.x, 0.7)
    share = ((ends[..., 0] <= rows.y["age"]) & (rows.y["age"] <= ends[..., 1])).mean()
    assert share > 0.6  # Of rows most of which were trained on.
    assert np.isinf(model.predict_intervals(rows.x, 0.999)).all()


def test_a_row_of_several_numbers_errs_by_its_worst_and_counts_with_all_its_labels():
    class Pair(Ages, abstract=True):
        tasks = (_tasks.Task("age", "regression", 2),)

        def rows(self, domain):
            found = super().rows(domain)
            both = np.concatenate([found.y["age"], -found.y["age"]], axis=1)
            both[::3, 1] = np.nan
            return dataclasses.replace(found, y={"age": both})

    evaluator, method = untrained(_tasks.run_on(Pair()))
    held = calibration_of(evaluator, method)
    labels = evaluator.learned_labels
    whole = ~np.isnan(labels).any(axis=1)
    assert 0 < whole.sum() < len(whole)
    logits = evaluator.seen(method, evaluator.source)["age"].logits
    np.testing.assert_allclose(held.scores, np.abs(labels - logits)[whole].max(axis=1))
