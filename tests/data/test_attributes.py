from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dareps.data._attribute_names import COLOURS, DOMAINS, KINDS, TYPICAL
from dareps.data._attributes import Look, Scenes, colour_shares, render, rendered, scenes
from dareps.data._drawing import SIDE
from dareps.data._surfaces import SHAPES
from dareps.data.attributes import Attributes
from dareps.data.split import make_split
from dareps.errors import ConfigError, DataError
from dareps.recipe.bind import bind_run

SMALL = Attributes(rows_per_domain=90, test_rows=30)
LOOK = Look(90, 1.0, 0.6, 0.25, 1.0, 0.5, 0.5, 0.06)
CLEAN = replace(LOOK, noise=0.0)
DOMAIN_NAMES = pytest.mark.parametrize("domain", DOMAINS)

CHANGES: dict[str, tuple[float, set[str]]] = {
    "correlation": (0.0, {"colour", "paint"}),
    "size": (0.4, {"radius"}),
    "spread": (0.0, {"radius"}),
    "pose": (0.2, {"place", "roll", "turns"}),
    "light": (0.1, {"tint"}),
    "background": (1.0, set()),
    "noise": (0.2, set()),
}
"""What each setting moves among the numbers of a scene."""


def cramers_v(first: np.ndarray, second: np.ndarray) -> float:
    """sqrt(chi^2 / (n (k - 1))), k the smaller number of classes that occur."""
    table = np.zeros((first.max() + 1, second.max() + 1))
    np.add.at(table, (first, second), 1 / len(first))
    table = table[table.any(axis=1)][:, table.any(axis=0)]
    independent = np.outer(table.sum(axis=1), table.sum(axis=0))
    return float(np.sqrt(((table - independent) ** 2 / independent).sum() / (min(table.shape) - 1)))


def test_the_rows_are_those_of_every_machine() -> None:
    assert SMALL.checksum(("fruit", "solids")) == "35618b2758b7d71f1460f03de7c786b1"


def test_rendering_is_a_function_of_its_settings() -> None:
    first, second = render("fruit", "train", LOOK), rendered("fruit", "train", LOOK)
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert not np.array_equal(first["x"][:30], SMALL.rows("fruit").test_x)


def test_a_broken_cache_is_rebuilt(empty_cache: Path) -> None:
    known = rendered("solids", "train", LOOK)["x"]
    rendered.cache_clear()
    rendered("solids", "train", LOOK)
    (stored,) = (empty_cache / "built").iterdir()
    stored.write_bytes(stored.read_bytes()[:1000])
    rendered.cache_clear()
    assert np.array_equal(rendered("solids", "train", LOOK)["x"], known)


@DOMAIN_NAMES
def test_kinds_are_balanced_and_each_domain_has_its_own(domain: str) -> None:
    rows = SMALL.rows(domain)
    assert rows.x.shape == (90, 3, SIDE, SIDE)
    assert rows.x.dtype == np.uint8
    assert rows.test_y is not None
    for y, share in ((rows.y, 30), (rows.test_y, 10)):
        counts = dict(zip(*np.unique(y["kind"], return_counts=True), strict=True))
        assert counts == {KINDS.index(kind): share for kind in DOMAINS[domain]}
    kind, colour = Attributes.tasks
    assert (kind.size, kind.classes) == (len(KINDS), KINDS)
    assert (colour.size, colour.classes) == (len(COLOURS), COLOURS)


@pytest.mark.parametrize("kind", KINDS)
def test_typical_colours_are_shares(kind: str) -> None:
    assert sum(TYPICAL[kind].values()) == pytest.approx(1)
    assert set(TYPICAL[kind]) <= set(COLOURS)


@DOMAIN_NAMES
@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.7, 1.0])
def test_the_correlation_is_what_the_setting_says(domain: str, correlation: float) -> None:
    drawn = scenes(domain, "train", replace(LOOK, count=1800, correlation=correlation))
    counts = np.zeros((3, len(COLOURS)))
    np.add.at(counts, (np.arange(1800) % 3, drawn.colour), 1)
    # Quotas, not chances: every count is within a row of its expectation.
    assert np.abs(counts - 600 * colour_shares(domain, correlation)).max() <= 1 + 1e-9
    typical = 3 * np.array([[TYPICAL[kind].get(colour, 0) for colour in COLOURS] for kind in DOMAINS[domain]])
    assert np.abs(counts.sum(axis=0) / 600 - typical.mean(axis=0)).max() < 0.01
    full = scenes(domain, "train", replace(LOOK, count=1800))
    strength = cramers_v(full.kind, full.colour)
    assert cramers_v(drawn.kind, drawn.colour) == pytest.approx(correlation * strength, abs=0.01)
    assert strength > {"fruit": 0.7, "solids": 0.35}[domain]


