"""Digits as a pen writes them: curves, courses, ink and paths, and rows of two forms in one matrix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.neighbors import KNeighborsClassifier

from dareps.data._base import DomainRows, Fitted
from dareps.data._pen import (
    ASPECT,
    BACK,
    DENSE,
    HEIGHT,
    LEAN,
    POINTS,
    SHIFT,
    SIZE,
    SLANT,
    STROKES,
    TURN,
    WIDTH,
    Hand,
    _order,
    _placed,
    curve_weights,
    hand,
    written,
)
from dareps.data._skeletons import SKELETONS, Stroke
from dareps.data._strokes import SIDE, SOFT, TICKS, Writing, _hurried, paths, pictures, write
from dareps.data.split import make_split
from dareps.data.strokes import Strokes
from dareps.errors import ContractError, DataError
from tests.engine._tasks import Tasks

SMALL = Strokes(rows_per_domain=60, test_rows=30)
EVERY = [stroke for variants in SKELETONS for variant in variants for stroke in variant]
UNIT = st.floats(0, 1)
PLACES = arrays(np.float64, st.tuples(st.integers(2, 7), st.just(2)), elements=st.floats(-1, 1))


def still(digit: int, variant: int, course: float = 0.5) -> Hand:
    """One digit as its skeleton says, with every part of the pen's course set."""
    moved, style = np.zeros((1, POINTS, 2)), np.zeros((6, 1))
    return Hand(np.array([digit]), np.array([variant]), moved, style, np.full((1, STROKES, 4), course))


def test_every_digit_has_variants_of_strokes_in_the_box() -> None:
    assert len(SKELETONS) == 10
    assert all(len(variants) > 1 for variants in SKELETONS)
    for stroke in EVERY:
        assert len(stroke.points) > 1
        assert 0 <= np.min(stroke.points) <= np.max(stroke.points) <= 1


@pytest.mark.parametrize("closed", [False, True])
@given(points=PLACES)
def test_curves_pass_through_their_points(points: np.ndarray, closed: bool) -> None:
    stroke = Stroke(tuple(map(tuple, points)), closed=closed)
    weights = curve_weights(stroke)
    assert np.allclose(weights.sum(axis=1), 1)
    curve = weights @ points
    assert np.allclose(curve[0], points[0])
    assert np.allclose(curve[-1], points[0 if closed else -1])
    ends = len(points) if closed else len(points) - 1
    for number in range(len(points)):
        at = number * (DENSE - 1) / ends
        if at == int(at):
            assert np.allclose(curve[int(at)], points[number])


def test_two_points_give_a_straight_line() -> None:
    curve = curve_weights(Stroke(((0, 0), (1, 2)))) @ np.array([[0.0, 0.0], [1.0, 2.0]])
    assert np.allclose(curve[:, 1], 2 * curve[:, 0])
    assert np.all(np.diff(curve[:, 0]) > 0)


@given(course=arrays(np.float64, (5, 4), elements=UNIT), closed=st.booleans(), either=st.booleans())
def test_a_pen_goes_along_its_stroke_one_way(course: np.ndarray, closed: bool, either: bool) -> None:
    order = _order(Stroke(((0, 0), (1, 0), (1, 1)), closed, either), course)
    assert order.shape == (5, DENSE)
    assert 0 <= order.min() <= order.max() < DENSE
    steps = np.diff(order, axis=1) % (DENSE - 1) if closed else np.diff(order, axis=1)
    ahead, backwards = np.all((steps == 0) | (steps == 1), axis=1), (course[:, 3] < BACK) & either
    assert np.array_equal(ahead, ~backwards)


@given(box=PLACES, style=arrays(np.float64, (6, 1), elements=st.floats(-1, 1)))
def test_a_digit_is_set_down_by_its_style(box: np.ndarray, style: np.ndarray) -> None:
    slant, turn, size, aspect, right, down = style[:, 0]
    scale = 1 + SIZE * size
    stretch = np.diag([WIDTH * scale * (1 + ASPECT * aspect), HEIGHT * scale])
    shear = np.array([[1, -(LEAN + SLANT * slant)], [0, 1]])
    angle = TURN * turn
    rotate = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    expected = (box - 0.5) @ (rotate @ shear @ stretch).T + SHIFT * np.array([right, down])
    assert np.allclose(_placed(box[None], style)[0], expected)


