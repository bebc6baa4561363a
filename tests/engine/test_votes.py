"""A run leaves predictions for its seeds to vote with, and target labels play no part in them."""

import numpy as np
import pytest

import dareps.engine.building as building_module
from dareps.data.split import make_split
from dareps.engine.votes import ensemble_accuracy, read_votes
from tests.engine._make import SHORT, outcome_of, run_of
from tests.engine.test_honesty import _garbage

PAPER = (*SHORT, ("protocol", "paper"))


def test_each_chosen_checkpoint_votes_as_it_was_scored(tmp_path):
    outcome = outcome_of(run_of("dann", PAPER), tmp_path)
    votes = read_votes(tmp_path, outcome.identity.key)
    assert set(votes.logits) == {row.step for row in outcome.selected}
    for row in outcome.selected:
        assert ensemble_accuracy([(votes, row.step)]) == row.target_metric
    probabilities = votes.probabilities(outcome.selected[0].step)
    assert np.allclose(probabilities.sum(axis=1), 1)


def test_garbage_target_labels_change_no_vote(tmp_path, monkeypatch):
    honest = outcome_of(run_of("mcc", PAPER), tmp_path / "honest")
    monkeypatch.setattr(building_module, "make_split", _garbage)
    spoilt = outcome_of(run_of("mcc", PAPER), tmp_path / "spoilt")
    one, other = (
        read_votes(tmp_path / side, own.identity.key) for side, own in (("honest", honest), ("spoilt", spoilt))
    )
    shared = {row.step for row in honest.selected if row.selection != "oracle"}
    assert shared
    assert all(np.array_equal(one.logits[step], other.logits[step]) for step in shared)
    assert not np.array_equal(one.labels, other.labels)


@pytest.mark.parametrize("seed", [0, 1])
def test_seeds_with_test_rows_of_their_own_leave_no_votes(tmp_path, seed):
    outcome = outcome_of(run_of("source_only", seed=seed), tmp_path)
    assert read_votes(tmp_path, outcome.identity.key) is None


@pytest.mark.parametrize(("protocol", "fixed"), [("inductive", False), ("paper", True), ("transductive", True)])
def test_a_split_knows_whether_its_test_rows_depend_on_the_seed(protocol, fixed):
    run = run_of("source_only")
    one, other = (make_split(run.data, run.source, run.target, seed, protocol) for seed in (0, 1))
    assert one.fixed_test is other.fixed_test is fixed
    same = np.array_equal(one.target_test[0].x, other.target_test[0].x)
    assert same is fixed
