from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.func import vmap

from dareps.data._base import Augmentation
from dareps.data.augment.affine import Affine
from dareps.data.augment.color_jitter import ColorJitter
from dareps.data.augment.crop import Crop
from dareps.data.augment.erasing import Erasing
from dareps.data.augment.flip import Flip
from dareps.data.augment.resized_crop import ResizedCrop
from dareps.data.augment.torchvision import Torchvision
from dareps.data.augment.word_dropout import WordDropout
from dareps.errors import ConfigError, ContractError
from dareps.maths.noise import Noise
from dareps.plugin import plugins

KINDS = sorted(plugins(Augmentation).items())
SERIES = ("jitter", "scaling", "time_warp")
"""Changes of series, which see the values of an image in one line; the first two keep no range."""
VALUES = st.lists(st.floats(0, 1, width=32), min_size=24, max_size=24)


def noise(seed: int = 0, step: int = 0) -> Noise:
    return Noise(torch.tensor(seed), torch.tensor(step))


def images(n: int = 6, size: int = 11) -> Tensor:
    return noise(7).uniform("images", (n, 3, size, size))


def suited(name: str, x: Tensor) -> Tensor:
    """Rows that an augmentation is for, of images (..., c, h, w)."""
    return x.flatten(-2) if name in SERIES else x


class Fixed:
    """Noise that is the same number everywhere: 0.5 is the middle of every range."""

    def __init__(self, value: float) -> None:
        self.value = value

    def uniform(self, place: str, shape: tuple[int, ...]) -> Tensor:
        return torch.full(shape, self.value)

    def normal(self, place: str, shape: tuple[int, ...]) -> Tensor:
        return torch.full(shape, self.value)


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_stacked_seeds_equal_single_ones(name: str, kind: type[Augmentation]) -> None:
    if kind.host:
        with pytest.raises(ContractError, match=r"engine\.stack: the augmentation .* host"):
            vmap(lambda seed: kind()(images(2), Noise(seed, torch.tensor(4)), name))(torch.arange(3))
        return
    x, seeds, step = suited(name, images(15).reshape(3, 5, 3, 11, 11)), torch.arange(3), torch.tensor(4)
    stacked = vmap(lambda rows, seed: kind()(rows, Noise(seed, step), name))(x, seeds)
    single = torch.stack([kind()(rows, Noise(seed, step), name) for rows, seed in zip(x, seeds, strict=True)])
    assert torch.equal(stacked, single)


@pytest.mark.parametrize(("name", "kind"), KINDS)
@given(values=VALUES)
def test_rows_keep_shape_type_and_range(name: str, kind: type[Augmentation], values: list[float]) -> None:
    x = suited(name, torch.tensor(values).view(2, 1, 3, 4))
    for dtype in (torch.float32, torch.float64):
        result = kind()(x.to(dtype), noise(), name)
        assert result.shape == x.shape
        assert result.dtype == dtype
        assert bool(((result >= 0) & (result <= 1 + 1e-6)).all()) or name in SERIES[:2]


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_noise_is_keyed(name: str, kind: type[Augmentation]) -> None:
    x = suited(name, images(30))
    assert torch.equal(kind()(x, noise(), "here"), kind()(x, noise(), "here"))
    for other in (kind()(x, noise(1), "here"), kind()(x, noise(0, 1), "here"), kind()(x, noise(), "there")):
        assert not torch.equal(other, kind()(x, noise(), "here"))


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_each_row_has_its_own_draws(name: str, kind: type[Augmentation]) -> None:
    x = suited(name, images(1).expand(40, 3, 11, 11))
    found = len(torch.unique(kind()(x, noise(), name).flatten(1), dim=0))
    assert found == 2 if name == "flip" else found > 20


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_global_generators_do_not_move(name: str, kind: type[Augmentation]) -> None:
    before = torch.get_rng_state()
    kind()(suited(name, images()), noise(), name)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("kind", [Affine, Crop, Erasing])
def test_image_changes_refuse_other_rows(kind: type[Augmentation]) -> None:
    with pytest.raises(ConfigError, match=r"needs images.*\(4, 9\)"):
        kind()(torch.zeros(4, 9), noise(), "here")