def test_written_digits_are_all_rows_once() -> None:
    own = hand(200, 1.0, "test")
    found = [rows for rows, places in written(own) if len(rows) == len(places)]
    assert np.array_equal(np.sort(np.concatenate(found)), np.arange(200))
    assert np.bincount(own.digit).tolist() == [20] * 10


def test_a_hand_writes_the_same_when_it_writes_more() -> None:
    for domain in Strokes.domains:
        few, many = (write(domain, "train", Writing(count, 1.0, 0.1))["x"] for count in (20, 50))
        assert np.array_equal(few, many[:20])


@given(draws=arrays(np.float64, (4, 4), elements=UNIT))
def test_time_never_runs_backwards(draws: np.ndarray) -> None:
    done = _hurried(draws)
    assert np.allclose(done[:, 0], 0)
    assert np.allclose(done[:, -1], 1)
    assert np.all(np.diff(done, axis=1) > 0)


def test_a_steady_pen_is_at_even_distances() -> None:
    line = np.stack([np.linspace(-0.5, 0.5, DENSE), np.zeros(DENSE)], axis=-1)[None]
    x, y, down = paths(line, np.zeros((1, 4)))[0]
    assert np.allclose(x, np.linspace(-0.5, 0.5, TICKS))
    assert np.allclose(y, 0)
    assert np.all(down == 1)


def test_between_strokes_the_pen_moves_straight_without_ink() -> None:
    ((_, places),) = [(rows, places) for rows, places in written(still(1, 2)) if len(rows)]
    x, y, down = paths(places, np.zeros((1, 4)))[0]
    start, end = places[0, DENSE - 1], places[0, DENSE]
    lifted = np.stack([x, y], axis=-1)[down == 0]
    assert len(lifted) > 2
    along = (lifted - start) @ (end - start) / ((end - start) @ (end - start))
    assert np.allclose(lifted, start + along[:, None] * (end - start))
    assert np.all((along >= 0) & (along <= 1))
    assert set(np.unique(down)) == {0.0, 1.0}


@given(width=UNIT, at=st.floats(-0.8, 0.8))
def test_ink_is_full_on_the_pen_and_fades_over_a_pixel(width: float, at: float) -> None:
    line = np.stack([np.full(4097, at), np.linspace(-2, 2, 4097)], axis=-1)[None]
    ink = pictures(line, np.full((1, 4), width))[0, 0]
    columns = (np.arange(SIDE) + 0.5) * 2 / SIDE - 1
    expected = np.clip(0.5 + (0.06 + 0.08 * width - np.abs(columns - at)) / SOFT, 0, 1)
    assert np.allclose(ink, expected[None])


def test_pictures_and_paths_show_one_process() -> None:
    own = hand(60, 1.0, "test")
    for rows, places in written(own):
        drawn, moves = pictures(places, np.full((len(rows), 4), 0.5)), paths(places, np.full((len(rows), 4), 0.5))
        for ink, (x, y, down) in zip(drawn, moves, strict=True):
            column, row = (np.clip(np.floor((at + 1) * SIDE / 2), 0, SIDE - 1).astype(int) for at in (x, y))
            shown = (down == 1) & (np.abs(x) < 1) & (np.abs(y) < 1)
            # The pen's middle is at most half a diagonal, 0.09, away from the middle of its pixel: 0.6 of ink or more,
            # less what corners take that lie between two times.
            assert ink[0, row[shown], column[shown]].min() > 0.4


def test_the_rows_are_those_of_every_machine() -> None:
    assert SMALL.checksum(("images", "paths")) == "55217a2fa439c19e9a10660c9f4208f5"


@pytest.mark.parametrize("domain", Strokes.domains)
def test_labels_and_shapes(domain: str) -> None:
    rows = SMALL.rows(domain)
    assert rows.test_x is not None
    assert rows.test_y is not None
    assert rows.x.shape == (60, *Strokes.forms[domain])
    assert rows.test_x.shape == (30, *Strokes.forms[domain])
    assert rows.x.dtype == np.float32
    assert np.bincount(rows.y["digit"]).tolist() == [6] * 10
    assert np.bincount(rows.test_y["digit"]).tolist() == [3] * 10
    low, high = Strokes.limits[domain]
    assert low <= rows.x.min() < rows.x.max() <= high
    assert len(np.unique(rows.x.reshape(60, -1), axis=0)) == 60


