from __future__ import annotations

from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dareps.data._checks import checked_rows
from dareps.data._drawing import GREY, LIGHT, SIDE
from dareps.data._surfaces import SHAPES, stretched
from dareps.data._varieties import (
    DARK,
    SIDEWAYS,
    SIZE,
    SMALLER,
    Look,
    Scenes,
    _spots,
    classes,
    left,
    render,
    rendered,
    scenery,
    scenes,
)
from dareps.data._variety_names import DOMAINS, FRUIT, RIPENESS, VARIETIES, VARIETIES_OF
from dareps.data._variety_shapes import LOOKS, dots, flush, streaks
from dareps.data.split import make_split
from dareps.data.varieties import Varieties
from dareps.errors import ConfigError
from dareps.recipe.bind import bind_run

SMALL = Varieties(rows_per_domain=108, test_rows=54)
LOOK = Look(108, 1.0, 0.5, 0.5, 0.06, 0.5)
CLEAR = Look(108, 0.0, 0.0, 0.0, 0.0, 0.0)
TASKS = ("fruit", "variety", "ripeness")
GRID = np.linspace(-1.3, 1.3, 53)
A, B = (np.broadcast_to(line, (2, 53, 53)) for line in (GRID[None, None, :], GRID[None, :, None]))

CHANGES: dict[str, tuple[float, set[str]]] = {
    "pose": (0.2, {"place", "roll"}),
    "light": (0.1, {"tint"}),
    "background": (1.0, set()),
    "noise": (0.2, set()),
    "shift": (1.0, {"radius", "tint"}),
}
"""What each setting moves among the numbers of a scene."""


def mean_colours(x: np.ndarray) -> np.ndarray:
    """Mean red, green and blue (n, 3) of clear pictures' fruit, in [0, 1]."""
    inside = (x != 128).any(axis=1)[:, None]
    colours: np.ndarray = (x / 255 * inside).sum(axis=(2, 3)) / inside.sum(axis=(2, 3))
    return colours


def test_the_rows_are_those_of_every_machine() -> None:
    assert SMALL.checksum(DOMAINS) == "2394d23bd29f5247f1adf31651fee86b"


def test_rendering_is_a_function_of_its_settings() -> None:
    first, second = render("stall", "train", LOOK), rendered("stall", "train", LOOK)
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert first["x"].shape == (108, 3, SIDE, SIDE)
    assert first["x"].dtype == np.uint8


@given(count=st.integers(27, 2000))
def test_every_pair_of_variety_and_ripeness_occurs_equally_often(count: int) -> None:
    variety, ripeness = classes(count)
    pairs = np.bincount(variety * len(RIPENESS) + ripeness, minlength=27)
    assert np.ptp(pairs) <= 1
    assert np.ptp(np.bincount(variety)) <= 1
    assert np.ptp(np.bincount(ripeness)) <= 1


