from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from dareps.data._portrait_process import (
    AGE,
    DEVIATION,
    FEATURES,
    GROUP,
    MEAN,
    best_scores,
    deviations,
    expected_age,
    faces,
    group_chances,
)
from dareps.data._portraits import SIDE, VERSION, Sitting, take
from dareps.data.catalogue import check
from dareps.data.portraits import Portraits
from dareps.errors import DataError

SMALL = Portraits(rows_per_domain=90, test_rows=30)
NOISES = st.floats(0.05, 20)
MANY = 200_000


def covariance(noise: float) -> np.ndarray:
    """Of the features within a group, as the process says it."""
    return np.outer(AGE, AGE) + noise**2 * np.eye(len(FEATURES))


def test_age_moves_six_features_and_group_three_of_which_two_are_shared() -> None:
    assert len(FEATURES) == len(AGE) == len(GROUP) == 7
    assert np.count_nonzero(AGE) == 6
    assert np.count_nonzero(GROUP) == 3
    assert np.count_nonzero(AGE * GROUP) == 2


@given(noise=NOISES, values=st.lists(st.floats(-5, 5), min_size=7, max_size=7))
def test_chances_of_groups_are_bayes_rule(noise: float, values: list[float]) -> None:
    features = np.array([values])
    logs = np.array([multivariate_normal.logpdf(features[0], GROUP * g, covariance(noise)) for g in (-1, 0, 1)])
    expected = np.exp(logs - logs.max()) / np.exp(logs - logs.max()).sum()
    assert np.allclose(group_chances(features, noise)[0], expected, atol=1e-6)


@given(noise=NOISES, values=st.lists(st.floats(-5, 5), min_size=7, max_size=7))
def test_expected_age_is_bayes_rule(noise: float, values: list[float]) -> None:
    features = np.array([values])
    chances = group_chances(features, noise)[0]
    by_group = [np.linalg.solve(covariance(noise), features[0] - GROUP * g) @ AGE for g in (-1, 0, 1)]
    assert expected_age(features, noise)[0] == pytest.approx(MEAN + DEVIATION * chances @ by_group, abs=1e-5)


@pytest.mark.parametrize("noise", [0.3, 1.0, 2.5])
def test_best_scores_are_those_of_the_best_rules_on_drawn_faces(noise: float) -> None:
    people, best = faces(MANY, noise, "simulation"), best_scores(noise)
    right = group_chances(people.features, noise).argmax(axis=1) == people.group
    error = (expected_age(people.features, noise) - people.age) ** 2
    # Five standard errors of the simulation.
    assert abs(right.mean() - best["group accuracy"]) < 5 * right.std() / np.sqrt(MANY)
    assert abs(error.mean() - best["age rmse"] ** 2) < 5 * error.std() / np.sqrt(MANY)
    assert best["age r2"] == pytest.approx(1 - best["age rmse"] ** 2 / DEVIATION**2)


@pytest.mark.parametrize("noise", [0.3, 1.0, 2.5])
def test_scores_with_the_other_label_known_are_those_of_their_rules(noise: float) -> None:
    people, best = faces(MANY, noise, "simulation"), best_scores(noise)
    rest = people.features - np.outer((people.age - MEAN) / DEVIATION, AGE)
    place = rest @ GROUP / (GROUP @ GROUP)
    right = np.clip(np.rint(place), -1, 1) + 1 == people.group
    assert abs(right.mean() - best["group accuracy with age known"]) < 5 * right.std() / np.sqrt(MANY)
    centred = people.features - np.outer(people.group - 1, GROUP)
    error = (MEAN + DEVIATION * centred @ np.linalg.solve(covariance(noise), AGE) - people.age) ** 2
    assert abs(error.mean() - best["age rmse with group known"] ** 2) < 5 * error.std() / np.sqrt(MANY)


def test_no_other_linear_rule_does_better() -> None:
    people, best = faces(MANY, 1.0, "simulation"), best_scores(1.0)
    design = np.column_stack([people.features, np.ones(MANY)])
    residual = people.age - design @ np.linalg.lstsq(design, people.age, rcond=None)[0]
    assert best["age rmse"] < np.sqrt((residual**2).mean()) < 1.02 * best["age rmse"]


@given(noise=NOISES)
def test_more_noise_leaves_less_and_more_knowledge_never_harms(noise: float) -> None:
    less, more = best_scores(noise), best_scores(1.1 * noise)
    assert 1 / 3 < more["group accuracy"] <= less["group accuracy"] <= less["group accuracy with age known"] <= 1
    assert less["age rmse with group known"] <= less["age rmse"] <= more["age rmse"] <= DEVIATION


def test_limits_of_no_noise_and_of_noise_alone() -> None:
    none, alone = best_scores(0.01), best_scores(100)
    assert none["group accuracy"] == pytest.approx(1, abs=1e-9)
    assert none["age r2"] == pytest.approx(1, abs=1e-4)
    assert alone["group accuracy"] == pytest.approx(1 / 3, abs=0.01)
    assert alone["age rmse"] == pytest.approx(DEVIATION, rel=1e-3)


