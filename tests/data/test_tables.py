from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp, multivariate_normal

from dareps.data._tables import (
    KINDS,
    MOVE,
    NUISANCE,
    PROPORTIONS,
    RADIUS,
    TILT,
    TURN,
    WIDTH,
    Process,
    accuracy,
    angles,
    mixing,
    rotation,
)
from dareps.data.catalogue import check
from dareps.data.split import make_split, parse_split
from dareps.data.tables import Tables
from dareps.errors import DataError

MANY = 100_000
DIALS = ("covariate", "label", "conditional", "subspace")
SHIFTED = Process(noise=0.8, covariate=0.6, label=0.7, conditional=0.3, subspace=0.5)
"""All dials at once."""
unit = st.floats(0, 1)
processes = st.builds(Process, noise=st.floats(0.3, 5), covariate=unit, label=unit, conditional=unit, subspace=unit)


def alike(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether no coordinate, and none of their products, tells two samples (n, d) apart at 1 in 1000."""
    upper = np.triu_indices(x.shape[1])
    both = [np.hstack([rows, (rows[:, :, None] * rows[:, None, :])[:, *upper]]) for rows in (x, y)]
    values = [ks_2samp(one, other).pvalue for one, other in zip(both[0].T, both[1].T, strict=True)]
    return min(values) > 0.001 / len(values)


def train(domain: str, **dials: float) -> tuple[np.ndarray, np.ndarray]:
    rows = Tables(rows_per_domain=4000, **dials).rows(domain)  # type: ignore[arg-type]
    return rows.x.astype(np.float64), rows.y["kind"]


@pytest.mark.parametrize("other", ["target", "source2"])
def test_without_a_shift_all_domains_have_one_distribution(other: str) -> None:
    (x, y), (other_x, other_y) = train("source"), train(other)
    assert not np.array_equal(x, other_x)
    assert alike(x, other_x)
    assert all(alike(x[y == kind], other_x[other_y == kind]) for kind in range(KINDS))


@pytest.mark.parametrize("dial", ["covariate", "label", "subspace"])
def test_the_two_sample_test_sees_the_shifts_of_rows(dial: str) -> None:
    assert not alike(train("source")[0], train("target", **{dial: 0.5})[0])


@pytest.mark.parametrize("dial", DIALS)
def test_the_dials_are_the_targets_alone(dial: str) -> None:
    still, moved = Tables(), Tables(**{dial: 0.5})  # type: ignore[arg-type]
    assert still.checksum(("source", "source2")) == moved.checksum(("source", "source2"))
    assert still.checksum(("target",)) != moved.checksum(("target",))


@given(process=processes, values=st.lists(st.floats(-3, 3), min_size=WIDTH, max_size=WIDTH))
def test_chances_of_kinds_are_bayes_rule(process: Process, values: list[float]) -> None:
    x = np.array([values])
    z = process.hidden(x)
    logs = [
        multivariate_normal.logpdf(z[0, 1:3], RADIUS * np.array([np.cos(t), np.sin(t)]), process.noise**2)
        for t in TURN * z[0, 0] + 2 * np.pi / 3 * np.arange(KINDS)
    ]
    weights = process.shares() * np.exp(np.array(logs) - max(logs))
    expected = np.roll(weights / weights.sum(), int(process.renamed(z)[0]))
    assert np.allclose(process.chances(x)[0], expected, atol=1e-9)


@given(process=processes, values=st.lists(st.floats(-9, 9), min_size=WIDTH, max_size=WIDTH))
def test_what_is_shown_is_an_affine_map_that_can_be_undone(process: Process, values: list[float]) -> None:
    z = np.array([values])
    assert np.allclose(process.hidden(process.shown(z)), z, atol=1e-9)
    matrix = mixing() @ rotation(TILT * process.subspace) @ mixing().T
    assert np.allclose(matrix @ matrix.T, np.eye(WIDTH), atol=1e-12)
    origin = process.shown(np.zeros((1, WIDTH)))
    assert np.allclose(process.shown(z), Process().shown(z) @ matrix.T + origin, atol=1e-9)


def test_covariate_shift_moves_rows_under_the_same_rule() -> None:
    before, after = Process(), Process(covariate=1.0)
    x, y = after.draw(MANY, "simulation")
    assert before.hidden(x)[:, 0].mean() == pytest.approx(MOVE, abs=0.02)
    assert np.allclose(before.chances(x), after.chances(x))
    assert calibrated(before, x, y)


def test_label_shift_changes_proportions_and_no_kind() -> None:
    rows = Tables(rows_per_domain=2000, test_rows=1000, label=1.0).rows("target")
    assert rows.test_y is not None
    assert np.allclose(np.bincount(rows.y["kind"]), 2000 * PROPORTIONS, atol=1)
    assert np.allclose(np.bincount(rows.test_y["kind"]), 1000 * PROPORTIONS, atol=1)
    (x, y), (other_x, other_y) = train("source"), train("target", label=1.0)
    assert all(alike(x[y == kind], other_x[other_y == kind]) for kind in range(KINDS))


@pytest.mark.parametrize("share", [0.4, 1.0])
def test_conditional_shift_changes_names_and_no_row(share: float) -> None:
    (x, y), (same_x, renamed) = train("target"), train("target", conditional=share)
    assert np.array_equal(x, same_x)
    changed = renamed != y
    assert np.array_equal(renamed[changed], (y[changed] + 1) % KINDS)
    assert changed.mean() == pytest.approx(share, abs=5 * np.sqrt(share * (1 - share) / len(y)))
    process = Process(conditional=share)
    assert calibrated(process, x, renamed)
    assert not calibrated(Process(), x, renamed)


def test_subspace_shift_is_undone_by_its_inverse() -> None:
    (x, y), (moved, same) = train("source"), train("target", subspace=1.0)
    restored = Process().shown(Process(subspace=1.0).hidden(moved))
    assert not alike(x, moved)
    assert alike(x, restored)
    assert all(alike(x[y == kind], restored[same == kind]) for kind in range(KINDS))


def test_planes_half_way_have_one_distribution_in_both_domains() -> None:
    (x, y), (moved, same) = train("source"), train("target", subspace=1.0)
    features = [(rows @ mixing() @ rotation(TILT / 2))[:, :3] for rows in (x, moved)]
    assert all(alike(features[0][y == kind], features[1][same == kind]) for kind in range(KINDS))
    process = Process(subspace=1.0)
    z, kinds = process.draw(MANY, "simulation")
    assert right(ring_guess((z @ mixing() @ rotation(TILT / 2))[:, :3]), kinds, process.halfway())
    assert process.source_rule() < process.halfway() < process.best()


@pytest.mark.parametrize("process", [Process(), Process(label=1.0), Process(noise=2.5, label=0.4), SHIFTED])
def test_best_scores_are_those_of_the_best_rule_on_drawn_rows(process: Process) -> None:
    x, y = process.draw(MANY, "simulation")
    assert right(process.chances(x).argmax(axis=1), y, process.best())
    assert calibrated(process, x, y)


@pytest.mark.parametrize("dial", [{dial: size} for dial in DIALS for size in (0.4, 1.0)] + [{}], ids=str)
def test_the_sources_rule_reaches_what_is_said(dial: dict[str, float]) -> None:
    process = Process(**dial)
    x, y = process.draw(MANY, "simulation")
    assert right(Process().chances(x).argmax(axis=1), y, process.source_rule())
    assert process.source_rule() <= process.best() + 1e-12


@pytest.mark.parametrize("shares", [[1 / 3] * 3, PROPORTIONS])
@pytest.mark.parametrize("distance", [0.5, 2.0, 5.0])
def test_the_integral_is_that_of_the_plane(shares: np.ndarray, distance: float) -> None:
    side = np.linspace(-distance - 6, distance + 6, 601)
    plane = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    t = 2 * np.pi / 3 * np.arange(KINDS)
    means = distance * np.column_stack([np.cos(t), np.sin(t)])
    joint = [p / (2 * np.pi) * np.exp(-((plane - mean) ** 2).sum(1) / 2) for p, mean in zip(shares, means, strict=True)]
    assert accuracy(np.asarray(shares), distance) == pytest.approx(
        np.max(joint, axis=0).sum() * (side[1] - side[0]) ** 2, abs=1e-4
    )


@given(process=processes)
def test_more_noise_leaves_less(process: Process) -> None:
    noisier = Process(1.1 * process.noise, label=process.label)
    most_frequent = process.shares().max()
    assert most_frequent - 1e-9 <= noisier.best() <= process.best() + 1e-12 <= 1 + 2e-12


def test_limits_of_no_noise_and_of_noise_alone() -> None:
    assert Process(noise=0.1).best() == pytest.approx(1, abs=1e-9)
    assert Process(noise=1e3, label=1.0).best() == pytest.approx(0.75, abs=1e-9)
    assert Process(noise=1e3).best() == pytest.approx(1 / 3, abs=1e-3)


@pytest.mark.parametrize("process", [Process(label=1.0), SHIFTED], ids=["label", "all"])
def test_no_classifier_does_better_than_is_possible(process: Process) -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier

    (x, y), (test_x, test_y) = process.draw(4000, "train"), process.draw(20_000, "test")
    network = MLPClassifier((32,), random_state=0, learning_rate_init=0.01, early_stopping=True)
    models = (LogisticRegression(), HistGradientBoostingClassifier(max_iter=10, max_leaf_nodes=15), network)
    scores = [float(np.mean(model.fit(x, y).predict(test_x) == test_y)) for model in models]
    assert max(scores) < process.best() + 4 * np.sqrt(process.best() * (1 - process.best()) / len(test_y))
    # What is possible is within reach: the bound is no empty one.
    assert max(scores) > process.best() - 0.06


def test_the_scores_that_the_documentation_names() -> None:
    text, still = " ".join((Tables.__doc__ or "").split()), Process()
    full = {dial: Process(**{dial: 1.0}) for dial in DIALS}
    pairs = {dial: f"{process.best():.3f} and {process.source_rule():.3f}" for dial, process in full.items()}
    assert f"{still.best():.3f} and {still.source_rule():.3f} without a shift and under full covariate shift" in text
    assert pairs["covariate"] == f"{still.best():.3f} and {still.source_rule():.3f}"
    assert f"{pairs['label']} under full label shift" in text
    assert f"{pairs['conditional']} under full conditional shift" in text
    assert f"{pairs['subspace']} under full subspace shift" in text
    assert f"half way reaches {full['subspace'].halfway():.3f}" in text
    assert f"best possible accuracy on target: {still.best():.3f}" in check("tables")


def test_the_documented_constants_are_those_of_the_process() -> None:
    assert np.allclose([RADIUS, NUISANCE**2, MOVE, TURN, TILT], [2, 1 / 4, 2.5, np.pi / 6, np.deg2rad(75)])
    assert PROPORTIONS.sum() == pytest.approx(1)
    assert np.allclose(mixing() @ mixing().T, np.eye(WIDTH), atol=1e-12)


def test_the_rows_are_those_of_every_machine() -> None:
    tables = Tables(rows_per_domain=90, test_rows=30, covariate=0.5, label=0.5, conditional=0.5, subspace=0.5)
    assert tables.checksum(("source", "target")) == "37ea43fbc55d96f2ebd5ac32dd9d894c"
    assert tables.checksum(("source2",)) != tables.checksum(("source",))


def test_shapes_and_settings_told_by_a_split() -> None:
    split = parse_split("tables[label=1]/source+source2:target")
    rows = Tables(rows_per_domain=100, test_rows=40)
    data = make_split(rows, split.sources, split.targets, seed=0)
    assert [part.x.shape for part in data.source_train] == [(80, WIDTH)] * 2
    assert data.target_test[0].x.shape == (40, WIDTH)
    both = np.concatenate([*(part.x for part in data.source_train), data.target_train[0].x])
    assert both.dtype == np.float32
    assert np.allclose(both.mean(axis=0), 0, atol=0.3)


def test_other_rows_are_refused() -> None:
    tables = Tables(rows_per_domain=90, test_rows=30)
    fitted = tables.fit({"source": tables.rows("source")}, {"target": tables.rows("target").x})
    again = tables.restore(fitted.state)
    x = tables.rows("source").x
    assert np.array_equal(fitted.apply(x, "source"), again.apply(x, "source"))
    with pytest.raises(DataError, match=r"data tables/target.*10 columns.*Give \(n, 10\)"):
        fitted.apply(x[:, :9], "target")


def ring_guess(plane: np.ndarray) -> np.ndarray:
    """The nearest kind by place and two coordinates, (n, 3) -> (n,)."""
    t = angles(plane)
    along: np.ndarray = plane[:, 1, None] * np.cos(t) + plane[:, 2, None] * np.sin(t)
    return along.argmax(axis=1)


def right(guess: np.ndarray, kinds: np.ndarray, expected: float) -> bool:
    """Whether guesses are right as often as expected, within five standard errors."""
    return bool(abs((guess == kinds).mean() - expected) <= 5 * np.sqrt(expected * (1 - expected) / len(kinds)))


def calibrated(process: Process, x: np.ndarray, y: np.ndarray) -> bool:
    """Whether of rows with a like chance of a kind as many are of it as chances say, within five standard errors."""
    chances = process.chances(x).ravel()
    true = (y[:, None] == np.arange(KINDS)).ravel()
    bins = np.clip((10 * chances).astype(int), 0, 9)
    count = np.maximum(np.bincount(bins, minlength=10), 1)
    gap = np.bincount(bins, weights=true - chances, minlength=10) / count
    spread = np.sqrt(np.bincount(bins, weights=chances * (1 - chances), minlength=10)) / count
    return bool(np.all(np.abs(gap) <= 5 * spread + 1e-9))
