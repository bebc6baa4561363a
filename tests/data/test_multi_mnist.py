from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dareps.data import _images
from dareps.data._multi_mnist import _reduction, overlaid, partners
from dareps.data.multi_mnist import MultiMnist
from dareps.errors import DataError

from .test_images import idx

DIGITS = hnp.arrays(np.uint8, (2, 1, 28, 28))


@pytest.fixture
def small(tmp_path: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root with twelve MNIST digits per part."""
    monkeypatch.setenv("DAREPS_DATA", str(tmp_path))
    monkeypatch.setattr(_images, "ROWS", {"mnist": (12, 12)})
    (tmp_path / "MNIST/raw").mkdir(parents=True)
    generator = np.random.Generator(np.random.Philox(key=0))
    for images, labels in _images.MNIST_FILES.values():
        (tmp_path / images).write_bytes(idx(generator.integers(0, 256, (12, 28, 28))))
        (tmp_path / labels).write_bytes(idx(np.arange(12) % 10))
    return tmp_path


@given(digits=DIGITS)
def test_the_overlay_is_the_larger_digit_reduced_bilinearly(digits: np.ndarray) -> None:
    left, right = digits[:1], digits[1:]
    canvas = np.zeros((1, 1, 36, 36))
    canvas[:, :, :28, :28] = left
    canvas[:, :, 8:, 8:] = np.maximum(canvas[:, :, 8:, 8:], right)
    exact = torch.nn.functional.interpolate(torch.from_numpy(canvas), size=(28, 28), mode="bilinear").numpy()
    found = overlaid(left, right)
    assert found.dtype == np.uint8
    assert np.abs(found - exact).max() <= 0.5 + 1e-6


@given(level=st.integers(0, 255))
def test_even_images_keep_their_brightness(level: int) -> None:
    even = np.full((1, 1, 28, 28), level, dtype=np.uint8)
    found = overlaid(even, even)[0, 0]
    assert set(found[:20, :20].ravel()) == {level}
    assert _reduction().sum(axis=1).tolist() == [14] * 28


@given(count=st.integers(1, 200))
def test_every_digit_is_right_once(count: int) -> None:
    assert sorted(partners(count, "train")) == list(range(count))
    assert np.array_equal(partners(count, "train"), partners(count, "train"))


def test_partners_differ_between_parts() -> None:
    assert not np.array_equal(partners(100, "train"), partners(100, "test"))


@pytest.mark.usefixtures("small")
def test_labels_name_the_digit_on_their_side() -> None:
    rows = MultiMnist().rows("mnist")
    digits, labels = _images.read_domain("mnist", "multi_mnist", "train")
    partner = partners(12, "train")
    assert rows.y["left"].tolist() == labels.tolist()
    assert rows.y["right"].tolist() == labels[partner].tolist()
    assert np.array_equal(rows.x, overlaid(digits, digits[partner]))
    assert rows.test_x is not None
    assert rows.test_x.shape == (12, 1, 28, 28)


def test_rows_are_built_once_and_again_when_digits_change(small: Path, empty_cache: Path) -> None:
    first = MultiMnist().rows("mnist").x
    before = MultiMnist().checksum(("mnist",))
    assert isinstance(first, np.memmap)
    assert len(list((empty_cache / "built").glob("multi_mnist*.npy"))) == 2
    assert MultiMnist().checksum(("mnist",)) == before
    path = small / "MNIST/raw/train-images-idx3-ubyte"
    content = path.read_bytes()
    path.write_bytes(content[:-400] + bytes(400))
    assert MultiMnist().checksum(("mnist",)) != before


def test_truncated_files_are_one_message(small: Path) -> None:
    path = small / "MNIST/raw/t10k-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DataError, match=r"broken or truncated.*dareps data get multi_mnist"):
        MultiMnist().rows("mnist")


@pytest.mark.data
def test_the_rows_of_the_real_digits(real_data: Path) -> None:
    if not (real_data / "MNIST").is_dir():
        pytest.skip("DAREPS_DATA holds no MNIST")
    rows = MultiMnist().rows("mnist")
    assert rows.x.shape == (60000, 1, 28, 28)
    assert rows.test_y is not None
    for side in ("left", "right"):
        counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
        assert np.bincount(rows.y[side]).tolist() == counts
        assert len(rows.test_y[side]) == 10000
    assert abs((rows.y["left"] == rows.y["right"]).mean() - 0.1) < 0.01
    assert MultiMnist().checksum(("mnist",)) == "669064d412447b1116fa16842e7d4cda"
