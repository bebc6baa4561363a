"""Rules that weigh source rows by how likely the target has them, for classes and for numbers."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import ValidationError

from dareps.engine.building import build_method
from dareps.engine.evaluate import Evaluator
from dareps.errors import ConfigError
from dareps.maths.domain_classifier import density_ratio
from dareps.maths.ridge import ridge_map
from dareps.recipe.defaults import with_fitting_rules
from dareps.selection import DEV, ImportanceWeighted, Outputs, ReverseValidation, SourceScore, ValidationView
from dareps.tasks import Regression
from tests.engine._make import CPU
from tests.engine._tasks import AGE, KIND, TAGS, dataset, run_on, split_of

PROPERTY = settings(max_examples=40, deadline=None, derandomize=True, database=None)
ROWS = st.integers(2, 8)


def view_of(labels, logits, weights=None, kind="regression", **more):
    source = Outputs(np.zeros((len(logits), 1)), logits)
    asked = None if weights is None else lambda: weights
    return ValidationView(1, source, source, labels, source, kind=kind, importance=asked, **more)


def drawn(n, low=-10.0, high=10.0, width=None):
    return arrays(np.float64, n if width is None else (n, width), elements=st.floats(low, high))


@given(data=st.data(), n=ROWS)
@PROPERTY
def test_of_numbers_it_is_the_weighted_squared_error(data, n):
    labels, outputs = data.draw(drawn(n, width=1)), data.draw(drawn(n, width=1))
    weights = data.draw(drawn(n, 0.1, 9.0))
    expected = -np.average(np.square(labels - outputs)[:, 0], weights=weights)
    assert ImportanceWeighted()(view_of(labels, outputs, weights)) == pytest.approx(expected, abs=1e-12)
    same = ImportanceWeighted()(view_of(labels, outputs, np.ones(n)))
    assert same == pytest.approx(-np.square(labels - outputs).mean(), abs=1e-12)


@given(data=st.data(), n=ROWS, factor=st.floats(0.01, 100.0))
@PROPERTY
def test_the_scale_of_a_ratio_does_not_matter(data, n, factor):
    parts = data.draw(drawn(n, width=1)), data.draw(drawn(n, width=1))
    weights = data.draw(drawn(n, 0.1, 9.0))
    scores = [ImportanceWeighted()(view_of(*parts, own)) for own in (weights, factor * weights)]
    assert scores[0] == pytest.approx(scores[1], rel=1e-9, abs=1e-12)


@given(data=st.data(), n=ROWS, level=st.floats(-50, 50))
@PROPERTY
def test_of_classes_it_is_the_weighted_cross_entropy(data, n, level):
    logits, labels = data.draw(drawn(n, width=3)), data.draw(arrays(np.int64, n, elements=st.integers(0, 2)))
    weights = data.draw(drawn(n, 0.1, 9.0))
    losses = np.log(np.exp(logits).sum(1)) - logits[np.arange(n), labels]
    found = ImportanceWeighted()(view_of(labels, logits + level, weights, "classification"))
    assert found == pytest.approx(-np.average(losses, weights=weights), abs=1e-9)


def test_missing_numbers_are_left_out_and_what_is_no_number_loses():
    labels = np.array([[1.0, math.nan], [0.0, 3.0]])
    outputs = np.array([[3.0, 9.0], [0.0, 1.0]])
    assert ImportanceWeighted()(view_of(labels, outputs, np.array([1.0, 3.0]))) == pytest.approx(-(4 + 3 * 2) / 4)
    outputs[0, 0] = math.nan
    assert ImportanceWeighted()(view_of(labels, outputs, np.ones(2))) == -math.inf
    assert ImportanceWeighted()(view_of(labels, outputs)) == -math.inf
    assert ImportanceWeighted()(view_of(labels[:0], outputs[:0], np.ones(0))) == -math.inf


def test_it_picks_the_model_that_is_right_where_the_target_is_and_the_source_score_does_not():
    """Under x ~ N(0, 1) and N(2, 1), y = max(x, 0): a line through the source's bulk, and the truth above 1."""
    draws = np.random.Generator(np.random.Philox(key=11))
    train, held, target = draws.normal(0, 1, (800, 1)), draws.normal(0, 1, (800, 1)), draws.normal(2, 1, (800, 1))
    truth = np.maximum(held, 0)
    near = np.polynomial.Polynomial.fit(held[:, 0], truth[:, 0], 1)(held)  # Least squares on the source.
    far = np.where(held > 1, truth, 0.9)  # Right where the target lies, and bad below.
    asked = density_ratio(train, target, held, rows=800)

    def scores(outputs):
        r2 = Regression().scores(truth, outputs).primary
        view = view_of(truth, outputs, asked, source_scores={"y": r2})
        return SourceScore()(view), ImportanceWeighted()(view)

    (near_source, near_target), (far_source, far_target) = scores(near), scores(far)
    assert near_source > far_source
    assert far_target > near_target
    known = np.maximum(target, 0)
    guess = np.polynomial.Polynomial.fit(held[:, 0], truth[:, 0], 1)(target)
    assert -near_target == pytest.approx(np.square(guess - known).mean(), rel=0.35)