@given(correlation=st.floats(0, 1))
def test_overall_shares_of_colours_do_not_move(correlation: float) -> None:
    for domain in DOMAINS:
        shares = colour_shares(domain, correlation)
        assert np.allclose(shares.sum(axis=1), 1)
        assert np.allclose(shares.mean(axis=0), colour_shares(domain, 1).mean(axis=0))


@DOMAIN_NAMES
@pytest.mark.parametrize("setting", CHANGES)
def test_a_setting_moves_its_own_numbers_alone(domain: str, setting: str) -> None:
    value, expected = CHANGES[setting]
    before, after = (scenes(domain, "train", look) for look in (LOOK, replace(LOOK, **{setting: value})))
    names = {field.name for field in fields(Scenes)}
    assert {name for name in names if not np.array_equal(getattr(before, name), getattr(after, name))} == expected


def test_a_scene_without_pose_is_upright() -> None:
    drawn = scenes("solids", "train", replace(LOOK, pose=0.0, spread=0.0, light=0.0))
    assert not drawn.place.any()
    assert not drawn.roll.any()
    assert np.ptp(drawn.turns, axis=1).tolist() == [0, 0]
    assert set(drawn.radius) == {0.6}
    assert set(drawn.tint.ravel()) == {1.0}


@pytest.mark.parametrize("size", [0.4, 0.8])
def test_sizes_spread_as_the_setting_says(size: float) -> None:
    radius = scenes("fruit", "train", replace(LOOK, count=900, size=size, spread=0.5)).radius
    assert radius.mean() == pytest.approx(size, rel=0.03)
    assert radius.std() == pytest.approx(size * 0.5 / np.sqrt(3), rel=0.05)


@DOMAIN_NAMES
def test_the_background_changes_no_object_and_the_light_no_background(domain: str) -> None:
    plain, busy, dark = (
        render(domain, "train", look)["x"].astype(int)
        for look in (replace(CLEAN, background=0.0), replace(CLEAN, background=1.0), replace(CLEAN, light=0.0))
    )
    lit = render(domain, "train", CLEAN)["x"].astype(int)
    outside = (lit == dark).all(axis=1)
    moved = (plain != busy).any(axis=1)
    # Where light shows there is an object, and there the background does not show, but for pixels on the edge.
    assert 0.05 < (~outside).mean() < 0.6
    assert (moved & ~outside).mean() < 0.1
    assert moved[outside].mean() > 0.9


@DOMAIN_NAMES
def test_noise_has_its_deviation(domain: str) -> None:
    clean = render(domain, "train", replace(CLEAN, background=0.0))["x"].astype(float)
    noisy = render(domain, "train", replace(CLEAN, background=0.0, noise=0.05))["x"].astype(float)
    middle = (clean > 64) & (clean < 191)
    assert (noisy - clean)[middle].std() / 255 == pytest.approx(0.05, rel=0.02)


@pytest.mark.parametrize("task", ["kind", "colour"])
@DOMAIN_NAMES
def test_label_sparsity_concerns_its_task_and_training_rows(task: str, domain: str) -> None:
    few = SMALL.model_copy(update={f"{task}_labels": 0.2})
    before, after = SMALL.rows(domain), few.rows(domain)
    other = {"kind": "colour", "colour": "kind"}[task]
    assert np.array_equal(before.x, after.x)
    assert np.array_equal(before.y[other], after.y[other])
    assert before.test_y is not None
    assert after.test_y is not None
    assert all(np.array_equal(before.test_y[name], after.test_y[name]) for name in ("kind", "colour"))
    known = after.y[task] >= 0
    assert np.array_equal(after.y[task][known], before.y[task][known])
    assert set(after.y[task][~known]) == {-1}
    for label in np.unique(before.y[task]):
        own = before.y[task] == label
        assert abs(known[own].sum() - 0.2 * own.sum()) <= 0.5 + 1e-9
    assert few.checksum((domain,)) != SMALL.checksum((domain,))