def test_the_domains_hold_different_digits() -> None:
    hands = [hand(60, 1.0, "strokes", 1, domain, "train") for domain in Strokes.domains]
    assert not np.array_equal(hands[0].moved, hands[1].moved)
    assert not np.array_equal(hands[0].variant, hands[1].variant)


@pytest.mark.parametrize("domain", Strokes.domains)
def test_settings_change_their_own_part(domain: str) -> None:
    def values(**changes: float) -> np.ndarray:
        return SMALL.model_copy(update=changes).rows(domain).x

    plain, quiet, stiff = values(), values(noise=0.0), values(noise=0.0, wobble=0.0)
    moved = np.abs(plain - quiet)
    assert 0 < moved.max() < 0.6
    assert np.abs(quiet - stiff).max() > 0.1
    if domain == "paths":
        assert np.all(moved[:, 2] == 0)
        assert set(np.unique(plain[:, 2])) == {0.0, 1.0}


@pytest.mark.parametrize("domain", Strokes.domains)
def test_digits_are_told_apart(domain: str) -> None:
    rows = Strokes(rows_per_domain=600, test_rows=300).rows(domain)
    assert rows.test_x is not None
    assert rows.test_y is not None
    nearest = KNeighborsClassifier(1).fit(rows.x.reshape(600, -1), rows.y["digit"])
    assert 0.6 < nearest.score(rows.test_x.reshape(300, -1), rows.test_y["digit"]) < 1


def test_rows_of_a_form_go_in_flat_with_zeros_behind() -> None:
    fitted = SMALL.fit({}, {})
    image, path = SMALL.rows("images").x, SMALL.rows("paths").x
    assert np.array_equal(fitted.apply(image, "images"), image.reshape(60, 256))
    found = fitted.apply(path, "paths")
    assert found.dtype == np.float32
    assert np.array_equal(found[:, :144], path.reshape(60, 144))
    assert not found[:, 144:].any()
    assert np.array_equal(fitted.apply(path.reshape(60, 144), "paths"), found)
    assert np.array_equal(fitted.apply(found, "paths"), found)
    found[0, 0] = 9
    assert SMALL.rows("paths").x[0, 0, 0] != 9


@pytest.mark.parametrize(
    ("x", "domain", "text"),
    [
        (np.zeros((2, 48, 3)), "paths", r"rows of another form, got \(2, 48, 3\)"),
        (np.zeros((2, 1, 16, 16)), "paths", r"Give \(n, 3, 48\), or the same flattened, \(n, 144\)"),
        (np.ones((2, 256)), "paths", "rows of another form"),
        (np.full((2, 256), 255.0), "images", "values must lie from 0 to 1"),
        (np.full((2, 144), np.nan), "paths", "NaN"),
        (np.full((2, 3, 48), 2.5), "paths", "values must lie from -2 to 2"),
    ],
)
def test_other_rows_are_refused(x: np.ndarray, domain: str, text: str) -> None:
    with pytest.raises(DataError, match=text):
        SMALL.restore({}).apply(x, domain)


class Broken(Tasks, abstract=True):
    """Rows of five numbers that are said to have other forms."""

    forms: ClassVar[Mapping[str, tuple[int, ...]]] = {"a": (5,), "c": (2, 3)}

    def fit(self, source: Mapping[str, DomainRows], target_x: Mapping[str, np.ndarray]) -> Fitted:
        return Fitted({}, lambda x, domain: x.astype(np.float32))


@pytest.mark.parametrize(
    ("domains", "text"),
    [(("b", "a"), "forms leave out a domain, got 'b'"), (("a", "c"), r"a: input of other forms.*\(n, 6\) float32")],
)
def test_a_dataset_must_keep_what_its_forms_promise(domains: tuple[str, str], text: str) -> None:
    with pytest.raises(ContractError, match=text):
        make_split(Broken(), domains[:1], domains[1:], 0)
