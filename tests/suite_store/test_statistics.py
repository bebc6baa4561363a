from __future__ import annotations

import math
import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from dareps.suite import statistics
from dareps.suite._results import Result, results
from dareps.suite.statistics import (
    best_recipe,
    comparable,
    holm,
    interval,
    mean_difference,
    p_value,
    paired_differences,
    seed_means,
    split_means,
)

from ._make import outcome

accuracy = st.integers(0, 1000).map(lambda hits: hits / 1000)


def arrays(low: int, high: int) -> st.SearchStrategy[np.ndarray]:
    return hnp.arrays(np.float64, st.integers(low, high), elements=accuracy)


grids = hnp.arrays(
    np.float64, st.tuples(st.integers(1, 8), st.integers(1, 6)), elements=st.integers(-500, 500).map(lambda k: k / 1000)
)
places = st.tuples(st.sampled_from(["a:b", "b:a", "a:c", "c:a"]), st.integers(0, 4))
tables = st.dictionaries(places, accuracy, max_size=20)


@pytest.fixture(autouse=True)
def _no_warnings() -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def _wilcoxon(differences: np.ndarray) -> float:
    """By listing every choice of signs."""
    values = differences[differences != 0]
    ranks = stats.rankdata(np.abs(values))
    signs = (np.arange(2 ** len(values))[:, None] >> np.arange(len(values))) & 1
    sums, reached = signs @ ranks, ranks[values > 0].sum()
    return min(1.0, 2 * min((sums <= reached + 1e-9).mean(), (sums >= reached - 1e-9).mean()))


def _table(grid: np.ndarray) -> dict[tuple[str, int], float]:
    return {(f"s{i:02}", j): float(grid[i, j]) for i in range(grid.shape[0]) for j in range(grid.shape[1])}


@given(arrays(2, 20))
def test_the_interval_is_scipys_and_holds_the_mean(values: np.ndarray) -> None:
    low, high = interval(values.tolist()) or (math.nan, math.nan)
    assert low <= values.mean() + 1e-12
    assert high >= values.mean() - 1e-12
    assume(values.std() > 1e-12)
    expected = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values, ddof=1))
    assert np.allclose((low, high), expected, rtol=1e-9, atol=1e-12)


@given(arrays(0, 1))
def test_fewer_than_two_values_have_no_interval(values: np.ndarray) -> None:
    assert interval(values.tolist()) is None


@given(arrays(2, 12), st.floats(-3, 3), st.floats(0.1, 10))
def test_the_interval_moves_and_stretches_with_the_values(values: np.ndarray, shift: float, scale: float) -> None:
    low, high = interval(values.tolist()) or (math.nan, math.nan)
    moved = interval((values * scale + shift).tolist())
    assert np.allclose(moved or (), (low * scale + shift, high * scale + shift), atol=1e-9)
    mirrored = interval((-values).tolist())
    assert np.allclose(mirrored or (), (-high, -low), atol=1e-12)


@given(accuracy, st.integers(2, 9))
def test_equal_values_have_an_interval_of_no_width(value: float, n: int) -> None:
    assert interval([value] * n) == (value, value)


@given(arrays(3, 12), st.floats(0.5, 0.9), st.floats(0.91, 0.99))
def test_a_higher_level_gives_a_wider_interval(values: np.ndarray, low: float, high: float) -> None:
    narrow, wide = interval(values.tolist(), low), interval(values.tolist(), high)
    assert narrow is not None
    assert wide is not None
    assert wide[0] <= narrow[0] <= narrow[1] <= wide[1]


@given(tables, tables)
def test_paired_differences_are_antisymmetric_and_pair_what_pairs(
    ours: dict[tuple[str, int], float], other: dict[tuple[str, int], float]
) -> None:
    there, back = paired_differences(ours, other), paired_differences(other, ours)
    assert there.keys() == ours.keys() & other.keys()
    assert there == {place: -value for place, value in back.items()}
    assert mean_difference(there) == pytest.approx(None if not there else -(mean_difference(back) or 0.0), abs=1e-12)
    assert p_value(there) == pytest.approx(p_value(back), abs=1e-9)


