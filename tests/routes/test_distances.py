"""Distances of rows: the permutation test's own law, scales that do not count, samples that are keyed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dareps.data._base import Part
from dareps.data._lazy import Mapped, lazily
from dareps.errors import DataError
from dareps.suite.distances import DIVISIONS, ROWS, WIDTH, comparable, distance, permutation_p, rows_of, thinned

PROPERTY = settings(max_examples=25, deadline=None)
VALUES = st.floats(-3, 3, allow_subnormal=False)


def noise(n: int, *shape: int, key: int = 0) -> np.ndarray:
    """Fixed standard normal rows."""
    return np.random.Generator(np.random.Philox(key=key)).standard_normal((n, *shape))


def test_halves_of_one_sample_are_of_one_domain():
    rows = noise(600, 3, 4)
    found = distance(rows[::2], rows[1::2])
    assert found.answer == "same"
    assert (found.rows, found.width) == ((300, 300), 12)


@pytest.mark.parametrize("change", [lambda rows: rows + 1.5, lambda rows: 3 * rows], ids=["moved", "spread"])
def test_a_shift_and_a_spread_are_seen(change):
    found = distance(noise(300, 6), change(noise(300, 6, key=1)))
    assert found.answer == "different"
    assert found.p == 1 / (1 + DIVISIONS)


def test_a_spread_is_seen_by_the_test_and_not_by_the_classifier():
    found = distance(noise(300, 6), 3 * noise(300, 6, key=1))
    assert found.proxy < 0.3 < distance(noise(300, 6), 1.5 + noise(300, 6, key=1)).proxy


def test_the_p_of_two_pairs_of_points_is_known():
    """Of the 6 divisions of 0, 0, 1, 1 in halves, 2 separate the values."""
    assert permutation_p(np.array([[0.0], [0.0], [1.0], [1.0]]), 2, divisions=2999) == pytest.approx(1 / 3, abs=0.03)


def test_equal_rows_have_p_1():
    assert permutation_p(np.ones((20, 3)), 8) == 1
    assert distance(np.ones((20, 3)), np.ones((30, 3))).answer == "same"


@PROPERTY
@given(arrays(np.float64, (8, 3), elements=VALUES), arrays(np.float64, 3, elements=st.floats(0.5, 4)), VALUES)
def test_units_and_origins_do_not_count(rows, units, origin):
    rows = np.round(rows, 3) + 0.2 * noise(8, 3)
    for plain, moved in zip(
        comparable(rows[:3], rows[3:]), comparable(rows[:3] * units + origin, rows[3:] * units + origin), strict=True
    ):
        assert moved == pytest.approx(plain, abs=1e-7)
    pooled = np.concatenate(comparable(rows[:3], rows[3:]))
    assert pooled.mean(axis=0) == pytest.approx(np.zeros(3), abs=1e-9)
    assert pooled.std(axis=0) == pytest.approx(np.ones(3), abs=1e-9)


def test_wide_rows_keep_their_distances_in_their_components():
    rows = noise(30, WIDTH + 40)
    narrow = np.concatenate(comparable(rows[:12], rows[12:]))
    plain = np.concatenate(comparable(rows[:12], rows[12:], width=1000))
    assert narrow.shape == (30, 30)
    gaps = [((own[:, None] - own[None]) ** 2).sum(-1) for own in (narrow, plain)]
    assert gaps[0] == pytest.approx(gaps[1], rel=1e-8, abs=1e-8), "30 rows span fewer than 50 directions"


def test_columns_that_do_not_vary_are_left_out():
    rows = np.concatenate([noise(20, 2), np.full((20, 3), 7.0)], axis=1)
    assert comparable(rows[:9], rows[9:])[0].shape == (9, 2)
    assert distance(rows[:9], rows[9:]).width == 2


def test_rows_are_taken_by_key():
    rows = np.arange(2 * ROWS * 3).reshape(2 * ROWS, 3)
    first, again, other = thinned(rows, "a"), thinned(rows, "a"), thinned(rows, "b")
    assert first.shape == (ROWS, 3)
    assert (first == again).all()
    assert len(np.unique(first[:, 0])) == ROWS
    assert not (first == other).all()
    assert len(thinned(rows[:5], "a")) == 5


def test_only_rows_that_are_looked_at_are_read():
    class Counted(Mapped):
        def read(self, numbers):
            read.extend(numbers)
            return Mapped.read(self, numbers)

    read: list[int] = []
    pixels = (40 * noise(2 * ROWS, 1, 4, 4) + 128).clip(0, 255).astype(np.uint8)
    rows = rows_of([Part("a", "target", lazily(Counted(own))) for own in (pixels[:700], pixels[700:])])
    assert len(rows) == 2 * ROWS
    assert (thinned(rows, "a") == thinned(pixels, "a")).all()
    assert len(read) == ROWS


def test_large_images_are_averaged():
    rows = noise(3, 1, 128, 128)
    assert thinned(rows, "a").shape == (3, 64 * 64)
    assert np.sort(thinned(rows, "a").mean(axis=1)) == pytest.approx(np.sort(rows.mean(axis=(1, 2, 3))), abs=1e-6)


def test_a_side_of_one_row_is_refused():
    with pytest.raises(DataError, match="needs two rows"):
        distance(noise(1, 3), noise(20, 3))
