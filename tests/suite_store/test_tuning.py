"""Tuning: equal numbers of seeded draws, chosen by ranks of a label-free rule, blind to target labels."""

from dataclasses import replace
from typing import Annotated

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

from dareps.alignment import Alignment
from dareps.commands._tuned import tuned_table
from dareps.errors import ConfigError, ContractError
from dareps.plugin import Tune, _registry, plugins
from dareps.recipe.bind import bind_run
from dareps.recipe.settings import Recipe
from dareps.suite._draws import Range, draw, leaves, ranges
from dareps.suite.bench import Bench
from dareps.suite.store import Store
from dareps.suite.tuning import Search, check_rule, judged, label_of
from tests.suite_store._make import outcome

SPLIT = "digits8/fonts:scans"
RULE = "information_maximisation"
PROPERTY = settings(max_examples=30, deadline=None, derandomize=True, database=None)
LR = Range("phases.0.optimizer.lr", 0.002, 0.0006, 0.006, True, False)
WEIGHT = Range("align.0.weight", 1.0, 0.1, 10.0, True, False)


def bind(name, label, draws):
    return [bind_run(name, SPLIT, seed, list(draws.items()), label=label) for seed in (0, 1)]


def keys_of(runs):
    return [f"{run.recipe}/{run.seed}" for run in runs]


def search(*names, count=4, rule=RULE, **more):
    return Search(bind, keys_of, names, count, rule, **more)


def outcomes_of(found, score=lambda trial, seed: trial.number, target=0.5):
    """Finished runs of all trials so far, whose rule scores what `score` says."""
    return {
        key: outcome(run.recipe, seed=run.seed, values={RULE: target, "oracle": target}, scores={RULE: s}, key=key)
        for trials in found.trials.values()
        for trial in trials
        for run, key in zip(trial.runs, trial.keys, strict=True)
        if (s := score(trial, run.seed)) is not None
    }


def played(found, **how):
    """All rounds carried out."""
    return [list(batch) for batch in found.rounds(lambda: outcomes_of(found, **how))]


def test_every_recipe_gets_the_same_number_of_seeded_draws_and_its_own_settings_first():
    first, second = search("dan", "mcc", "source_only"), search("source_only", "dan", "mcc")
    played(first)
    played(second)
    assert {len(trials) for trials in first.trials.values()} == {4}
    for name, trials in first.trials.items():
        assert [own.draws for own in trials] == [own.draws for own in second.trials[name]]
        assert len({tuple(own.draws.items()) for own in trials}) == 4
        assert trials[0].draws == {own.path: own.value for own in first.ranges[name]}
        assert trials[0].runs[0].method == bind_run(name, SPLIT).method
        for trial in trials:
            for own in first.ranges[name]:
                assert own.low <= trial.draws[own.path] <= own.high
    [weight, temperature, lr] = first.ranges["mcc"]
    assert (weight.path, weight.low, weight.high) == ("align.0.weight", 0.1, 10.0)
    assert (temperature.path, temperature.low, temperature.high) == ("align.0.temperature", 1.0, 5.0)
    assert lr.path == "phases.0.optimizer.lr"
    chosen = first.trials["mcc"][2]
    assert chosen.runs[0].method.align[0].temperature == chosen.draws["align.0.temperature"]
    assert chosen.runs[0].method.phases[0].optimizer.lr == chosen.draws["phases.0.optimizer.lr"]


def test_more_trials_continue_the_same_draws_and_equal_draws_are_the_same_runs():
    few, many = search("dan", count=2), search("dan", count=5)
    played(few)
    played(many)
    assert [own.keys for own in few.trials["dan"]] == [own.keys for own in many.trials["dan"]][:2]
    assert label_of("dan", 1, {"a": 1.0, "b": 2.0}) == label_of("dan", 3, {"b": 2.0, "a": 1.0})
    assert label_of("dan", 1, {"a": 1.0}) != label_of("dan", 1, {"a": 2.0})


def test_tpe_waits_for_every_round_and_draws_again_what_it_drew():
    def score(trial, seed):
        return -trial.draws["align.0.weight"]

    first, again = (search("dan", "mcc", count=13, sampler="tpe") for _ in range(2))
    assert [len(batch) for batch in played(first, score=score)] == [4] * 13
    played(again, score=score)
    assert [own.draws for own in first.trials["dan"]] == [own.draws for own in again.trials["dan"]]
    other = search("dan", count=13, sampler="tpe")
    played(other, score=lambda trial, seed: trial.draws["align.0.weight"])
    assert [own.draws for own in other.trials["dan"]][:10] == [own.draws for own in first.trials["dan"]][:10]
    assert [own.draws for own in other.trials["dan"]] != [own.draws for own in first.trials["dan"]]


