"""A pen that writes digits: places on a canvas from -1 to 1, and how they follow each other in time.

A hand takes a variant of a digit's skeleton, moves its points, draws each stroke a little short, some from elsewhere or
backwards, and sets the whole down slanted, turned, scaled and shifted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dareps.data._draws import generator, uniform
from dareps.data._skeletons import SKELETONS, Stroke, Variant

DENSE = 64
"""Places along a stroke."""
STROKES = max(len(variant) for variants in SKELETONS for variant in variants)
POINTS = max(sum(len(stroke.points) for stroke in variant) for variants in SKELETONS for variant in variants)
WIDTH, HEIGHT = 1.1, 1.45
"""Of a digit of middle size, on a canvas of side 2."""
WOBBLE = 0.08
"""Standard deviation of a point of a skeleton at a wobble of 1, as a share of the box."""
# Half-widths of the changes of a whole digit, and the middle of its slant.
SLANT, LEAN, TURN, SIZE, ASPECT, SHIFT = 0.3, 0.15, 0.15, 0.15, 0.15, 0.12
SHORT, ROLL, BACK = 0.06, 0.15, 0.25
"""Most of a stroke that is left out at either end, how far a loop's start moves, and how often strokes go backwards."""


@dataclass(frozen=True, slots=True)
class Hand:
    """What n digits are written with.

    Attributes:
        digit: (n,) int64.
        variant: Which of its skeletons, (n,).
        moved: By how much points of the skeleton are moved, (n, POINTS, 2), as a share of the box.
        style: Slant, turn, size, aspect, right and down, (6, n) in [-1, 1].
        course: Start, end, roll and direction of each stroke, (n, STROKES, 4) in [0, 1].
    """

    digit: np.ndarray
    variant: np.ndarray
    moved: np.ndarray
    style: np.ndarray
    course: np.ndarray

    def taken(self, rows: np.ndarray) -> Hand:
        """Some of the digits."""
        style = self.style[:, rows]
        return Hand(self.digit[rows], self.variant[rows], self.moved[rows], style, self.course[rows])


def hand(count: int, wobble: float, *key: object) -> Hand:
    """A keyed hand for `count` digits, each digit equally often; the first ones stay the same when `count` grows."""
    digit = np.arange(count) % len(SKELETONS)
    choices = np.array([len(variants) for variants in SKELETONS])[digit]
    course = generator(*key, "course").random((count, STROKES * 4)).reshape(count, STROKES, 4)
    return Hand(
        digit=digit,
        variant=(uniform(count, 1, *key, "variant")[0] * choices).astype(np.int64),
        moved=WOBBLE * wobble * generator(*key, "wobble").standard_normal((count, POINTS, 2)),
        style=2 * uniform(count, 6, *key, "style") - 1,
        course=course,
    )


def written(own: Hand) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The digits by variant: numbers of the rows (m,), and the places (m, strokes * DENSE, 2) that their pens pass."""
    for digit, variants in enumerate(SKELETONS):
        for number, variant in enumerate(variants):
            rows = np.flatnonzero((own.digit == digit) & (own.variant == number))
            yield rows, _written(variant, own.taken(rows))


def _written(variant: Variant, own: Hand) -> np.ndarray:
    blocks, first = [], 0
    for number, stroke in enumerate(variant):
        points = np.array(stroke.points) + own.moved[:, first : first + len(stroke.points)]
        curve = curve_weights(stroke) @ points
        order = _order(stroke, own.course[:, number])
        blocks.append(np.take_along_axis(curve, order[:, :, None], axis=1))
        first += len(stroke.points)
    return _placed(np.concatenate(blocks, axis=1), own.style)


def curve_weights(stroke: Stroke) -> np.ndarray:
    """Weights (DENSE, points) of the places along a Catmull-Rom curve through a stroke's points.

    Catmull & Rom, A class of local interpolating splines, 1974.
    """
    count = len(stroke.points)
    along = np.linspace(0, count if stroke.closed else count - 1, DENSE)
    segment = np.minimum(along.astype(np.int64), count - (1 if stroke.closed else 2))
    t = along - segment
    parts = (-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2)
    weights = np.zeros((DENSE, count))
    for offset, part in zip((-1, 0, 1, 2), parts, strict=True):
        point = segment + offset
        point = point % count if stroke.closed else point.clip(0, count - 1)
        np.add.at(weights, (np.arange(DENSE), point), part / 2)
    return weights


def _order(stroke: Stroke, course: np.ndarray) -> np.ndarray:
    """Which places of the curve a pen passes one after the other, (n, DENSE)."""
    start, end, roll, direction = course.T[:, :, None]
    order = np.arange(DENSE)[None]
    if stroke.closed:
        # The first and the last place of a loop are one.
        order = (order + np.rint(ROLL * (2 * roll - 1) * DENSE).astype(np.int64)) % (DENSE - 1)
    ends = np.rint(SHORT * DENSE * np.stack([start, end])).astype(np.int64)
    order = np.broadcast_to(order, (len(course), DENSE))
    order = np.take_along_axis(order, np.clip(np.arange(DENSE), ends[0], DENSE - 1 - ends[1]), axis=1)
    backwards = (direction < BACK) & stroke.either
    return np.where(backwards, order[:, ::-1], order)


def _placed(box: np.ndarray, style: np.ndarray) -> np.ndarray:
    """Places in the box (n, p, 2) on the canvas."""
    slant, turn, size, aspect, right, down = style[:, :, None]
    scale = 1 + SIZE * size
    x = (box[..., 0] - 0.5) * WIDTH * scale * (1 + ASPECT * aspect)
    y = (box[..., 1] - 0.5) * HEIGHT * scale
    x = x - (LEAN + SLANT * slant) * y
    cos, sin = np.cos(TURN * turn), np.sin(TURN * turn)
    return np.stack([cos * x - sin * y + SHIFT * right, sin * x + cos * y + SHIFT * down], axis=-1)
