from __future__ import annotations

import bz2
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from dareps.data import _images
from dareps.data._images import read_domain
from dareps.data._mnist_m import COUNT, blend, blended
from dareps.data.digits import Digits
from dareps.errors import DataError

PIXELS = hnp.arrays(np.uint8, st.tuples(st.integers(1, 4), st.just(1), st.just(28), st.just(28)))


def idx(array: np.ndarray) -> bytes:
    """MNIST's file format: two zero bytes, the type, the number of axes, their lengths, the bytes."""
    lengths = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + lengths + array.astype(np.uint8).tobytes()


@pytest.fixture
def small(tmp_path: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root with three MNIST and two USPS digits per part, and photographs."""
    root = tmp_path / "root"
    monkeypatch.setenv("DAREPS_DATA", str(root))
    monkeypatch.setattr(_images, "ROWS", {"mnist": (3, 3), "usps": (2, 2)})
    for folder in ("MNIST/raw", "USPS", "bsds500/train"):
        (root / folder).mkdir(parents=True)
    generator = np.random.Generator(np.random.Philox(key=0))
    for images, labels in _images.MNIST_FILES.values():
        (root / images).write_bytes(idx(generator.integers(0, 256, (3, 28, 28))))
        (root / labels).write_bytes(idx(np.array([3, 1, 4])))
    line = " ".join(f"{n}:{-1 + n % 3}" for n in range(1, 257))
    for name in _images.USPS_FILES.values():
        (root / name).write_bytes(bz2.compress(f"1 {line}\n10 {line}\n".encode()))
    for number in range(COUNT):
        Image.new("RGB", (30 + number % 3, 31), (number, 100, 200)).save(root / f"bsds500/train/{number}.jpg")
    return root


@given(digits=PIXELS, colour=st.tuples(*[st.integers(0, 255)] * 3))
def test_a_blend_with_one_colour_is_the_difference(digits: np.ndarray, colour: tuple[int, int, int]) -> None:
    photograph = np.broadcast_to(np.array(colour, dtype=np.uint8), (40, 35, 3))
    expected = np.abs(digits.astype(int) - np.array(colour)[None, :, None, None])
    assert np.array_equal(blend(digits, (photograph,), "key"), expected)


def test_a_blend_with_black_shows_the_crops() -> None:
    photograph = np.arange(30 * 33 * 3).reshape(30, 33, 3).astype(np.uint8)
    crops = blend(np.zeros((300, 1, 28, 28), dtype=np.uint8), (photograph,), "key")
    windows = np.lib.stride_tricks.sliding_window_view(photograph, (28, 28), axis=(0, 1)).reshape(-1, 3, 28, 28)
    assert {crop.tobytes() for crop in crops} == {window.tobytes() for window in windows}


def test_a_blend_is_keyed() -> None:
    generator = np.random.Generator(np.random.Philox(key=0))
    digits = np.zeros((5, 1, 28, 28), dtype=np.uint8)
    photographs = tuple(generator.integers(0, 256, (50, 50, 3), dtype=np.uint8) for _ in range(3))
    assert np.array_equal(blend(digits, photographs, "train"), blend(digits, photographs, "train"))
    assert not np.array_equal(blend(digits, photographs, "train"), blend(digits, photographs, "test"))


@pytest.mark.usefixtures("small")
def test_labels_and_shapes_of_each_domain() -> None:
    facts = {"mnist": ((3, 1), [3, 1, 4]), "usps": ((2, 1), [0, 9]), "mnist_m": ((3, 3), [3, 1, 4])}
    for domain, (shape, labels) in facts.items():
        rows = Digits().rows(domain)
        for x, y in ((rows.x, rows.y), (rows.test_x, rows.test_y)):
            assert x is not None
            assert y is not None
            assert x.shape == (*shape, 28, 28)
            assert x.dtype == np.uint8
            assert y["digit"].tolist() == labels


def test_mnist_m_is_built_once_and_mapped(small: Path, empty_cache: Path) -> None:
    first = Digits().rows("mnist_m").x
    stored = sorted((empty_cache / "built").glob("mnist_m*.npy"))
    assert len(stored) == 2
    shutil.rmtree(small / "bsds500/train")
    (small / "bsds500/train").mkdir()
    with pytest.raises(DataError, match="200 photographs expected, 0 found"):
        Digits().rows("mnist_m")
    assert isinstance(first, np.memmap)


def test_a_broken_built_file_is_built_again(small: Path, empty_cache: Path) -> None:
    known = np.array(Digits().rows("mnist_m").x)
    for path in (empty_cache / "built").glob("mnist_m*.npy"):
        path.write_bytes(path.read_bytes()[:-100])
    assert np.array_equal(Digits().rows("mnist_m").x, known)


def test_without_a_cache_mnist_m_is_built_in_memory(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = np.array(Digits().rows("mnist_m").x)
    monkeypatch.setenv("DAREPS_CACHE", str(small / "USPS/usps.bz2"))
    built = Digits().rows("mnist_m").x
    assert np.array_equal(built, known)
    assert not isinstance(built, np.memmap)


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("MNIST/raw/train-images-idx3-ubyte", "mnist"),
        ("MNIST/raw/train-labels-idx1-ubyte", "mnist"),
        ("MNIST/raw/t10k-images-idx3-ubyte", "mnist_m"),
        ("USPS/usps.bz2", "usps"),
        ("USPS/usps.t.bz2", "usps"),
        ("bsds500/train/7.jpg", "mnist_m"),
    ],
)
@pytest.mark.parametrize("keep", [0, 10, 0.9])
def test_truncated_files_are_one_message(small: Path, name: str, domain: str, keep: float) -> None:
    content = (small / name).read_bytes()
    (small / name).write_bytes(content[: int(keep * len(content)) if keep < 1 else int(keep)])
    with pytest.raises(DataError, match=r"broken or truncated.*dareps data get digits"):
        Digits().rows(domain)


def test_a_file_of_another_size_is_one_message(small: Path) -> None:
    (small / "MNIST/raw/train-images-idx3-ubyte").write_bytes(idx(np.zeros((3, 20, 20))))
    with pytest.raises(DataError, match=r"\(3, 28, 28\) pixels expected, \(3, 20, 20\)"):
        read_domain("mnist", "digits", "train")


@pytest.mark.usefixtures("small")
def test_a_split_with_colour_is_in_colour() -> None:
    rows = {domain: Digits().rows(domain) for domain in Digits.domains}
    grey = Digits().fit({"mnist": rows["mnist"]}, {"usps": rows["usps"].x})
    colour = Digits().fit({"mnist": rows["mnist"]}, {"mnist_m": rows["mnist_m"].x})
    assert np.array_equal(grey.apply(rows["usps"].x, "usps"), rows["usps"].x)
    for fitted in (colour, Digits().restore(colour.state)):
        assert np.array_equal(fitted.apply(rows["mnist"].x, "mnist"), np.repeat(rows["mnist"].x, 3, axis=1))
        assert np.array_equal(fitted.apply(rows["mnist_m"].x, "mnist_m"), rows["mnist_m"].x)
    for x in (rows["mnist_m"].x, rows["mnist"].x / 255, rows["mnist"].x[:, :, :20]):
        with pytest.raises(DataError, match="not rows of digits"):
            grey.apply(x, "mnist")


@pytest.mark.usefixtures("small")
def test_network_input_never_shares_memory_with_raw_rows() -> None:
    raw = Digits().rows("mnist_m").x
    ready = Digits().fit({"mnist_m": Digits().rows("mnist_m")}, {"usps": Digits().rows("usps").x}).apply(raw, "mnist_m")
    assert ready.flags.writeable
    assert not isinstance(ready, np.memmap)
    assert not np.shares_memory(ready, raw)


def test_checksums_follow_the_pixels(small: Path) -> None:
    before = Digits().checksum(("mnist", "usps"))
    assert before == Digits().checksum(("mnist", "usps"))
    path = small / "MNIST/raw/train-images-idx3-ubyte"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([255 - content[-1]]))
    assert Digits().checksum(("mnist", "usps")) != before


def test_photographs_must_hold_a_crop(small: Path) -> None:
    Image.new("RGB", (27, 40)).save(small / "bsds500/train/5.jpg")
    with pytest.raises(DataError, match=r"5\.jpg.*at least 28 pixels"):
        blended(np.zeros((2, 1, 28, 28), dtype=np.uint8), "digits", "train")
