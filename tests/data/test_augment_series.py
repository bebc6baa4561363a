"""Augmentations of series: noise by spread, factors by channel, times that rise from the first to the last."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor

from dareps.data._base import Augmentation
from dareps.data.augment._series import between_times
from dareps.data.augment.jitter import Jitter
from dareps.data.augment.scaling import Scaling
from dareps.data.augment.time_warp import TimeWarp, warped_times
from dareps.errors import ConfigError
from tests.data.test_augment import noise

KINDS = (Jitter, Scaling, TimeWarp)
VALUES = arrays(
    np.float32, st.tuples(*[st.integers(1, 3)] * 2, st.integers(1, 40)), elements=st.floats(-9, 9, width=32)
)
PACES = arrays(np.float32, st.tuples(st.integers(1, 3), st.integers(2, 6)), elements=st.floats(0.125, 8, width=32))


def series(n: int, length: int = 50) -> Tensor:
    return noise(5).normal("series", (n, 3, length))


@pytest.mark.parametrize("kind", KINDS)
@given(values=VALUES, knots=st.integers(2, 9))
def test_without_strength_nothing_changes(kind: type[Augmentation], values: np.ndarray, knots: int) -> None:
    x = torch.from_numpy(values)
    more = {"knots": knots} if kind is TimeWarp else {}
    still = kind.model_validate({"strength": 0.0, **more})
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        assert torch.equal(still(x.to(dtype), noise(), "here"), x.to(dtype))


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_independent(kind: type[Augmentation]) -> None:
    """What other rows hold changes nothing in a row."""
    x = series(6)
    other = torch.cat([x[:3], 7 * x[3:].flip(-1) + 1])
    one, two = (kind()(rows, noise(), "here") for rows in (x, other))
    assert torch.equal(one[:3], two[:3])
    assert not torch.equal(one[3:], two[3:])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(4, 9), (4, 1, 3, 3)])
def test_other_rows_are_refused(kind: type[Augmentation], shape: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match=r"needs series.*\(4, "):
        kind()(torch.zeros(shape), noise(), "here")


def test_jitter_is_measured_in_each_channels_spread() -> None:
    x = series(400, 100) * torch.tensor([0.1, 1.0, 50.0])[:, None] + torch.tensor([0.0, 9.0, -3.0])[:, None]
    added = Jitter(strength=0.2)(x, noise(), "here") - x
    shares = added.std(dim=(0, 2)) / x.std(dim=(0, 2))
    assert torch.allclose(shares, torch.full((3,), 0.2), atol=0.005)
    flat = torch.full((2, 1, 5), 4.0)
    assert torch.equal(Jitter(strength=3.0)(flat, noise(), "here"), flat)


def test_scaling_has_one_factor_above_0_for_each_row_and_channel() -> None:
    x = 1 + series(2000, 4).abs()
    factor = Scaling(strength=0.5)(x, noise(), "here") / x
    assert torch.allclose(factor, factor[..., :1], rtol=1e-5)
    logarithm = factor[..., 0].log()
    assert float(logarithm.mean()) == pytest.approx(0, abs=0.02)
    assert float(logarithm.std()) == pytest.approx(0.5, abs=0.02)
    assert abs(float(torch.corrcoef(logarithm.T)[0, 1])) < 0.06


@given(pace=PACES, length=st.integers(3, 60))
def test_times_rise_from_the_first_to_the_last(pace: np.ndarray, length: int) -> None:
    times = warped_times(torch.from_numpy(pace), length)
    assert times.shape == (len(pace), length)
    assert torch.equal(times[:, 0], torch.zeros(len(pace)))
    assert torch.equal(times[:, -1], torch.full((len(pace),), float(length - 1)))
    assert bool((times.diff(dim=1) > 0).all())


def test_a_pace_is_the_ratio_of_its_steps() -> None:
    steps = warped_times(torch.tensor([[1.0, 3.0]]), 101).diff(dim=1)[0]
    # From 1 to 3 in equal amounts, whose mean is 2; the whole is 100 long.
    assert torch.allclose(steps, torch.linspace(1, 3, 100) / 2, atol=1e-4)


def test_warped_series_are_the_values_at_warped_times() -> None:
    line = torch.arange(64.0).expand(5, 2, 64)
    # A line tells the times at which it is read, and both channels are read at the same ones.
    warped = TimeWarp(strength=0.5)(line, noise(), "here")
    assert torch.equal(warped[:, 0], warped[:, 1])
    assert bool((warped.diff(dim=2) > 0).all())
    assert torch.equal(warped[:, :, [0, -1]], line[:, :, [0, -1]])
    assert 0.5 < float((warped - line).abs().max()) < 32
    wave = (line * 2 * math.pi / 64).sin()
    expected = (warped * 2 * math.pi / 64).sin()
    assert torch.allclose(TimeWarp(strength=0.5)(wave, noise(), "here"), expected, atol=2e-3)


@given(values=VALUES, share=st.floats(0, 1))
def test_between_times_values_are_on_the_line(values: np.ndarray, share: float) -> None:
    x = torch.from_numpy(values).double()
    last = x.shape[-1] - 1
    place = share * last
    found = between_times(x, torch.full((len(x), 1), place, dtype=torch.float64))[..., 0]
    expected = [[np.interp(place, np.arange(last + 1), line) for line in row] for row in x.numpy()]
    assert np.allclose(found.numpy(), expected)


def test_short_series_have_no_inner_times() -> None:
    for length in (1, 2):
        x = series(3, length)
        assert torch.equal(TimeWarp(strength=1.0)(x, noise(), "here"), x)
