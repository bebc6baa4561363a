"""Whether two sides ask the same, by their classes, and whether one list of classes is finer than another."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dareps.transfer.relation import DISTANT, SHARED, SIGNIFICANT, Distance, Labels, finer

from ._drawn import PROPERTY

CLASSES = st.frozensets(st.integers(0, 7), max_size=8)


@pytest.mark.parametrize(
    ("source", "target", "share", "answer"),
    [
        ({0, 1, 2}, {3, 4, 5}, 0.0, "different"),
        ({0, 1, 2, 3}, {0, 1, 2, 3}, 1.0, "same"),
        ({0, 1, 2}, {0, 1, 2, 3}, 0.75, "same"),
        ({0, 1}, {0, 1, 2}, 2 / 3, "different"),
        ({0, 1, 2}, None, 0.5, "different"),
        (set(range(6)), None, 1.0, "same"),
        (set(), None, 0.0, "different"),
    ],
)
def test_the_share_of_classes_in_common(source, target, share, answer):
    own = Labels("kind", 6, frozenset(source), None if target is None else frozenset(target))
    assert own.share == pytest.approx(share)
    assert own.answer == answer


@PROPERTY
@given(CLASSES, CLASSES)
def test_the_share_is_symmetric_and_counts_classes(source, target):
    forth, back = Labels("t", 8, source, target), Labels("t", 8, target, source)
    assert forth.share == back.share
    assert 0 <= forth.share <= 1
    assert (forth.share == 1) == (source == target and bool(source))
    assert (forth.answer == "same") == (forth.share >= SHARED)


def test_a_task_without_classes_stays_the_same():
    assert Labels("age", 0, frozenset()).answer == "same"


@pytest.mark.parametrize(
    ("proxy", "p", "answer"),
    [(DISTANT, 1.0, "different"), (0.0, SIGNIFICANT, "different"), (DISTANT - 0.01, SIGNIFICANT + 0.01, "same")],
)
def test_a_distance_or_a_test_makes_domains_different(proxy, p, answer):
    assert Distance(proxy, 0.1, p, (9, 9), 2).answer == answer


@PROPERTY
@given(arrays(np.int64, 12, elements=st.integers(0, 5)), arrays(np.int64, 12, elements=st.integers(0, 2)))
def test_what_divides_is_finer(coarse, within):
    fine = 10 * coarse + within
    divided = len(np.unique(fine)) > len(np.unique(coarse))
    assert finer(coarse, fine) == divided
    assert not finer(fine, coarse)
    assert not finer(coarse, coarse)
    named = np.random.default_rng(0).permutation(100)
    assert finer(named[coarse], named[fine]) == divided


def test_rows_without_a_label_say_nothing():
    coarse, fine = np.array([0, 0, 1, -1, 1]), np.array([0, 1, 2, 0, -1])
    assert finer(coarse, fine)
    assert not finer(coarse, np.full(5, -1))
    assert not finer(np.array([0, 1, 1]), np.array([0, 0, 1]))