def test_a_recipe_without_ranges_has_one_trial_and_fixed_settings_are_left_alone():
    found = search("linear_svm", "dan", fixed=["align.*.weight"])
    [batch] = played(found)
    assert len(batch) == 2 * (1 + 4)
    assert found.ranges["linear_svm"] == ()
    assert [own.path for own in found.ranges["dan"]] == ["phases.0.optimizer.lr"]
    results = {own.recipe: own for own in found.results(outcomes_of(found))}
    assert len(results["linear_svm"].trials) == 1
    assert results["linear_svm"].best.trial.number == 0


def test_each_place_ranks_by_itself_and_the_earliest_of_equals_wins():
    found = search("dan", count=3)
    played(found)
    table = {(0, 0): 0.5, (0, 1): 0.5, (1, 0): 0.6, (1, 1): 0.6, (2, 0): 99.0, (2, 1): 0.1}
    [own] = found.results(outcomes_of(found, lambda trial, seed: table[trial.number, seed]))
    assert [trial.rank for trial in own.trials] == [2.5, 1.5, 2.0]  # One outlying score moves one rank.
    assert own.best.trial.number == 1
    [own] = found.results(outcomes_of(found, lambda trial, seed: 0.5))
    assert own.best.trial.number == 0
    assert [trial.rank for trial in own.trials] == [2.0, 2.0, 2.0]


def test_a_failed_run_or_a_score_that_is_no_number_comes_last():
    found = search("dan", count=3)
    played(found)
    known = outcomes_of(found, lambda trial, seed: float("nan") if trial.number == 2 else -5.0)
    broken = found.trials["dan"][1].keys[0]
    known[broken] = outcome("dan", key=broken, status="failed")
    [own] = found.results(known)
    assert own.best.trial.number == 0
    assert (own.trials[1].failed, own.trials[1].score, own.trials[1].target_metric) == (1, None, None)
    assert (own.trials[2].failed, own.trials[2].score) == (0, None)


def test_a_trial_with_a_failed_run_cannot_win_by_its_rank():
    found = search("dan", count=2)
    played(found)
    known = outcomes_of(found, lambda trial, seed: -trial.number)
    broken = found.trials["dan"][0].keys[0]
    known[broken] = outcome("dan", key=broken, status="failed")
    [own] = found.results(known)
    assert own.trials[0].rank == own.trials[1].rank  # One place each.
    assert own.best.trial.number == 1


@pytest.mark.parametrize("how", [{"status": "failed"}, {"values": {RULE: 0.5}, "scores": {RULE: float("nan")}}])
def test_where_no_run_has_a_score_nothing_is_chosen(how):
    found = search("dan", count=2)
    played(found)
    [own] = found.results({key: outcome("dan", key=key, **how) for key in outcomes_of(found)})
    assert own.best is None
    [row] = [line for line in tuned_table([own]) if line.startswith("dan")]
    assert "nothing" in row
    assert ("failed" in row, "no number" in row) == ((True, False) if "status" in how else (False, True))


@pytest.mark.parametrize(("names", "sizes"), [(["linear_svm"], [2]), (["dan", "linear_svm"], [4, 2, 2])])
def test_no_round_is_empty(names, sizes):
    assert [len(batch) for batch in played(search(*names, count=3, sampler="tpe"))] == sizes


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_equal_draws_are_asked_for_once(sampler, monkeypatch):
    monkeypatch.setattr("dareps.suite.tuning.ranges", lambda *_: (Range("phases.0.steps", 2, 1, 2, False, True),))
    found = search("dan", count=8, sampler=sampler)
    keys = [key for batch in played(found) for key in keys_of(batch)]
    assert len(found.trials["dan"]) == 8
    assert len(keys) == len(set(keys)) <= 3 * 2


def test_a_run_asked_for_twice_is_carried_out_once(tmp_path):
    [run, other] = bind("dan", "dan", {})
    own = Bench(Store(tmp_path), None, "tuned", 1, "cpu")
    assert [todo.seed for todo, _ in own.unfinished([run, other, run])] == [0, 1]


@pytest.mark.parametrize(
    ("path", "value", "paths"),
    [
        ("align.0.weight", 0.5, ["align.0.weight"]),
        ("align.0", {"name": "mmd", "weight": 0.5}, ["align.0.name", "align.0.weight"]),
        ("align", [{"name": "mmd", "weight": 0.5}, "coral"], ["align.0.name", "align.0.weight", "align.1"]),
        ("align", [], []),
    ],
)
def test_what_is_set_through_a_parent_is_set(path, value, paths):
    assert list(leaves(path, value)) == paths


