"""Simulated sensor series: classes, what a setting moves, what the device does, and that no shift is none."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.linear_model import LogisticRegression

from dareps.data._activities import ACTIVITIES, DOMAINS, NAMES
from dareps.data._checks import checked_rows
from dareps.data._sensors import (
    ANGLE,
    AXIS,
    BLUR,
    GAIN,
    LENGTH,
    OFFSET,
    RATE,
    REACH,
    SLOWER,
    STEPS,
    Collection,
    People,
    device_turn,
    filtered,
    gain,
    moves,
    people,
    recorded,
    rotations,
    taps,
    times,
    turned_by,
)
from dareps.data.sensors import Sensors
from dareps.data.split import make_split
from dareps.errors import ConfigError, DataError
from dareps.recipe.bind import bind_run

SMALL = Sensors(rows_per_domain=60, test_rows=30)
WHOLE = Sensors(rows_per_domain=900, test_rows=600)
COLLECTION = Collection(60, 1.0, 0.1, 0.0)
TURNS = arrays(np.float64, st.tuples(st.integers(1, 4), st.just(3)), elements=st.floats(-3, 3))


def middling(rate: float = 1.0) -> People:
    """One middling person at each activity, with cycles of one rate that start at 0, unjolted."""
    n = len(NAMES)
    turn, none = np.broadcast_to(np.eye(3), (n, 3, 3)), np.zeros((n, 3))
    return People(
        np.arange(n), np.full(n, rate), np.ones((n, 6)), np.zeros((n, 6)), turn, np.zeros((3, n)), none, np.zeros(n)
    )


def spectra(x: np.ndarray) -> np.ndarray:
    """Mean, deviation and spectrum of every channel: what a linear probe reads."""
    waves = np.abs(np.fft.rfft(x, axis=-1))[..., 1:24]
    return np.concatenate([x.mean(axis=-1), x.std(axis=-1), waves.reshape(len(x), -1)], axis=1)


def probed(train: list[np.ndarray], test: list[np.ndarray]) -> float:
    """Accuracy of a linear probe that tells two sets of series apart."""
    sides = [np.repeat([0, 1], [len(part) for part in own]) for own in (train, test)]
    probe = LogisticRegression(C=0.01, max_iter=1000).fit(spectra(np.concatenate(train)), sides[0])
    return float(probe.score(spectra(np.concatenate(test)), sides[1]))


def test_the_rows_are_those_of_every_machine() -> None:
    assert SMALL.checksum(DOMAINS) == "921e3da0c5886c6b476ee63d744ebbc5"


def test_names_and_tables_agree() -> None:
    assert Sensors.tasks[0].classes == NAMES == tuple(ACTIVITIES)
    assert Sensors.tasks[0].size == len(NAMES) == 6
    assert Sensors.domains == DOMAINS == ("phone", "watch", "phone2")


@pytest.mark.parametrize("domain", DOMAINS)
def test_labels_and_shapes(domain: str) -> None:
    rows = checked_rows(SMALL, domain)
    assert rows.test_x is not None
    assert rows.test_y is not None
    assert rows.x.shape == (60, 6, LENGTH)
    assert rows.x.dtype == np.float32
    assert np.bincount(rows.y["activity"]).tolist() == [10] * 6
    assert np.bincount(rows.test_y["activity"]).tolist() == [5] * 6
    assert np.array_equal(rows.x * STEPS, np.rint(rows.x * STEPS))
    assert len(np.unique(np.concatenate([rows.x, rows.test_x]).reshape(90, -1), axis=0)) == 90


def test_more_rows_leave_the_first_ones() -> None:
    few, many = (recorded("watch", "train", replace(COLLECTION, count=count))["x"] for count in (30, 60))
    assert np.array_equal(few, many[:30])


def test_without_a_shift_the_watch_is_as_the_phones_and_they_do_not_know_of_it() -> None:
    far, near = SMALL, SMALL.model_copy(update={"shift": 0.0})
    assert near.checksum(("phone", "phone2")) == far.checksum(("phone", "phone2"))
    assert near.checksum(("watch",)) != far.checksum(("watch",))
    drawn = [near.rows(domain).x for domain in DOMAINS]
    assert not any(np.array_equal(one, other) for one, other in zip(drawn, [*drawn[1:], drawn[0]], strict=True))


@pytest.mark.parametrize(
    ("shift", "other", "low", "high"),
    [(0.0, "watch", 0.45, 0.55), (1.0, "phone2", 0.45, 0.55), (0.3, "watch", 0.8, 1), (1.0, "watch", 0.98, 1)],
)
def test_a_linear_probe_tells_devices_apart_by_the_shift_alone(
    shift: float, other: str, low: float, high: float
) -> None:
    data = WHOLE.model_copy(update={"shift": shift})
    sides = [data.rows(domain) for domain in ("phone", other)]
    tests = [own.test_x for own in sides if own.test_x is not None]
    assert low < probed([own.x for own in sides], tests) <= high


def test_a_linear_probe_of_the_phone_finds_activities_there_and_less_on_the_watch() -> None:
    phone, watch = WHOLE.rows("phone"), WHOLE.rows("watch")
    probe = LogisticRegression(C=0.1, max_iter=1000).fit(spectra(phone.x), phone.y["activity"])
    assert phone.test_x is not None
    assert phone.test_y is not None
    assert 0.9 < probe.score(spectra(phone.test_x), phone.test_y["activity"]) < 0.99
    assert 0.3 < probe.score(spectra(watch.x), watch.y["activity"]) < 0.7


def test_a_middling_persons_mean_is_gravity_leaned_by_the_activity() -> None:
    whole = moves(middling(), np.arange(960) / 96)
    lean = np.array([own.lean for own in ACTIVITIES.values()])
    quiet = np.array([own.impact == 0 for own in ACTIVITIES.values()])
    expected = np.stack([np.sin(lean), 0 * lean, np.cos(lean)], axis=1)
    assert np.allclose(whole[quiet, :3].mean(axis=2), expected[quiet], atol=1e-9)
    assert np.allclose(whole[:, 3:].mean(axis=2), 0, atol=1e-9)
    # Blows come on top of it: they all point the same way.
    assert np.all(whole[~quiet, 2].mean(axis=1) > expected[~quiet, 2] + 0.03)


def test_waves_have_the_amplitudes_of_the_table() -> None:
    """Over ten cycles at rate 1 the spectrum of turning holds each amplitude at its rate, and unrest beside it."""
    whole = moves(middling(), np.arange(960) / 96)[:, 3:]
    found = 2 * np.abs(np.fft.rfft(whole, axis=-1)) / 960
    for number, own in enumerate(ACTIVITIES.values()):
        assert np.allclose(found[number][:, [10, 20, 30]], own.turns, atol=1e-9)
        # The envelope swings 4 times in 10 seconds, and so puts half of its share at both sides of a wave.
        assert np.allclose(found[number][:, 6], own.unrest / 2 * np.array(own.turns)[:, 0], atol=1e-9)


def test_blows_come_twice_in_a_cycle() -> None:
    t = np.arange(96) / 96 + 0.2
    up = moves(middling(), t)[NAMES.index("run"), 2]
    peaks = 1 + np.flatnonzero(np.diff(np.sign(np.diff(up))) < 0)
    high = t[peaks[up[peaks] > 1 + ACTIVITIES["run"].impact]]
    assert np.allclose(high, [0.5, 1.0], atol=0.04)


def test_nobody_differs_without_spread() -> None:
    same = people(replace(COLLECTION, spread=0.0), "test")
    assert np.allclose(same.rate, [own.cycle for own in ACTIVITIES.values()] * 10)
    assert np.allclose(same.force, 1)
    assert np.allclose(same.wear, np.eye(3))
    assert not same.jolt.any()
    assert len(np.unique(same.start)) == same.start.size
    other = people(COLLECTION, "test")
    moved = {
        field.name for field in fields(People) if not np.array_equal(*(getattr(p, field.name) for p in (same, other)))
    }
    assert moved == {"rate", "force", "lag", "wear", "jolt"}


@given(vectors=TURNS)
def test_rotations_turn_about_their_vector_by_its_length(vectors: np.ndarray) -> None:
    found = rotations(vectors)
    assert np.allclose(found @ found.transpose(0, 2, 1), np.eye(3))
    assert np.allclose(np.linalg.det(found), 1)
    assert np.allclose(np.einsum("nij,nj->ni", found, vectors), vectors)
    assert np.allclose(np.trace(found, axis1=1, axis2=2), 1 + 2 * np.cos(np.linalg.norm(vectors, axis=1)))


def test_the_device_is_turned_by_its_share_of_the_angle_with_acceleration_and_turning_alike() -> None:
    assert np.linalg.norm(AXIS) == pytest.approx(1)
    assert np.array_equal(device_turn(0.0)[0], np.eye(3))
    half, whole = device_turn(0.5), device_turn(1.0)
    assert np.allclose(half @ half, whole)
    assert np.trace(whole[0]) == pytest.approx(1 + 2 * np.cos(ANGLE))
    x = np.arange(12.0).reshape(1, 6, 2)
    assert np.allclose(turned_by(whole, x)[:, 3:], whole @ x[:, 3:])


@given(shift=st.floats(0, 1), wave=st.floats(0, 0.5))
def test_the_filter_lets_the_mean_through_and_dampens_what_is_fast(shift: float, wave: float) -> None:
    weights, place = taps(shift), np.arange(-REACH, REACH + 1)
    assert weights.sum() == pytest.approx(1)
    t = np.arange(60 + 2 * REACH) - REACH
    x = np.stack([np.full(len(t), 2.0), np.cos(2 * np.pi * wave * t)])[None]
    found = filtered(x, shift)[0]
    answer = float((weights * np.cos(2 * np.pi * wave * place)).sum())
    assert np.allclose(found[0], 2)
    assert np.allclose(found[1], answer * x[0, 1, REACH:-REACH])
    if shift == 1 or shift == 0:
        assert answer == pytest.approx(np.exp(-2 * (np.pi * wave * BLUR * shift) ** 2), abs=0.02)


def test_a_device_without_shift_changes_nothing() -> None:
    x = np.arange(6.0 * (LENGTH + 2 * REACH)).reshape(1, 6, -1)
    assert np.array_equal(filtered(x, 0.0), x[..., REACH:-REACH])
    assert np.array_equal(gain(0.0), np.ones(6))
    assert np.array_equal(times(0.0)[REACH:-REACH], np.arange(LENGTH) / RATE)


def test_what_the_watch_writes_is_its_gain_offset_rate_and_noise() -> None:
    """People who do not differ, without noise: the row is what each part of the device says, to the last step."""
    still = Collection(12, 0.0, 0.0, 1.0)
    group = people(still, "sensors", 1, "watch", "train")
    seconds = (np.arange(LENGTH + 2 * REACH) - REACH) / (RATE * (1 - SLOWER))
    ideal = filtered(turned_by(device_turn(1.0), moves(group, seconds)), 1.0)
    expected = ideal * np.exp(GAIN)[:, None] + OFFSET[:, None]
    found = recorded("watch", "train", still)["x"]
    assert np.abs(found - expected).max() <= 0.5 / STEPS + 1e-6
    noisy = recorded("watch", "train", replace(still, noise=0.2))["x"] - found
    assert noisy.std() == pytest.approx(0.4, rel=0.03)


def test_rows_go_in_as_they_are_as_a_copy() -> None:
    fitted, x = SMALL.fit({}, {}), SMALL.rows("phone").x
    found = fitted.apply(x, "phone")
    assert found.dtype == np.float32
    assert np.array_equal(found, x)
    found[0] = 9
    assert SMALL.rows("phone").x[0, 0, 0] != 9
    assert np.array_equal(SMALL.restore(fitted.state).apply(x.astype(np.float64), "watch"), x)


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (
            np.zeros((2, 96, 6)),
            r"not its rows, got \('float64', \(2, 96, 6\)\). Give series of numbers as \(n, 6, 96\)",
        ),
        (np.zeros((2, 6, 96), dtype=bool), "not its rows"),
        (np.full((2, 6, 96), np.nan), "NaN"),
    ],
)
def test_other_rows_are_refused(x: np.ndarray, text: str) -> None:
    with pytest.raises(DataError, match=text):
        SMALL.restore({}).apply(x, "watch")


@pytest.mark.parametrize(("setting", "value"), [("shift", 1.1), ("noise", -0.1), ("spread", np.nan), ("test_rows", 29)])
def test_settings_out_of_range_are_one_message(setting: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"data\.{setting}: input should be"):
        bind_run("source_only", "sensors/phone:watch", overrides=[(f"data.{setting}", value)])


def test_a_split_of_it() -> None:
    data = make_split(SMALL, ("phone", "phone2"), ("watch",), 0)
    assert [len(part.x) for part in data.source_train + data.source_validation] == [48, 48, 12, 12]
    assert len(data.target_test[0].x) == 30
    assert data.fixed_test