@pytest.mark.parametrize("domain", DOMAINS)
def test_all_classes_are_balanced_and_a_variety_determines_its_fruit(domain: str) -> None:
    rows = checked_rows(SMALL, domain)
    assert rows.test_y is not None
    for y, count in ((rows.y, 108), (rows.test_y, 54)):
        for task in Varieties.tasks:
            assert np.bincount(y[task.name], minlength=task.size).tolist() == [count // task.size] * task.size
        named = {(VARIETIES[v], FRUIT[f]) for v, f in zip(y["variety"], y["fruit"], strict=True)}
        assert named == {(variety, fruit) for fruit, own in VARIETIES_OF.items() for variety in own}


def test_one_list_of_classes_serves_all_domains() -> None:
    assert {task.name: task.classes for task in Varieties.tasks} == dict(
        zip(TASKS, (FRUIT, VARIETIES, RIPENESS), strict=True)
    )
    assert all(task.size == len(task.classes) for task in Varieties.tasks)
    assert set(LOOKS) == set(VARIETIES)


def test_no_picture_occurs_twice() -> None:
    clear = SMALL.model_copy(update={"noise": 0.0, "shift": 0.0})
    drawn = [part for domain in DOMAINS for part in (clear.rows(domain).x, clear.rows(domain).test_x)]
    pictures = np.concatenate([part.reshape(len(part), -1) for part in drawn if part is not None])
    assert len(np.unique(pictures, axis=0)) == len(pictures) == 3 * (108 + 54)


@pytest.mark.parametrize("setting", CHANGES)
def test_a_setting_moves_its_own_numbers_alone(setting: str) -> None:
    value, expected = CHANGES[setting]
    before, after = (scenes("studio", "train", look) for look in (LOOK, replace(LOOK, **{setting: value})))
    names = {field.name for field in fields(Scenes)}
    assert {name for name in names if not np.array_equal(getattr(before, name), getattr(after, name))} == expected


def test_more_rows_leave_the_first_ones() -> None:
    few, many = (render("stall", "train", replace(CLEAR, count=count))["x"] for count in (54, 108))
    assert np.array_equal(few, many[:54])


def test_without_a_shift_the_studio_is_as_the_stalls_and_they_do_not_know_of_it() -> None:
    far, near = SMALL, SMALL.model_copy(update={"shift": 0.0})
    assert near._look("studio", "train") == near._look("stall", "train") == near._look("stall2", "train")
    assert far._look("studio", "train") != near._look("studio", "train")
    assert near.checksum(("stall", "stall2")) == far.checksum(("stall", "stall2"))
    assert near.checksum(("studio",)) != far.checksum(("studio",))


@given(shift=st.floats(0, 1))
def test_the_shift_dials_from_one_scenery_to_the_other(shift: float) -> None:
    around = scenery(replace(LOOK, shift=shift))
    assert around.background == pytest.approx(0.5 * (1 - shift))
    assert around.noise == pytest.approx(0.06 * (1 - shift / 2))
    assert around.plain == pytest.approx(GREY + shift * (DARK - GREY))
    assert around.light == pytest.approx(tuple((1 - shift) * np.array(LIGHT) + shift * np.array(SIDEWAYS)))


def test_the_studio_is_dark_and_its_fruit_smaller() -> None:
    near, far = (render("studio", "train", replace(CLEAR, shift=shift))["x"] for shift in (0.0, 1.0))
    assert set(near[:, :, 0, 0].ravel()) == {128}
    assert set(far[:, :, 0, 0].ravel()) == {round(255 * DARK)}
    sizes = [(x != x[:, :, :1, :1]).any(axis=1).sum() for x in (near, far)]
    assert sizes[1] / sizes[0] == pytest.approx(SMALLER**2, abs=0.05)


def test_the_background_changes_no_fruit_and_the_light_no_background() -> None:
    plain, busy, tinted = (
        render("stall", "train", replace(CLEAR, **change))["x"].astype(int)
        for change in ({"background": 0.0}, {"background": 1.0}, {"light": 1.0})
    )
    fruit = (plain != tinted).any(axis=1)
    behind = (plain != busy).any(axis=1)
    assert 0.08 < fruit.mean() < 0.5
    # Only pixels on the edge show both.
    assert (fruit & behind).mean() < 0.08
    assert behind[~fruit].mean() > 0.95


def test_noise_has_its_deviation_in_either_place() -> None:
    for shift, share in ((0.0, 1.0), (1.0, 0.5)):
        clean, noisy = (
            render("studio", "train", replace(CLEAR, shift=shift, noise=noise))["x"].astype(float)
            for noise in (0.0, 0.04)
        )
        middle = (clean > 64) & (clean < 191)
        assert (noisy - clean)[middle].std() / 255 == pytest.approx(0.04 * share, rel=0.04)


def test_sizes_are_those_of_the_varieties() -> None:
    drawn = scenes("stall", "train", replace(CLEAR, count=900))
    for number, name in enumerate(VARIETIES):
        assert drawn.radius[drawn.variety == number].mean() == pytest.approx(SIZE * LOOKS[name].size, rel=0.04)


def test_ripeness_goes_from_green_to_brown() -> None:
    drawn = render("stall", "train", replace(CLEAR, count=270))
    red, green, _ = mean_colours(drawn["x"]).T
    for number in range(len(VARIETIES)):
        own = drawn["variety"] == number
        unripe, ripe, over = (own & (drawn["ripeness"] == ripeness) for ripeness in range(3))
        assert (green / red)[unripe].mean() > 1.15 * (green / red)[ripe].mean()
        assert (green + red)[over].mean() < 0.92 * (green + red)[ripe].mean()


def test_spots_come_with_ripeness_and_stay() -> None:
    drawn = scenes("stall", "train", replace(CLEAR, count=270))
    assert [np.ptp(drawn.level[drawn.ripeness == ripeness]) < 1 for ripeness in range(3)] == [True] * 3
    levels = np.linspace(-1.5, 1.5, 13)
    brown = np.stack([_spots(drawn.spots[:, :2], A, B, np.full((2, 1, 1), level)) for level in levels])
    assert not brown[levels <= -0.1].any()
    assert (np.diff(brown, axis=0) >= 0).all()
    assert brown.max() <= 0.9
    assert brown[-1].mean() > 2 * brown[levels == 0.25].mean() > 0


@pytest.mark.parametrize("variety", VARIETIES)
def test_every_form_fills_its_frame_and_faces_the_viewer(variety: str) -> None:
    seen = LOOKS[variety].shape(A, B, np.zeros((2, 2)))
    assert 0.12 < seen.inside.mean() < 0.6
    assert not seen.inside[:, [0, -1]].any()
    assert np.allclose((seen.normal[:, seen.inside] ** 2).sum(axis=0), 1)
    assert seen.normal[2, seen.inside].min() > -1e-9
    assert ((seen.mark >= 0) & (seen.mark <= 1)).all()


@given(draws=st.tuples(st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True)))
def test_patterns_are_shares_that_depend_on_their_draws(draws: tuple[float, float]) -> None:
    own = np.array([draws, (draws[0] / 2 + 0.25, (draws[1] + 0.4) % 1)]).T
    inside = SHAPES["ball"](A, B, own).inside
    for look in LOOKS.values():
        share = look.pattern(A, B, own)[inside]
        assert ((share >= 0) & (share <= 1)).all()
    for pattern in (streaks, flush, dots):
        share = pattern(A, B, own)
        assert not np.array_equal(share[0], share[1])