def test_without_strength_nothing_changes() -> None:
    x = images()
    still = (Crop(padding=0), Erasing(probability=0), WordDropout(p=0))
    assert all(torch.equal(change(x, noise(), "here"), x) for change in still)
    none = Affine(degrees=0, translate=0, scale=0)
    assert torch.allclose(none(x, noise(), "here"), x, atol=1e-6)


def test_affine_turns_by_its_angle() -> None:
    x = images(3, 12)
    # Noise at the top of its range turns clockwise by the limit: a quarter and a half turn keep pixels on pixels.
    for degrees, turns in ((90.0, 1), (180.0, 2)):
        turned = Affine(degrees=degrees, translate=0, scale=0)(x, Fixed(1.0), "here")
        assert torch.allclose(turned, torch.rot90(x, -turns, (2, 3)), atol=1e-4)


def test_affine_shifts_by_shares_of_the_image() -> None:
    x = images(3, 10)
    shifted = Affine(degrees=0, translate=0.2, scale=0)(x, Fixed(1.0), "here")
    assert torch.allclose(shifted[:, :, 2:, 2:], x[:, :, :-2, :-2], atol=1e-4)
    assert float(shifted[:, :, :2].abs().max()) < 1e-4


@pytest.mark.parametrize(("fill", "seen"), [("zeros", 0.0), ("border", 1.0), ("reflection", 1.0)])
def test_what_comes_into_view_is_0_or_the_image_itself(fill: str, seen: float) -> None:
    shifted = Affine(degrees=0, translate=0.5, scale=0, fill=fill)(torch.ones(1, 1, 8, 8), Fixed(1.0), "here")
    assert float(shifted[0, 0, 0, 0]) == seen


def test_affine_magnifies() -> None:
    x = torch.zeros(1, 1, 20, 20)
    x[:, :, 8:12, 8:12] = 1
    larger = Affine(degrees=0, translate=0, scale=0.5)(x, Fixed(1.0), "here")
    assert float(larger.sum() / x.sum()) == pytest.approx(1.5**2, rel=0.05)


@given(draw=st.floats(0, 1, exclude_max=True), padding=st.integers(0, 4))
def test_crop_shifts_by_whole_pixels(draw: float, padding: int) -> None:
    x = images(2, 9)
    shift = math.floor(float(torch.tensor(draw)) * (2 * padding + 1)) - padding
    if shift > padding:
        return
    padded = torch.nn.functional.pad(x, (4, 4, 4, 4))
    start = 4 - shift
    expected = padded[:, :, start : start + 9, start : start + 9]
    assert torch.equal(Crop(padding=padding)(x, Fixed(draw), "here"), expected)


def test_crop_reaches_every_shift_about_equally() -> None:
    x = torch.zeros(4000, 1, 9, 9)
    x[:, :, 4, 4] = 1
    share = Crop(padding=1)(x, noise(), "here").mean(dim=(0, 1))[3:6, 3:6]
    assert float(share.sum()) == pytest.approx(1)
    assert float((share - 1 / 9).abs().max()) < 0.02


def test_erasing_takes_one_rectangle_of_some_images() -> None:
    x = torch.ones(4000, 2, 20, 20)
    erased = Erasing(probability=0.3, area=0.2)(x, noise(), "here") == 0
    assert torch.equal(erased[:, 0], erased[:, 1])
    rows, columns = erased[:, 0].any(dim=2), erased[:, 0].any(dim=1)
    assert torch.equal(erased[:, 0], rows[:, :, None] & columns[:, None, :])
    share = erased[:, 0].float().mean(dim=(1, 2))
    assert float((share > 0).float().mean()) == pytest.approx(0.3, abs=0.03)
    assert 0.15 < float(share.max()) < 0.25


def test_word_dropout_takes_its_share() -> None:
    x = torch.full((200, 100), 3.0)
    result = WordDropout(p=0.2)(x, noise(), "here")
    assert set(result.flatten().tolist()) == {0.0, 3.0}
    assert float((result == 0).float().mean()) == pytest.approx(0.2, abs=0.02)