def test_the_two_tasks_lose_labels_apart() -> None:
    rows = Attributes(rows_per_domain=300, test_rows=30, kind_labels=0.5, colour_labels=0.5).rows("fruit")
    both = ((rows.y["kind"] >= 0) & (rows.y["colour"] >= 0)).mean()
    assert both == pytest.approx(0.25, abs=0.06)


def test_test_rows_may_be_correlated_otherwise() -> None:
    other = SMALL.model_copy(update={"test_correlation": 0.0})
    before, after = SMALL.rows("fruit"), other.rows("fruit")
    assert np.array_equal(before.x, after.x)
    assert before.test_y is not None
    assert after.test_y is not None
    assert np.array_equal(before.test_y["kind"], after.test_y["kind"])
    assert cramers_v(after.test_y["kind"], after.test_y["colour"]) < 0.1
    assert cramers_v(before.test_y["kind"], before.test_y["colour"]) > 0.6


@pytest.mark.parametrize("kind", KINDS)
def test_every_shape_fills_its_frame_and_faces_the_viewer(kind: str) -> None:
    line = np.linspace(-1.3, 1.3, 53)
    a, b = (np.broadcast_to(values, (4, 53, 53)) for values in (line[None, None, :], line[None, :, None]))
    seen = SHAPES[kind](a, b, np.array([[0.6, 1.0, 2.5, 4.0], [-0.5, -0.8, -0.2, -0.5]]))
    assert 0.12 < seen.inside.mean() < 0.6
    assert not seen.inside[:, [0, -1]].any()
    x, y, z = seen.normal[:, seen.inside]
    assert np.allclose(x**2 + y**2 + z**2, 1)
    assert z.min() > -1e-9


def test_a_cube_seen_from_the_front_is_a_square() -> None:
    line = np.linspace(-1, 1, 41)
    a, b = np.broadcast_to(line[None, None, :], (1, 41, 41)), np.broadcast_to(line[None, :, None], (1, 41, 41))
    seen = SHAPES["cube"](a, b, np.zeros((2, 1)))
    assert np.array_equal(seen.inside, (np.abs(a) <= 0.66) & (np.abs(b) <= 0.66))
    assert np.allclose(seen.normal[:, seen.inside].T, [0, 0, 1])


def nearest(x: np.ndarray, y: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Label of the nearest row."""
    labels: np.ndarray = y[((asked[:, None].astype(float) - x[None]) ** 2).sum(axis=2).argmin(axis=1)]
    return labels


def test_both_tasks_can_be_read_from_the_image() -> None:
    """Clear images: the middle's mean colour tells `colour`; raw pixels tell `kind` to nearest neighbours."""
    clear = Attributes(
        rows_per_domain=210, test_rows=60, pose=0.0, light=0.0, noise=0.0, background=0.0, correlation=0.0
    )
    for domain in DOMAINS:
        rows = clear.rows(domain)
        assert rows.test_x is not None
        assert rows.test_y is not None
        middle, test_middle = (x[:, :, 12:20, 12:20].mean(axis=(2, 3)) for x in (rows.x, rows.test_x))
        shape, test_shape = ((x != 128).any(axis=1).reshape(len(x), -1) for x in (rows.x, rows.test_x))
        assert (nearest(middle, rows.y["colour"], test_middle) == rows.test_y["colour"]).mean() > 0.95
        assert (nearest(shape, rows.y["kind"], test_shape) == rows.test_y["kind"]).mean() > 0.9


@pytest.mark.parametrize(
    ("setting", "value"), [("correlation", 1.1), ("size", 0), ("kind_labels", 0.0), ("pose", -0.1), ("noise", np.nan)]
)
def test_settings_out_of_range_are_one_message(setting: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"data\.{setting}: input should be"):
        bind_run("source_only", "attributes/fruit:solids", overrides=[(f"data.{setting}", value)])


def test_a_split_of_it() -> None:
    data = make_split(SMALL, ("fruit",), ("solids",), 0)
    sizes = [len(part[0].x) for part in (data.source_train, data.source_validation, data.target_train)]
    assert sizes == [72, 18, 72]
    assert len(data.target_test[0].x) == 30
    assert data.fixed_test
    with pytest.raises(DataError, match="n, 3, 32, 32"):
        data.fitted.apply(np.zeros((3, 3, 32, 32)), "fruit")