@given(tables, tables, st.floats(-2, 2), st.floats(0.01, 50))
def test_a_common_shift_cancels_and_a_common_scale_leaves_p(
    ours: dict[tuple[str, int], float], other: dict[tuple[str, int], float], shift: float, scale: float
) -> None:
    plain = paired_differences(ours, other)
    shifted = paired_differences(
        {place: value + shift for place, value in ours.items()},
        {place: value + shift for place, value in other.items()},
    )
    assert np.allclose(list(plain.values()), list(shifted.values()), atol=2e-12)
    scaled = {place: value * scale for place, value in plain.items()}
    assert mean_difference(scaled) == pytest.approx(None if not plain else (mean_difference(plain) or 0.0) * scale)
    before, after = p_value(plain), p_value(scaled)
    assert (before is None) is (after is None)
    if before is not None and len(split_means(plain)) < statistics.SPLITS_FOR_WILCOXON:
        assert after == pytest.approx(before, rel=1e-6, abs=1e-12)


@given(grids)
def test_the_mean_difference_of_a_full_grid_is_its_mean(grid: np.ndarray) -> None:
    assert mean_difference(_table(grid)) == pytest.approx(grid.mean(), abs=1e-12)


@given(grids)
def test_the_raw_p_is_scipys(grid: np.ndarray) -> None:
    table, (splits, seeds) = _table(grid), grid.shape
    got = p_value(table)
    by_split = np.round(list(split_means(table).values()), 12)
    by_seed = np.array([math.fsum(column) / splits for column in grid.T])
    if splits >= 6:
        assert got == pytest.approx(_wilcoxon(by_split), abs=1e-12)
    elif seeds < 5:
        assert got is None
    elif not by_seed.any():
        assert got == 1.0
    elif np.ptp(by_seed) > 1e-9:
        assert got == pytest.approx(stats.ttest_1samp(by_seed, 0).pvalue, rel=1e-6, abs=1e-12)
    else:
        assert got is None


@pytest.mark.parametrize("value", [0.0, 0.1, -0.1, 1 / 3])
@pytest.mark.parametrize(("splits", "seeds"), [(1, 1), (1, 5), (5, 5), (6, 1), (12, 5), (20, 2)])
def test_differences_that_are_all_equal_give_a_p_in_range_or_none(value: float, splits: int, seeds: int) -> None:
    p = p_value(_table(np.full((splits, seeds), value)))
    if value == 0 and (splits >= 6 or seeds >= 5):
        assert p == 1
    elif splits >= 6:
        assert p == pytest.approx(2.0 ** (1 - splits))
    else:
        assert p is None


@given(hnp.arrays(np.float64, st.integers(0, 11), elements=st.sampled_from([0.0, 0.0, 0.1, -0.1, 0.2, -0.3])))
def test_wilcoxon_is_exact_with_ties_and_zeros(differences: np.ndarray) -> None:
    assert statistics.wilcoxon_p(differences.tolist()) == pytest.approx(_wilcoxon(differences), abs=1e-12)


@given(hnp.arrays(np.float64, st.integers(1, 40), elements=st.floats(-1, 1), unique=True))
def test_wilcoxon_without_ties_is_scipys(differences: np.ndarray) -> None:
    assume(len(np.unique(np.abs(differences))) == len(differences) and np.all(differences != 0))
    assert statistics.wilcoxon_p(differences.tolist()) == pytest.approx(stats.wilcoxon(differences).pvalue, abs=1e-12)


def test_wilcoxon_with_ties_is_scipys() -> None:
    differences = [0.1, 0.1, 0.2, -0.1, 0.3, 0.2, 0.0, 0.25, 0.05]
    assert statistics.wilcoxon_p(differences) == pytest.approx(stats.wilcoxon(differences).pvalue, abs=1e-12)


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_keeps_the_order_and_never_lowers_a_p(raw: list[float]) -> None:
    adjusted = holm(raw)
    assert all(p <= own <= 1 for p, own in zip(raw, adjusted, strict=True))
    order = np.argsort(raw, kind="stable")
    assert np.all(np.diff(np.array(adjusted)[order]) >= 0)
    assert all(own <= min(1.0, len(raw) * p) for p, own in zip(raw, adjusted, strict=True))
    assert all(own == p for p, own in zip(raw, adjusted, strict=True) if len(raw) == 1)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_holm_does_not_depend_on_the_order(raw: list[float], random: object) -> None:
    order = list(range(len(raw)))
    random.shuffle(order)  # type: ignore[attr-defined]
    adjusted = holm(raw)
    assert holm([raw[i] for i in order]) == [adjusted[i] for i in order]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=10), st.floats(0.001, 0.5))
def test_holm_rejects_what_its_step_down_procedure_rejects(raw: list[float], level: float) -> None:
    rejected = 0
    for rank, p in enumerate(sorted(raw)):
        if (len(raw) - rank) * p > level:
            break
        rejected += 1
    assert sum(p <= level for p in holm(raw)) == rejected