def test_dev_of_numbers_is_made_of_squared_errors():
    draws = np.random.Generator(np.random.Philox(key=5))
    x = draws.normal(0, 1, (400, 1))
    train, target = Outputs(x, x), Outputs(x + 1.5, x)

    def score(errors):
        labels = np.zeros((400, 1))
        return DEV()(ValidationView(1, train, Outputs(x, errors), labels, target, kind="regression"))

    assert score(np.where(x > 0.5, 0.1, 2.0)) > score(np.where(x > 0.5, 2.0, 0.1))
    assert score(np.full((400, 1), 3.0)) == pytest.approx(-9.0, rel=1e-6)


def test_numbers_that_are_right_come_back_right():
    draws = np.random.Generator(np.random.Philox(key=6))
    source, target = 5 * draws.normal(size=(200, 3)), 5 * draws.normal(size=(200, 3)) + 1
    line = np.array([[1.0], [-2.0], [0.5]])

    def score(outputs):
        labels = source @ line
        view = ValidationView(
            1, Outputs(source, labels), Outputs(source, labels), labels, Outputs(target, outputs),
            backward=ridge_map(source, target), kind="regression",
        )  # fmt: skip
        return ReverseValidation()(view)

    assert score(target @ line) > 0.9
    assert score(-(target @ line)) < 0
    assert score(np.zeros((200, 1))) <= 0
    assert score(np.full((200, 1), math.nan)) == -math.inf


def evaluated(tasks):
    run = run_on(dataset(tasks=tasks))
    data = split_of(run)
    evaluator = Evaluator(data, CPU, torch.float32, 1000)
    return data, evaluator, evaluator.view(build_method(run, data), 0)


def test_validators_see_labels_as_a_head_learns_them():
    data, evaluator, view = evaluated((AGE,))
    assert view.kind == "regression"
    np.testing.assert_allclose(data.scales["age"].restore(view.source_labels), evaluator.source_labels)
    assert abs(view.source_labels).max() < 10 < evaluator.source_labels.min()
    _, evaluator, view = evaluated((AGE, KIND))
    assert view.kind == "classification"
    assert view.source_labels is evaluator.source_labels


def test_the_ratio_is_that_of_the_rows_as_they_are():
    data, evaluator, view = evaluated((AGE,))
    (train,), (target,), (held,) = data.source_train, data.target_validation, data.source_validation
    expected = density_ratio(train.x.astype(float), target.x.astype(float), held.x.astype(float))
    np.testing.assert_allclose(view.importance(), expected, rtol=1e-6)
    assert evaluator.importance() is view.importance()


def test_unasked_numbers_are_judged_as_they_always_were():
    names = [rule.name for rule in with_fitting_rules(run_on(dataset(tasks=(AGE,)))).engine.selection]
    assert names == ["last", "oracle", "source_score"]


RULES = ["dev", "importance_weighted", "reverse_validation"]


def test_numbers_may_be_judged_by_rules_that_see_the_target():
    asked = {"selection": RULES, "keep": "dev"}
    run = with_fitting_rules(run_on(dataset(tasks=(AGE,)), engine=asked))
    assert [rule.name for rule in run.engine.selection] == RULES


@pytest.mark.parametrize("rule", RULES)
def test_label_sets_and_runs_without_a_target_may_not(rule):
    asked = {"selection": [rule], "keep": rule}
    with pytest.raises((ConfigError, ValidationError), match="no task of classes or numbers, which this rule reads"):
        with_fitting_rules(run_on(dataset(tasks=(TAGS,)), engine=asked))
    alone = {"source": ("a",), "target": (), "protocol": "supervised"}
    with pytest.raises((ConfigError, ValidationError), match="no target, which this rule reads"):
        with_fitting_rules(run_on(dataset(tasks=(AGE,)), engine=asked, **alone))
