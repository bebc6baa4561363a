"""Alternatives take turns in processes of their own, ratios pair rounds, and results say what they should."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks._measure import Figure, Samples, Worker, WorkerError, alternate, publish

POSITIVE = st.floats(1e-6, 1e6)


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker() as worker:
        yield worker


def test_a_call_returns_the_functions_result(worker: Worker) -> None:
    assert worker.call("math:hypot", 3, 4) == 5


def test_what_a_library_prints_does_not_reach_the_answers(worker: Worker) -> None:
    assert worker.call("builtins:print", "{}") is None
    assert worker.call("os:system", "echo noise") == 0
    assert worker.call("math:hypot", 3, 4) == 5


def test_a_fault_is_reported_and_the_worker_lives_on(worker: Worker) -> None:
    with pytest.raises(WorkerError, match="math:sqrt: ValueError"):
        worker.call("math:sqrt", -1)
    assert worker.call("math:sqrt", 4) == 2


def test_a_dead_child_is_reported_with_its_last_words() -> None:
    with Worker() as worker:
        with pytest.raises(WorkerError, match="ended with 3"):
            worker.call("os:_exit", 3)
        with pytest.raises(WorkerError, match="ended with 3"):
            worker.call("math:sqrt", 4)


def test_a_silent_child_is_given_up() -> None:
    with Worker() as worker, pytest.raises(WorkerError, match=r"no answer within 0\.2 s"):
        worker.call("time:sleep", 60, patience=0.2)


def test_memory_is_limited() -> None:
    with Worker(memory=200 * 2**20) as worker:
        with pytest.raises(WorkerError, match="MemoryError"):
            worker.call("builtins:bytearray", 2**30)
        assert worker.call("math:sqrt", 4) == 2


def test_torch_has_one_thread(worker: Worker) -> None:
    assert worker.call("torch:get_num_threads") == 1


def _counting(order: list[str], name: str, fails_at: int = 10**9) -> Callable[[], float]:
    def measure() -> float:
        order.append(name)
        if order.count(name) > fails_at:
            raise WorkerError("broke")
        return float(len(order))

    return measure


def test_alternatives_take_turns_back_and_forth() -> None:
    order: list[str] = []
    samples = alternate({name: _counting(order, name) for name in "abc"}, 3)
    assert "".join(order) == "abccbaabc"
    assert samples.values == {"a": [1, 6, 7], "b": [2, 5, 8], "c": [3, 4, 9]}


def test_one_that_fails_leaves_the_others_complete() -> None:
    order: list[str] = []
    samples = alternate({"a": _counting(order, "a"), "b": _counting(order, "b", fails_at=1)}, 4)
    assert len(samples.values["a"]) == 4
    assert order.count("b") == 2
    ratio = samples.ratio("b", "a", "b / a").at_most(1)
    assert (ratio.value, ratio.met, ratio.note) == (None, None, "broke")


@given(st.lists(st.tuples(POSITIVE, POSITIVE), min_size=1), POSITIVE)
def test_drift_of_the_machine_cancels_in_a_ratio(rounds: list[tuple[float, float]], factor: float) -> None:
    base = [drift * value for drift, value in rounds]
    figure = Samples({"a": [factor * value for value in base], "b": base}, {}).ratio("a", "b", "a / b")
    assert figure.value == pytest.approx(factor)
    assert figure.spread == pytest.approx((factor, factor))


@given(st.lists(POSITIVE, min_size=1))
def test_quartiles_enclose_the_median(values: list[float]) -> None:
    figure = Samples({"a": values}, {}).median("a", "a", 2.0)
    assert figure.value is not None
    assert figure.spread is not None
    assert 2 * min(values) <= figure.spread[0] * (1 + 1e-12)
    assert figure.spread[0] <= figure.value * (1 + 1e-12)
    assert figure.value <= figure.spread[1] * (1 + 1e-12)
    assert figure.spread[1] <= 2 * max(values) * (1 + 1e-12)


@given(POSITIVE, POSITIVE)
def test_targets_are_judged_both_ways(value: float, bound: float) -> None:
    figure = Figure("x", value)
    assert figure.at_most(bound).met is (value <= bound)
    assert figure.at_least(bound).met is (value >= bound)
    assert math.isclose(float(figure.at_most(bound).target.removeprefix("<= ")), bound, rel_tol=1e-5)


def test_results_are_written_whether_met_or_not(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    figures = [
        Figure("ratio", 1.2, spread=(1.1, 1.3), group="case").at_most(1.05),
        Figure("peer", None, note="not [installed]", group="case").at_most(1.0),
        Figure("time", 12345.6, unit="us"),
    ]
    content = json.loads(publish("demo", figures, tmp_path, rounds=3).read_text())
    assert content["name"] == "demo"
    assert content["rounds"] == 3
    assert content["threads"] == 1
    assert content["machine"]["cores"] >= 1
    assert {"python", "torch"} <= content["versions"].keys()
    assert [(row["what"], row["value"], row["target"], row["met"]) for row in content["figures"]] == [
        ("case: ratio", 1.2, "<= 1.05", False),
        ("case: peer", None, "<= 1", None),
        ("time", 12345.6, "", None),
    ]
    printed = capsys.readouterr().out
    assert "1.1 .. 1.3" in printed
    assert "12346 us" in printed
    assert "* not [installed]" in printed
