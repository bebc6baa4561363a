"""The rule of the four cases, on numbers alone."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dareps.errors import DataError
from dareps.recipe.bind import bind_run
from dareps.transfer.advice import FEW, GENTLE, NEAR, RECIPES, STEEP, Measured, StageScores, advise, phase_settings

from ._drawn import PROPERTY

NAMES = ("conv1", "conv2", "dense")
SCORE = st.floats(-5, 5)


def measured(per_class=10, logme=(0.0, 0.1, 0.2), distance=0.5, explained=0.8, names=NAMES, classes=4):
    """Numbers of a target, similar by all three signs unless told otherwise."""
    entropy = math.log(max(classes, 2))
    stages = tuple(StageScores(name, 8, distance, value, 1.0) for name, value in zip(names, logme, strict=True))
    leep = (explained - 1) * entropy
    return Measured("digit", per_class * classes, classes, entropy, leep, leep, stages)


@st.composite
def numbers(draw):
    count = draw(st.integers(1, 5))
    logme = draw(st.lists(SCORE, min_size=count, max_size=count))
    names = tuple(f"stage{number}" for number in range(count))
    return measured(draw(st.integers(1, 500)), logme, draw(st.floats(0, 2)), draw(st.floats(0, 1)), names)


def _onwards(settings):
    return [(f"phases.1.{key}", value) for key, value in settings.items()]


MIDDLE, LOW = (0.1, 0.3, 0.2), (0.3, 0.1, 0.2)


@pytest.mark.parametrize(
    ("given_", "strategy", "cut", "settings"),
    [
        ({"per_class": 10}, "extract", "dense", {}),
        ({"per_class": 100}, "fine_tune_top", "conv2", {"freeze_below": "dense", "decay": 0.385}),
        ({"per_class": 10, "logme": MIDDLE}, "fine_tune_top", "conv2", {"freeze_below": "dense", "decay": 0.385}),
        ({"per_class": 100, "logme": MIDDLE}, "fine_tune_top", "conv2", {"freeze_below": "dense", "decay": 0.385}),
        ({"per_class": 10, "logme": LOW}, "fine_tune_all", "", {"decay": 0.62}),
        ({"per_class": 100, "logme": LOW}, "fine_tune_all", "", {"decay": 0.62}),
        ({"per_class": 10, "distance": 1.9}, "fine_tune_all", "", {"decay": 0.62}),
        ({"per_class": 100, "distance": 1.9}, "fine_tune_all", "", {"decay": 0.62}),
    ],
)
def test_the_four_cases(given_, strategy, cut, settings):
    own = measured(**given_)
    advice = advise(own)
    assert (advice.strategy, advice.cut) == (strategy, cut)
    assert advice.size == ("small" if given_["per_class"] < FEW else "large")
    assert advice.likeness == ("similar" if given_.keys() == {"per_class"} else "dissimilar")
    assert phase_settings(advice, own) == settings
    run = bind_run(RECIPES[strategy], "digits8/fonts:scans@5", overrides=_onwards(settings))
    assert run.method.phases[1].streams.target == "labelled"
    assert run.method.phases[1].reset == ("heads",)


@pytest.mark.parametrize(
    ("change", "likeness"),
    [
        ({"distance": NEAR}, "similar"),
        ({"explained": 0.0}, "similar"),
        ({"distance": math.nextafter(NEAR, 2)}, "dissimilar"),
        ({"logme": LOW}, "dissimilar"),
    ],
)
def test_both_signs_decide(change, likeness):
    assert advise(measured(**change)).likeness == likeness


def test_the_cut_follows_logme():
    assert advise(measured(logme=(0.2, 0.2, 0.1))).cut == "conv2", "the higher of equals"
    names = tuple("abcde")
    cuts = [advise(measured(100, [float(n == best) for n in range(5)], names=names)).cut for best in range(5)]
    assert cuts == ["", "", "c", "d", "d"], "the top stage always moves"
    assert advise(measured(100, (0, 0, 1, 0, 0), names=names)).rates == {"e": STEEP, "d": STEEP**2}


def test_an_infinite_evidence_is_a_tie():
    advice = advise(measured(logme=(0.0, math.inf, math.inf)))
    assert (advice.likeness, advice.cut) == ("similar", "dense")


def test_a_single_stage_has_nothing_below_it():
    assert advise(measured(10, names=("dense",), logme=(0.0,))).strategy == "extract"
    assert advise(measured(100, names=("dense",), logme=(0.0,))).rates == {"dense": STEEP}
    assert advise(measured(100, names=("dense",), logme=(0.0,), distance=1.9)).rates == {"dense": GENTLE}


@PROPERTY
@given(numbers())
def test_what_moves_and_what_stays_make_up_the_encoder(own):
    advice = advise(own)
    names = [stage.name for stage in own.stages]
    kept = names[: names.index(advice.cut) + 1] if advice.cut else []
    assert kept + list(reversed(advice.rates)) == names
    factors = list(advice.rates.values())
    assert factors == pytest.approx([advice.decay ** (depth + 1) for depth in range(len(factors))])
    settings = phase_settings(advice, own)
    assert settings.get("freeze_below", "") in ("", *names[1:])
    assert len(advice.reasons) == 3


@PROPERTY
@given(numbers(), st.integers(1, 500))
def test_more_labels_never_make_a_target_small(own, more):
    grown = Measured(own.task, own.rows + more, own.classes, own.entropy, own.leep, own.nce, own.stages)
    assert advise(grown).likeness == advise(own).likeness
    assert (advise(own).size, advise(grown).size) != ("large", "small")


@PROPERTY
@given(numbers(), st.floats(-3, 3))
def test_only_the_order_of_logme_counts(own, shift):
    moved = [
        StageScores(each.name, each.width, each.distance, 2 * each.logme + shift, each.h_score) for each in own.stages
    ]
    order = sorted(range(len(moved)), key=lambda number: (moved[number].logme, number))
    before = sorted(range(len(moved)), key=lambda number: (own.stages[number].logme, number))
    if order == before:  # Rounding can merge neighbours.
        again = Measured(own.task, own.rows, own.classes, own.entropy, own.leep, own.nce, tuple(moved))
        assert phase_settings(advise(again), again) == phase_settings(advise(own), own)


@pytest.mark.parametrize("broken", [{"names": (), "logme": ()}, {"classes": 1}])
def test_too_little_to_go_by_is_refused(broken):
    with pytest.raises(DataError, match="advice for digit: advice needs a trained stage and two classes"):
        advise(measured(**broken))