@given(wide=st.floats(0.7, 1.2), high=st.floats(0.7, 1.2))
def test_a_stretched_sphere_is_an_ellipsoid(wide: float, high: float) -> None:
    seen = stretched(SHAPES["ball"], A, B, np.zeros((2, 2)), wide=wide, high=high)
    square = (A / wide) ** 2 + (B / high) ** 2
    assert np.array_equal(seen.inside, square < 1)
    gradient = np.stack([A / wide**2, B / high**2, np.sqrt(np.clip(1 - square, 0, None))])[:, seen.inside]
    assert np.allclose(seen.normal[:, seen.inside], gradient / np.sqrt((gradient**2).sum(axis=0)))


@given(labels=st.lists(st.integers(0, 3), min_size=6, max_size=60), share=st.floats(1e-6, 1))
def test_of_every_class_a_share_is_left_and_at_least_one(labels: list[int], share: float) -> None:
    full = np.array([0, 1, 2, 3, *labels], dtype=np.int64)
    after = left(full, share, "some key")
    known = after >= 0
    assert np.array_equal(after[known], full[known])
    assert (np.bincount(full[known], minlength=4) >= 1).all()
    if share * np.bincount(full).min() >= 1:
        assert (np.abs(np.bincount(full[known]) - share * np.bincount(full)) <= 0.5 + 1e-6).all()


@pytest.mark.parametrize("task", TASKS)
def test_missing_labels_concern_their_task_and_training_rows(task: str) -> None:
    before, after = SMALL.rows("studio"), SMALL.model_copy(update={f"{task}_labels": 0.01}).rows("studio")
    assert np.array_equal(before.x, after.x)
    assert before.test_y is not None
    assert after.test_y is not None
    for name in TASKS:
        assert np.array_equal(before.test_y[name], after.test_y[name])
        assert np.array_equal(before.y[name], after.y[name]) == (name != task)
    known = after.y[task][after.y[task] >= 0]
    assert sorted(known) == list(range(before.y[task].max() + 1))


def test_tasks_lose_labels_apart() -> None:
    half = Varieties(rows_per_domain=540, test_rows=27, fruit_labels=0.5, variety_labels=0.5, ripeness_labels=0.5)
    known = [y >= 0 for y in half.rows("stall").y.values()]
    assert np.array(known).mean(axis=1).tolist() == [0.5] * 3
    assert [(a & b).mean() for a, b in pairwise(known)] == pytest.approx([0.25] * 2, abs=0.06)


def test_all_tasks_can_be_read_from_clear_pictures() -> None:
    """To the nearest training row form tells fruit, form and colour variety, and colour ripeness within a variety."""
    train, test = (render("stall", part, replace(CLEAR, count=270)) for part in ("train", "test"))
    known, asked = mean_colours(train["x"]), mean_colours(test["x"])
    colour = ((asked[:, None] - known[None]) ** 2).sum(axis=2)
    form = ((test["x"] != 128).any(axis=1)[:, None] ^ (train["x"] != 128).any(axis=1)[None]).mean(axis=(2, 3))
    other = test["variety"][:, None] != train["variety"][None]
    found = {"fruit": form, "variety": 0.2 * form + colour, "ripeness": colour + 10 * other}
    right = {task: (train[task][cost.argmin(axis=1)] == test[task]).mean() for task, cost in found.items()}
    assert right["fruit"] > 0.95
    assert right["variety"] > 0.7
    assert right["ripeness"] > 0.85


@pytest.mark.parametrize(
    ("setting", "value"),
    [("shift", 1.1), ("light", -0.1), ("variety_labels", 0.0), ("rows_per_domain", 26), ("noise", np.nan)],
)
def test_settings_out_of_range_are_one_message(setting: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"data\.{setting}: input should be"):
        bind_run("source_only", "varieties/stall:studio", overrides=[(f"data.{setting}", value)])


def test_a_split_of_it() -> None:
    data = make_split(SMALL, ("stall", "stall2"), ("studio",), 0)
    assert [len(part.x) for part in data.source_train + data.source_validation] == [86, 86, 22, 22]
    assert len(data.target_test[0].x) == 54
    assert data.fixed_test
    assert [task.name for task in data.tasks] == list(TASKS)
