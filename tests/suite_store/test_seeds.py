from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dareps.engine.outcome import Outcome
from dareps.engine.votes import Votes, ensemble_accuracy, read_votes, save_votes, votes_path
from dareps.errors import StoreError
from dareps.suite.exports import leaderboard, write_exports
from dareps.suite.seeds import SeedEntry, seed_board
from dareps.suite.store import Store

from ._make import outcome

RULE = "entropy"
LOGITS = hnp.arrays(
    np.float64, st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(2, 4)), elements=st.integers(-9, 9)
)
LABELS = np.array([0, 1, 1, 0])


def votes(labels: np.ndarray, logits: np.ndarray, folder: Path, key: str = "k") -> Votes:
    save_votes(folder, key, labels, {10: logits})
    found = read_votes(folder, key)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("votes")


@given(logits=LOGITS, data=st.data())
def test_votes_are_averaged_probabilities(logits: np.ndarray, data: st.DataObject, shelf: Path) -> None:
    _, n, c = logits.shape
    labels = data.draw(hnp.arrays(np.int64, n, elements=st.integers(0, c - 1)))
    members = [(votes(labels, own, shelf), 10) for own in logits]
    powers = np.exp(logits)
    mean = (powers / powers.sum(axis=2, keepdims=True)).mean(axis=0)
    for (own, step), exact in zip(members, powers / powers.sum(axis=2, keepdims=True), strict=True):
        assert np.allclose(own.probabilities(step), exact, atol=1e-3)
    clear = np.sort(mean, axis=1)[:, -1] - np.sort(mean, axis=1)[:, -2] > 1e-3
    if clear.all():
        assert ensemble_accuracy(members) == (mean.argmax(axis=1) == labels).mean()
    assert ensemble_accuracy(members) == ensemble_accuracy(members[::-1])
    assert ensemble_accuracy([*members, *members]) == ensemble_accuracy(members)


@given(
    logits=hnp.arrays(np.float64, (5, 3), elements=st.floats(-1e4, 1e4)),
    labels=hnp.arrays(np.int64, 5, elements=st.integers(0, 2)),
)
def test_an_ensemble_of_one_is_that_one(logits: np.ndarray, labels: np.ndarray, shelf: Path) -> None:
    accuracy = (logits.argmax(axis=1) == labels).mean()
    assert ensemble_accuracy([(votes(labels, logits, shelf), 10)]) == accuracy


@pytest.mark.parametrize("gap", [1e-8, 5e-324, 0.0])
def test_rounding_moves_no_prediction(gap: float, shelf: Path) -> None:
    logits = np.array([[0.0, gap, -gap], [gap, 0.0, 0.0]])
    found = votes(np.array([1, 0]) if gap else np.array([0, 0]), logits, shelf)
    assert ensemble_accuracy([(found, 10)]) == 1.0
    assert found.logits[10].dtype == np.float16


def test_models_that_saw_other_rows_do_not_vote_together(shelf: Path) -> None:
    one = votes(LABELS, np.eye(2)[LABELS], shelf)
    assert ensemble_accuracy([(one, 10), (one, 20)]) is None
    assert ensemble_accuracy([(one, 10), (votes(LABELS[::-1][1:], np.eye(2)[[0, 1, 1]], shelf), 10)]) is None
    assert ensemble_accuracy([(one, 10), (votes(LABELS, np.eye(3)[LABELS], shelf), 10)]) is None


def test_predictions_that_cannot_be_read_are_none(tmp_path: Path) -> None:
    assert read_votes(tmp_path, "missing") is None
    votes(LABELS, np.eye(2)[LABELS], tmp_path)
    path = votes_path(tmp_path, "k")
    whole = path.read_bytes()
    path.write_bytes(whole[:40])
    assert read_votes(tmp_path, "k") is None
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
        found = read_votes(tmp_path, "k")  # Nothing reads some bytes, such as a member's date.
        assert found is None or (np.array_equal(found.labels, LABELS) and list(found.logits) == [10])


def test_predictions_that_cannot_be_written_say_so(tmp_path: Path) -> None:
    (tmp_path / "predictions").write_text("in the way")
    with pytest.raises(StoreError, match="predictions cannot be written"):
        save_votes(tmp_path, "k", LABELS, {10: np.eye(2)[LABELS]})


def entries(found: list[SeedEntry], recipe: str, rule: str = RULE) -> dict[str, SeedEntry]:
    return {own.split: own for own in found if (own.recipe, own.selection) == (recipe, rule)}


def suite(values: np.ndarray, scores: np.ndarray, recipe: str = "dann", **rest: int) -> list[Outcome]:
    """Outcomes of splits x seeds under one rule."""
    return [
        outcome(recipe, f"s{i}:t", k, {RULE: float(value), "last": float(value)}, {RULE: float(scores[i, k])}, **rest)
        for (i, k), value in np.ndenumerate(values)
    ]


GRID = st.tuples(st.integers(1, 3), st.integers(1, 5))