@given(tables)
def test_a_seed_counts_for_the_average_when_it_has_every_split(values: dict[tuple[str, int], float]) -> None:
    splits = sorted({split for split, _ in values})
    means = seed_means(values, splits)
    for seed in range(5):
        own = [values[split, seed] for split in splits if (split, seed) in values]
        assert (seed in means) is (bool(own) and len(own) == len(splits))
        assert seed not in means or means[seed] == pytest.approx(np.mean(own))


scored = st.builds(
    Result,
    dataset=st.just("toy"),
    split=st.sampled_from(["a:b", "b:a"]),
    recipe=st.sampled_from(["source_only", "target_only", "dann", "cmd", "few"]),
    selection=st.sampled_from(["entropy", "last"]),
    seed=st.integers(0, 2),
    score=st.floats(-5, 5) | st.just(math.nan),
    value=accuracy,
    regret=st.none(),
    target_labels=st.sampled_from([0, 0, 0, 7]),
)


@given(st.lists(scored, max_size=25, unique_by=lambda row: (row.place, row.recipe, row.selection)), st.randoms())
def test_the_chosen_recipe_has_the_best_score_and_saw_no_target_label(rows: list[Result], random: object) -> None:
    chosen = best_recipe(rows, "entropy")
    candidates = [row for row in rows if row.selection == "entropy" and row.recipe != "target_only"]
    candidates = [row for row in candidates if not row.target_labels and not math.isnan(row.score)]
    assert chosen.keys() == {("toy", *row.place) for row in candidates}
    for row in candidates:
        best = chosen["toy", *row.place]
        assert best in candidates
        assert best.score >= row.score
    random.shuffle(rows)  # type: ignore[attr-defined]
    assert best_recipe(rows, "entropy") == chosen


@given(st.lists(scored, max_size=25, unique_by=lambda row: (row.place, row.recipe, row.selection)))
def test_the_choice_does_not_look_at_the_target_metric(rows: list[Result]) -> None:
    blind = [replace(row, value=0.0) for row in rows]
    names = {place: row.recipe for place, row in best_recipe(rows, "entropy").items()}
    assert names == {place: row.recipe for place, row in best_recipe(blind, "entropy").items()}


def test_a_rule_that_judges_by_the_inputs_compares_equal_inputs_alone() -> None:
    rows = [scored_by(recipe, score, "raw") for recipe, score in (("dan", 0.7), ("dann", 0.8))]
    assert [row.recipe for row in best_recipe(rows, "reverse_validation").values()] == ["dann"]
    assert not best_recipe([*rows, scored_by("dan_msda", 0.9, "msda")], "reverse_validation")
    assert best_recipe(
        [replace(row, selection="entropy") for row in (*rows, scored_by("other", 0.9, "msda"))], "entropy"
    )


def scored_by(recipe: str, score: float, inputs: str) -> Result:
    return Result("toy", "a:b", recipe, "reverse_validation", 0, score, 0.5, None, 0, "", 1, inputs)


def test_a_learned_representation_is_no_other_input() -> None:
    plain, learned, other = (
        outcome(recipe, values={"last": 0.7}, config={"data": {"transform": transform, "representation": own}})
        for recipe, transform, own in (
            ("dan", "log", None),
            ("dan_msda", "log", {"name": "msda"}),
            ("svm", "binary", None),
        )
    )
    found = {row.recipe: row.inputs for row in results([plain, learned, other])}
    assert found["dan"] == found["dan_msda"] != found["svm"]


def test_only_label_free_rules_with_comparable_scores_choose() -> None:
    assert all(comparable(rule) for rule in ("entropy", "information_maximisation", "source_accuracy", "dev"))
    assert not any(comparable(rule) for rule in ("last", "oracle", "unheard_of"))


def test_results_carry_the_regret_against_the_oracle_of_the_same_run() -> None:
    rows = results([outcome(values={"last": 0.7, "oracle": 0.75}), outcome("cmd", values={"last": 0.6})])
    assert {(row.recipe, row.selection): row.regret for row in rows} == {
        ("dann", "last"): 0.05,
        ("dann", "oracle"): 0.0,
        ("cmd", "last"): None,
    }


def test_failed_runs_and_figures_that_are_not_finite_give_no_result() -> None:
    assert results([outcome(status="failed"), outcome(values={"last": math.nan})]) == []