def test_two_datasets_cannot_be_tuned_together():
    splits = (SPLIT, "digits/mnist:usps")
    with pytest.raises(ConfigError, match=r"one dataset, got 'digits, digits8'\. Tune one at a time, with --splits"):
        Search(lambda name, label, draws: [bind_run(name, split) for split in splits], keys_of, ["dan"], 2, RULE)


def test_what_is_unfinished_leaves_equal_numbers():
    found = search("dan", "mcc", "linear_svm", count=4)
    played(found)
    known = outcomes_of(found)
    del known[found.trials["mcc"][2].keys[1]]
    results = {own.recipe: own for own in found.results(known)}
    assert {name: len(own.trials) for name, own in results.items()} == {"dan": 2, "mcc": 2, "linear_svm": 1}
    assert search("dan").results({}) == []


@PROPERTY
@given(scores=st.lists(st.floats(-1, 1), min_size=8, max_size=8), targets=st.lists(st.floats(0, 1), min_size=8))
def test_target_metrics_move_nothing_but_themselves(scores, targets):
    found = search("dan", count=4)
    played(found)
    known = outcomes_of(found, lambda trial, seed: scores[2 * trial.number + seed])
    garbage = {
        key: replace(run, selected=tuple(replace(own, target_metric=target) for own in run.selected))
        for (key, run), target in zip(known.items(), targets, strict=False)
    }
    [own], [other] = found.results(known), found.results(garbage)
    assert own.best.trial == other.best.trial
    blind = [[replace(trial, target_metric=None) for trial in one.trials] for one in (own, other)]
    assert blind[0] == blind[1]


@pytest.mark.parametrize(
    ("rule", "parts"),
    [
        ("oracle", ["--rule", "target labels", "Label-free rules"]),
        ("last", ["--rule", "do not compare models"]),
        ("entropi", ["--rule", "no selected rule", "Did you mean 'entropy'?"]),
    ],
)
def test_a_rule_that_cannot_judge_is_refused(rule, parts):
    with pytest.raises(ConfigError) as caught:
        check_rule(rule, bind_run("dan", SPLIT))
    assert all(part in str(caught.value) for part in parts)


def test_every_alignment_declares_its_weight_and_every_range_holds_its_default():
    for name, part in plugins(Alignment).items():
        if not part.__module__.startswith("dareps."):
            continue
        found = {own.path: own for own in ranges(Recipe(align=[name], phases=[_BOTH]))}
        assert found["align.0.weight"].low < 1 < found["align.0.weight"].high
        assert all(own.low <= own.value <= own.high for own in found.values())


_BOTH = {"streams": {"source": "labelled", "target": "unlabelled"}}


def test_a_part_of_ones_own_is_tuned_by_one_annotation(monkeypatch):
    monkeypatch.setitem(_registry, "alignment", dict(plugins(Alignment)))  # Other tests walk through what is known.

    class Tunable(Alignment):
        """A loss with ranges."""

        power: Annotated[float, Tune(0.5, 2.0)] = Field(1.0, gt=0)
        order: Annotated[int, Tune(1, 6)] = Field(3, ge=1)
        open: Annotated[float, Tune(0.5, 2.0)] | None = 0.7
        shut: Annotated[float, Tune(0.5, 2.0)] | None = None
        off: Annotated[float, Tune(0.1, 10.0, log=True)] = 0.0
        plain: float = 1.0

    found = {own.path.split(".")[-1]: own for own in ranges(Recipe(align=[Tunable()], phases=[_BOTH]))}
    assert set(found) == {"weight", "power", "order", "open"}
    drawn = [draw("mine", number, tuple(found.values()), (), "random") for number in range(1, 30)]
    assert {type(own["align.0.order"]) for own in drawn} == {int}
    assert {own["align.0.order"] for own in drawn} == {1, 2, 3, 4, 5, 6}
    assert all(0.5 <= own["align.0.power"] <= 2 for own in drawn)


@pytest.mark.parametrize("bad", [{"low": 1, "high": 1}, {"low": 2, "high": 1}, {"low": 0, "high": 1, "log": True}])
def test_a_range_that_nothing_can_be_drawn_from_is_refused(bad):
    with pytest.raises(ContractError, match="nothing can be drawn"):
        Tune(**bad)


def test_judging_nothing_is_nothing():
    assert judged([], {}, RULE) == []