def test_flips_are_mirror_images() -> None:
    x = images()
    assert torch.equal(Flip(probability=1)(x, noise(), "here"), x.flip(3))
    assert torch.equal(Flip(probability=0)(x, noise(), "here"), x)
    half = Flip()(images(400, 2), noise(), "here")
    kept = (half == images(400, 2)).flatten(1).all(dim=1).float().mean()
    assert 0.4 < float(kept) < 0.6


def test_whole_images_are_crops_of_themselves() -> None:
    x = images(4, 10)
    whole = ResizedCrop(smallest=1, ratio=1)
    assert torch.allclose(whole(x, noise(), "here"), x, atol=1e-6)
    # Half as many pixels of the whole image look between two of its pixels, either way.
    small = ResizedCrop(smallest=1, ratio=1, size=5)(x, noise(), "here")
    assert torch.allclose(small, torch.nn.functional.avg_pool2d(x, 2), atol=1e-6)


def test_crops_are_rectangles_of_their_share_and_ratio() -> None:
    ramp = torch.linspace(0, 1, 64).expand(200, 1, 64, 64)
    across, down = (ResizedCrop(smallest=0.25, largest=0.25, ratio=2)(own, noise(), "here") for own in (ramp, ramp.mT))
    wide = (across[..., 0, -1] - across[..., 0, 0]).flatten() * 63 / 63
    high = (down[..., -1, 0] - down[..., 0, 0]).flatten()
    # 64 places of a side that is s of the image span 63/64 of it, and the ramp rises by 64/63 over the image.
    assert torch.allclose(wide * high, torch.full((200,), 0.25), atol=0.02)
    ratio = wide / high
    assert float(ratio.min()) >= 0.5 - 0.02
    assert float(ratio.max()) <= 2 + 0.05
    assert 0.4 < float((ratio > 1).float().mean()) < 0.6


def test_crops_refuse_what_no_step_could_join() -> None:
    with pytest.raises(ValueError, match=r"smallest 0\.9 is more than largest 0\.5"):
        ResizedCrop(smallest=0.9, largest=0.5)
    with pytest.raises(ValueError, match="needed in all streams"):
        ResizedCrop(size=5, streams="source")


def test_colours_change_as_torchvision_changes_them() -> None:
    from torchvision.transforms.v2 import functional

    x = images(3)
    # Noise at the top of its range takes the largest factor.
    asked = {"brightness": 1.2, "contrast": 1.3, "saturation": 1.4}
    for name, factor in asked.items():
        others = {own: 0.0 for own in asked if own != name}
        found = ColorJitter(**others, **{name: factor - 1})(x, Fixed(1.0), "here")
        wanted = getattr(functional, f"adjust_{name}")(x, factor)
        assert torch.allclose(found, wanted, atol=2e-3), name
    assert torch.equal(ColorJitter(brightness=0, contrast=0, saturation=0)(x, noise(), "here"), x)


def test_any_transform_of_torchvisions_is_there_by_name() -> None:
    x = images(5)
    mirrored = Torchvision(transform="RandomHorizontalFlip", arguments={"p": 1.0})(x, noise(), "here")
    assert torch.equal(mirrored, x.flip(3))
    with pytest.raises(ConfigError, match="Did you mean 'RandAugment'"):
        Torchvision(transform="RandAugmnt")(x, noise(), "here")
    with pytest.raises(ConfigError, match=r"arguments: RandAugment cannot be made .*unexpected keyword"):
        Torchvision(arguments={"nothing": 1})(x, noise(), "here")
    with pytest.raises(ConfigError, match="RandomCrop fails on images"):
        Torchvision(transform="RandomCrop", arguments={"size": 40})(x, noise(), "here")


def test_settings_with_a_mapping_have_a_hash() -> None:
    one, same, other = (Torchvision(arguments={"num_ops": count}) for count in (1, 1, 2))
    assert one == same
    assert hash(one) == hash(same)
    assert hash(one) != hash(other)