@given(data=st.data(), shape=GRID)
def test_the_chosen_seed_has_the_highest_score_whatever_its_accuracy(
    data: st.DataObject, shape: tuple[int, int], shelf: Path
) -> None:
    values = data.draw(hnp.arrays(np.float64, shape, elements=st.integers(0, 100).map(lambda k: k / 100)))
    scores = data.draw(hnp.arrays(np.float64, shape, elements=st.integers(-5, 5)))
    found = entries(seed_board(suite(values, scores), shelf), "dann")
    picks = scores.argmax(axis=1)
    for split, (pick, own) in enumerate(zip(picks, values, strict=True)):
        assert (found[f"s{split}:t"].chosen_seed, found[f"s{split}:t"].chosen) == (pick, own[pick])
    assert found["average"].chosen == pytest.approx(values[np.arange(len(values)), picks].mean())
    moved = entries(seed_board(suite(1 - values, scores), shelf), "dann")
    assert [own.chosen_seed for own in moved.values()] == [own.chosen_seed for own in found.values()]


@given(data=st.data(), shape=GRID)
def test_the_mean_of_seeds_is_the_leaderboards(data: st.DataObject, shape: tuple[int, int], shelf: Path) -> None:
    values = data.draw(hnp.arrays(np.float64, shape, elements=st.floats(0, 1)))
    outcomes = suite(values, values)[: values.size - data.draw(st.integers(0, 1)) or None]
    board = {(own.split, own.recipe, own.selection): (own.n, own.mean) for own in leaderboard(outcomes)}
    found = {(own.split, own.recipe, own.selection): (own.n, own.mean) for own in seed_board(outcomes, shelf)}
    assert found == board


def test_the_last_step_prefers_no_seed_and_scores_that_are_not_numbers_lose(shelf: Path) -> None:
    outcomes = suite(np.array([[0.1, 0.9, 0.5]]), np.array([[0.2, np.nan, 0.2]]))
    board = seed_board(outcomes, shelf)
    assert entries(board, "dann")["s0:t"].chosen_seed == 0
    assert entries(board, "dann", "last")["s0:t"].chosen_seed is None
    assert entries(board, "dann", "last")["average"].chosen is None


def test_the_choice_goes_over_recipes_and_seeds(shelf: Path) -> None:
    """`target_only` is no candidate, and each seed of `chosen` is what the rule prefers at that seed."""
    outcomes = [
        *suite(np.array([[0.5, 0.6]]), np.array([[0.3, 0.2]])),
        *suite(np.array([[0.7, 0.4]]), np.array([[0.1, 0.9]]), "mcc"),
        *suite(np.array([[1.0, 1.0]]), np.array([[9.0, 9.0]]), "target_only", target_labels=5),
    ]
    chosen = entries(seed_board(outcomes, shelf), "chosen")["s0:t"]
    assert (chosen.chosen_seed, chosen.chosen, chosen.mean, chosen.target_labels) == (1, 0.4, pytest.approx(0.45), 0)


def with_votes(folder: Path, seeds: int, missing: int = -1) -> list[Outcome]:
    """Each seed is sure and wrong on one row of its own, and right elsewhere."""
    outcomes = suite(np.full((1, seeds), 0.75), np.zeros((1, seeds)))
    for own in outcomes:
        seed, logits = own.identity.seed, 4.0 * np.eye(2)[LABELS]
        logits[seed] = logits[seed][::-1]
        if seed != missing:
            save_votes(folder, own.identity.key, LABELS, {10: logits})
    return outcomes


def test_seeds_that_err_apart_are_right_together(tmp_path: Path) -> None:
    found = entries(seed_board(with_votes(tmp_path, 3), tmp_path), "dann")
    for own in found.values():
        assert (own.mean, own.members, own.ensemble) == (0.75, 3, 1.0)


@pytest.mark.parametrize(("seeds", "missing"), [(1, -1), (3, 1)])
def test_one_seed_or_a_missing_one_makes_no_ensemble(tmp_path: Path, seeds: int, missing: int) -> None:
    for own in entries(seed_board(with_votes(tmp_path, seeds, missing), tmp_path), "dann").values():
        assert (own.members, own.ensemble) == (0, None)


def test_an_average_needs_every_split(tmp_path: Path) -> None:
    outcomes = [
        *with_votes(tmp_path, 2),
        outcome("cmd", "s1:t", 0, {RULE: 0.5}),
        outcome("cmd", "s1:t", 1, {RULE: 0.5}),
    ]
    found = entries(seed_board(outcomes, tmp_path), "dann")
    assert found["s0:t"].ensemble is not None
    assert (found["average"].n, found["average"].mean, found["average"].chosen) == (0, None, None)
    assert found["average"].ensemble is None


def test_the_file_beside_the_leaderboard(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for own in with_votes(tmp_path, 2):
        store.save(own)
    write_exports(store)
    with (tmp_path / "ensembles.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert ",".join(rows[0]) == (
        "dataset,split,recipe,selection,n,mean,chosen_seed,chosen,members,ensemble,target_labels"
    )
    (row,) = [row for row in rows if row["split"] == "s0:t" and row["selection"] == RULE and row["recipe"] == "dann"]
    assert (row["n"], row["mean"], row["chosen_seed"], row["members"]) == ("2", "0.75", "0", "2")
