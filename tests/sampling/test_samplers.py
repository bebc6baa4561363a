"""Which tasks a step trains: laws of each sampler, and that a choice depends on seed, phase and step alone."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dareps.errors import ContractError
from dareps.plugin import plugins
from dareps.sampling import Moment, TaskSampler
from tests.alignment._samples import PROPERTY

ALL = {name: kind() for name, kind in plugins(TaskSampler).items()}
ROWS = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 10**6), min_size=1)
MOMENTS = st.builds(Moment, st.integers(0, 99), st.integers(0, 9), st.integers(0, 10**6), st.floats(0, 1))


def shares(sampler, rows, count=4000, progress=0.0):
    drawn = Counter(task for step in range(count) for task in sampler.choose(rows, Moment(0, 0, step, progress)))
    return {task: drawn[task] / count for task in rows}


def test_the_six_are_there():
    assert set(ALL) == {"annealed", "joint", "proportional", "round_robin", "shuffled", "temperature"}
    assert [name for name, own in ALL.items() if not own.alternates] == ["joint"]


@pytest.mark.parametrize("name", list(ALL))
@given(rows=ROWS, at=MOMENTS)
@PROPERTY
def test_a_choice_is_of_known_tasks_and_the_same_each_time(name, rows, at):
    found = ALL[name].choose(rows, at)
    assert found == ALL[name].choose(dict(rows), Moment(at.seed, at.phase, at.step, at.progress))
    assert found == (tuple(rows) if name == "joint" else found[:1])
    assert set(found) <= set(rows)


@pytest.mark.parametrize("name", ["round_robin", "shuffled"])
@given(rows=ROWS, at=MOMENTS)
@PROPERTY
def test_each_round_trains_each_task_once(name, rows, at):
    first = at.step - at.step % len(rows)
    steps = range(first, first + len(rows))
    found = [ALL[name].choose(rows, Moment(at.seed, at.phase, step, 0.5))[0] for step in steps]
    assert sorted(found) == sorted(rows)
    assert name == "shuffled" or found == list(rows)


def test_rounds_are_shuffled_anew():
    rows = dict.fromkeys("abcd", 1)
    rounds = {
        tuple(ALL["shuffled"].choose(rows, Moment(seed, phase, 4 * number + place, 0))[0] for place in range(4))
        for seed, phase, number in ((0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0), (0, 0, 2), (2, 0, 0))
    }
    assert len(rounds) > 3


@pytest.mark.parametrize(
    ("name", "settings", "progress", "expected"),
    [
        ("proportional", {}, 0.0, (0.8, 0.2)),
        ("temperature", {"tau": 2.0}, 0.0, (2 / 3, 1 / 3)),
        ("temperature", {"tau": 1.0}, 0.0, (0.8, 0.2)),
        ("temperature", {"tau": 1e6}, 0.0, (0.5, 0.5)),
        ("annealed", {}, 0.0, (0.8, 0.2)),
        ("annealed", {"last": 0.0}, 1.0, (0.5, 0.5)),
        ("annealed", {"last": 0.5}, 1.0, (2 / 3, 1 / 3)),
        ("annealed", {"last": 0.0}, 0.5, (2 / 3, 1 / 3)),
    ],
)
def test_frequencies_follow_the_formula(name, settings, progress, expected):
    rows = {"much": 4000, "little": 1000}
    found = shares(TaskSampler.bind({"name": name, **settings}), rows, progress=progress)
    # Four standard deviations of a share of 4000 draws.
    assert found["much"] == pytest.approx(expected[0], abs=4 * (0.25 / 4000) ** 0.5)


@pytest.mark.parametrize("alike", [name for name, own in ALL.items() if own.alike])
def test_what_is_alike_for_all_seeds_is(alike):
    rows = {"a": 5, "b": 50, "c": 500}
    assert len({ALL[alike].choose(rows, Moment(seed, 0, 17, 0.1)) for seed in range(20)}) == 1


@pytest.mark.parametrize("settings", [{"name": "temperature", "tau": 0.5}, {"name": "annealed", "last": 1.5}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ValidationError):
        TaskSampler.bind(settings)


def test_a_sampler_without_a_choice_says_so():
    class Nothing(TaskSampler, abstract=True):
        name = "nothing"

    with pytest.raises(ContractError, match="sampling nothing: it has no choose"):
        Nothing().choose({"a": 1}, Moment(0, 0, 0, 0.0))