def test_the_scores_that_the_documentation_names() -> None:
    text = Portraits.__doc__ or ""
    best = Portraits().best_scores()
    assert f"an accuracy of {best['group accuracy']:.3f}" in text
    assert f"an error of {best['age rmse']:.2f} years or an R2 of\n    {best['age r2']:.3f}" in text
    known = best["group accuracy with age known"], best["age rmse with group known"]
    assert f"({known[0]:.3f} and {known[1]:.2f} years)" in text
    assert f"best possible group accuracy: {best['group accuracy']:.3f}" in check("portraits")


def recovered(domain: str, count: int, strength: float) -> tuple[np.ndarray, np.ndarray]:
    """Features of the second half of some faces, true ones and as a linear map of the first half's pixels has them."""
    sitting = Sitting(count, 1.0, strength)
    x = take(domain, "train", sitting)["x"].reshape(count, -1) / 255
    features = faces(count, 1.0, VERSION, domain, "train").features
    shown = np.tanh(features / (2 * deviations(1.0)))
    design, half = np.column_stack([x - 0.5, np.ones(count)]), count // 2
    weights = np.linalg.solve(
        design[:half].T @ design[:half] + 1e-3 * np.eye(SIDE**2 + 1), design[:half].T @ shown[:half]
    )
    read = np.arctanh(np.clip(design[half:] @ weights, -0.999, 0.999)) * 2 * deviations(1.0)
    return features[half:], read


def test_the_image_tells_the_features_and_so_reaches_the_best_scores() -> None:
    true, read = recovered("studio", 2400, 0.0)
    assert np.all(((true - read) ** 2).mean(axis=0) < 0.01 * true.var(axis=0))
    same = group_chances(true, 1.0).argmax(axis=1) == group_chances(read, 1.0).argmax(axis=1)
    assert same.mean() > 0.97
    assert (
        np.sqrt(((expected_age(true, 1.0) - expected_age(read, 1.0)) ** 2).mean()) < 0.1 * best_scores(1.0)["age rmse"]
    )


def test_the_rows_are_those_of_every_machine() -> None:
    assert SMALL.checksum(("studio", "street")) == "f18a630f7b74a593c98820c33ff5e25e"


@pytest.mark.parametrize("domain", Portraits.domains)
def test_labels_and_shapes(domain: str) -> None:
    rows = SMALL.rows(domain)
    assert rows.x.shape == (90, 1, SIDE, SIDE)
    assert rows.x.dtype == np.uint8
    assert np.bincount(rows.y["group"]).tolist() == [30] * 3
    assert rows.test_x is not None
    assert rows.test_y is not None
    assert np.bincount(rows.test_y["group"]).tolist() == [10] * 3
    assert len(np.unique(rows.x.reshape(90, -1), axis=0)) == 90
    many = Portraits(rows_per_domain=3000).rows("studio").y["age"]
    assert many.mean() == pytest.approx(MEAN, abs=1)
    assert many.std() == pytest.approx(DEVIATION, rel=0.05)
    assert 0 < many.min() < many.max() < 100


@pytest.mark.parametrize(("task", "other"), [("group", "age"), ("age", "group")])
def test_label_sparsity_concerns_its_task_and_training_rows(task: str, other: str) -> None:
    before, after = SMALL.rows("street"), SMALL.model_copy(update={f"{task}_labels": 0.4}).rows("street")
    known = after.y[task] >= 0
    assert known.sum() == 36
    assert np.array_equal(after.y[task][known], before.y[task][known])
    assert np.all((after.y[task][~known] == -1) | np.isnan(after.y[task][~known]))
    assert np.array_equal(before.y[other], after.y[other])
    assert np.array_equal(before.x, after.x)
    assert before.test_y is not None
    assert after.test_y is not None
    assert all(np.array_equal(before.test_y[name], after.test_y[name]) for name in before.test_y)


def test_the_street_differs_by_its_strength_and_the_studio_never() -> None:
    calm = SMALL.model_copy(update={"street": 0.0})
    assert np.array_equal(SMALL.rows("studio").x, calm.rows("studio").x)
    still, busy = calm.rows("street"), SMALL.rows("street")
    assert all(np.array_equal(still.y[task], busy.y[task]) for task in ("group", "age"))
    corners = [rows.x[:, 0, ::31, ::31].astype(float) for rows in (still, busy)]
    assert corners[0].std() < 1
    assert corners[1].std() > 20


def test_noise_moves_features_and_no_label() -> None:
    quiet = SMALL.model_copy(update={"noise": 0.1})
    before, after = SMALL.rows("studio"), quiet.rows("studio")
    assert all(np.array_equal(before.y[task], after.y[task]) for task in ("group", "age"))
    assert not np.array_equal(before.x, after.x)
    assert quiet.best_scores()["group accuracy"] > SMALL.best_scores()["group accuracy"]


def test_other_rows_are_refused() -> None:
    rows = SMALL.rows("studio")
    fitted = SMALL.fit({"studio": rows}, {})
    assert np.array_equal(fitted.apply(rows.x, "studio"), rows.x)
    with pytest.raises(DataError, match=r"data portraits/studio.*n, 1, 32, 32"):
        fitted.apply(rows.x[:, 0], "studio")
