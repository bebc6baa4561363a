"""Sets of photographs: layouts of public archives, rows that are read when they are asked for, what encoders see."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dareps.data import _decoding, _photo_files
from dareps.data._base import Dataset
from dareps.data._decoding import Decoder
from dareps.data._frame import WHOLE, Frame
from dareps.data._lazy import LazyRows, Mapped
from dareps.data._photographs import IMAGENET, Photographs
from dareps.data._roots import built_path, mapped_rows
from dareps.data.catalogue import check, datasets_table, get
from dareps.data.domainnet import DomainNet
from dareps.data.office31 import Office31
from dareps.data.office_caltech10 import OfficeCaltech10
from dareps.data.pacs import PACS
from dareps.data.split import make_split
from dareps.errors import ConfigError, DataError
from dareps.plugin import plugins
from dareps.types import Task
from tests.data._photographs import SIDE, domain_net, photograph, tree

KINDS = {name: kind for name, kind in plugins(Dataset).items() if issubclass(kind, Photographs)}
SIZES = {"office31": 31, "office_home": 65, "pacs": 7, "visda2017": 12, "domainnet": 345, "vlcs": 5}
IMAGES = {
    "office31": 4110,
    "office_home": 15588,
    "pacs": 9991,
    "visda2017": 207785,
    "domainnet": 586575,
    "vlcs": 10729,
    "office_caltech10": 2533,
}
"""What the papers count."""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DAREPS_DATA", str(tmp_path / "root"))
    return tmp_path / "root"


def small(kind: type[Photographs]) -> Photographs:
    return kind(side=SIDE, crop=None)


@pytest.mark.parametrize("name", sorted(KINDS))
def test_sets_have_the_size_that_papers_state(name: str) -> None:
    kind = KINDS[name]
    classes = kind.tasks[0].classes
    assert len(classes) == kind.tasks[0].size == SIZES.get(name, 10)
    assert len({own.lower() for own in classes}) == len(classes)
    assert sum(file.count for file in kind.files) == IMAGES[name]
    assert len(kind.files) == len(kind.domains)


@pytest.mark.parametrize("name", sorted(set(KINDS) - {"domainnet"}))
@pytest.mark.parametrize("version", [0, -1], ids=["first", "last"])
def test_layouts_of_archives_are_read(root: Path, name: str, version: int) -> None:
    kind = KINDS[name]
    file, domain = kind.files[-1], kind.domains[-1]
    folder = root / (file.path, *file.others)[version]
    tree(folder, kind.tasks[0].classes)
    rows = small(kind).rows(domain)
    assert rows.x.shape == (kind.tasks[0].size, 3, SIDE, SIDE)
    # Files are taken by name, and the order of names may differ from that of classes in capitals.
    assert sorted(rows.y["object"]) == list(range(kind.tasks[0].size))
    first = np.asarray(rows.x)[rows.y["object"] == 0][0]
    with Image.open(folder / kind.tasks[0].classes[0] / "0000.png") as image:
        wanted = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR))
    assert (first == np.moveaxis(wanted, 2, 0)).all()


def test_domainnet_takes_its_test_rows_from_the_official_lists(root: Path) -> None:
    classes = DomainNet.tasks[0].classes
    domain_net(root / "domainnet", "sketch", classes)
    data = small(DomainNet)
    rows = data.rows("sketch")
    assert rows.test_x is not None
    assert rows.test_y is not None
    assert len(rows.x) == len(rows.test_x) == 345
    assert (rows.y["object"] == np.arange(345)).all()
    assert (np.asarray(rows.x[7]) != np.asarray(rows.test_x[7])).any()
    assert len(data.checksum(("sketch",))) == 32
    listing = root / "domainnet/sketch_test.txt"
    (root / "domainnet/image_list").mkdir()
    listing.rename(root / "domainnet/image_list/sketch_test.txt")
    assert len(data.rows("sketch").y["object"]) == 345
    (root / "domainnet/image_list/sketch_test.txt").write_text("sketch/angel/0001.png 4\nsketch/angel/9.png 4\n")
    with pytest.raises(DataError, match=r"line 2 of .*sketch_test\.txt names no image"):
        data.rows("sketch")
    (root / "domainnet/image_list/sketch_test.txt").unlink()
    with pytest.raises(DataError, match=r"sketch_test\.txt is missing"):
        data.rows("sketch")


def test_folders_must_hold_the_classes(root: Path) -> None:
    folder = root / "pacs/photo"
    tree(folder, PACS.tasks[0].classes[:-1])
    with pytest.raises(DataError, match="data pacs/photo: no images of person"):
        small(PACS).rows("photo")
    tree(folder, PACS.tasks[0].classes)
    photograph(folder / "cat" / "1.png", 0)
    with pytest.raises(DataError, match=r"cat/1\.png lies in no folder of a class.*There are 7: dog"):
        small(PACS).rows("photo")


def test_what_is_missing_is_explained(empty_cache: Path) -> None:
    entry = {own.name: own for own in datasets_table()}["office31"]
    assert entry.state == "missing"
    with pytest.raises(DataError, match=r"(?s)cannot fetch office31/amazon.*domain_adaptation_images\.tar\.gz.*cache"):
        get("office31")
    with pytest.raises(DataError, match="office31/amazon/images is missing"):
        Office31().rows("amazon")


def test_a_folder_with_too_few_images_is_noticed(root: Path) -> None:
    for file in PACS.files:
        tree(root / file.path, PACS.tasks[0].classes)
    assert {own.name: own for own in datasets_table()}["pacs"].state == "found"
    for look in (check, get):
        with pytest.raises(DataError, match="2048 files expected, 7 found"):
            look("pacs")


def test_checksums_cover_names_classes_and_contents(root: Path) -> None:
    folder = root / "pacs/photo"
    tree(folder, PACS.tasks[0].classes)
    data, found = small(PACS), set[str]()
    found.add(data.checksum(("photo",)))
    assert data.model_copy(update={"side": 9}).checksum(("photo",)) in found
    photograph(folder / "dog/0000.png", 999)
    found.add(data.checksum(("photo",)))
    (folder / "dog/0000.png").rename(folder / "dog/0001.png")
    found.add(data.checksum(("photo",)))
    photograph(folder / "dog/0002.png", 5)
    (folder / "dog/0002.png").rename(folder / "house/0002.png")
    found.add(data.checksum(("photo",)))
    assert len(found) == 4


def test_without_room_images_are_decoded_each_time(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = root / "pacs/photo"
    tree(folder, PACS.tasks[0].classes, each=3)
    listed = _photo_files.in_folders(folder, PACS.tasks[0].classes, "here")
    with monkeypatch.context() as patch:
        patch.setattr(_photo_files, "_free", lambda path: 0)
        decoded = _photo_files.rows_of(listed, SIDE)
    mapped = _photo_files.rows_of(listed, SIDE)
    assert isinstance(decoded, LazyRows)
    assert isinstance(mapped, LazyRows)
    assert isinstance(decoded.store, Decoder)
    assert isinstance(mapped.store, Mapped)
    assert isinstance(mapped.store.array, np.memmap)
    assert (np.asarray(decoded) == np.asarray(mapped)).all()
    # Another process that reads rows gets the place of the file, not what is in it.
    assert len(pickle.dumps(decoded)) < 10_000


def test_many_images_are_decoded_in_their_order(tmp_path: Path) -> None:
    tree(tmp_path, ["one"], each=150)
    files = tuple(sorted(tmp_path.rglob("*.png")))
    whole = Decoder(files, 6).read(np.arange(150))
    assert (whole[[149, 3, 3]] == Decoder(files, 6).read(np.array([149, 3, 3]))).all()
    files[140].write_bytes(b"no image")
    with pytest.raises(DataError, match=r"0140\.png: the image cannot be read"):
        Decoder(files, 6).read(np.arange(150))


def test_a_broken_image_is_told_before_the_rest_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path, ["one"], each=4)
    files = tuple(sorted(tmp_path.rglob("*.png"))) * 400
    files[0].write_bytes(b"no image")
    done: list[Path] = []
    original = _decoding.pixels
    monkeypatch.setattr(_decoding, "pixels", lambda path, *how: done.append(path) or original(path, *how))
    with pytest.raises(DataError, match="cannot be read"):
        Decoder(files, 6).read(np.arange(1600))
    assert len(done) < 800


def test_pixels_are_mapped_once_and_by_one_process(root: Path, tmp_path: Path) -> None:
    calls: list[int] = []

    def fill(rows: np.ndarray) -> None:
        calls.append(len(rows))
        rows[:] = 3

    found = [mapped_rows("rows-of-a-test.npy", (5, 2), fill) for _ in range(2)]
    assert calls == [5]
    assert all(own is not None and (own == 3).all() for own in found)

    def torn(rows: np.ndarray) -> None:
        raise DataError("here", "a torn image")

    with pytest.raises(DataError, match="torn"):
        mapped_rows("others-of-a-test.npy", (5, 2), torn)
    assert not built_path("others-of-a-test.npy.part").exists()
    # Where a folder has the name of the file, nothing can be written.
    built_path("third-of-a-test.npy.lock").mkdir()
    assert mapped_rows("third-of-a-test.npy", (5, 2), fill) is None


def test_test_rows_join_train_rows_without_being_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DomainNet, "tasks", (Task("object", "classification", 3, DomainNet.tasks[0].classes[:3]),))
    monkeypatch.setattr("dareps.data.domainnet.CLASSES", DomainNet.tasks[0].classes)
    for domain in ("real", "sketch"):
        domain_net(root / "domainnet", domain, DomainNet.tasks[0].classes, ("train", "test"))
        tree(root / "domainnet" / domain, DomainNet.tasks[0].classes, each=8)
        lines = [f"{domain}/{name}/{count:04}.png 0" for name in DomainNet.tasks[0].classes for count in range(4)]
        (root / f"domainnet/{domain}_train.txt").write_text("\n".join(lines))
    data = make_split(small(DomainNet), ("real",), ("sketch",), 0, "transductive")
    x = data.target_train[0].x
    assert isinstance(x, LazyRows)
    rows = small(DomainNet).rows("sketch")
    assert (np.asarray(x) == np.concatenate([rows.x, rows.test_x])).all()
    assert (np.asarray(x[[13, 2, 14]]) == np.asarray(x)[[13, 2, 14]]).all()


@given(numbers=st.lists(st.integers(0, 8), min_size=1, max_size=12), start=st.integers(0, 11), stop=st.integers(0, 12))
def test_lazy_rows_are_what_an_array_would_be(numbers: list[int], start: int, stop: int) -> None:
    array = np.arange(9 * 6, dtype=np.uint8).reshape(9, 2, 3)
    lazy, wanted = LazyRows(Mapped(array), np.arange(9)), array
    for key in (np.asarray(numbers), slice(start, stop), np.asarray(numbers[:3]) % 2 == 0):
        if isinstance(key, np.ndarray) and key.dtype == bool:
            key = np.resize(key, len(wanted))
        lazy, wanted = lazy[key], wanted[key]
        assert lazy.shape == wanted.shape
        assert lazy.ndim == wanted.ndim
        assert len(lazy) == len(wanted)
        assert lazy.dtype == wanted.dtype
        assert (np.asarray(lazy) == wanted).all()
        assert (np.concatenate([lazy, lazy]) == np.concatenate([wanted, wanted])).all()
        if len(wanted) == 0:
            return
        assert (lazy[0] == wanted[0]).all()
        assert (lazy[-1] == wanted[-1]).all()


def test_a_split_reads_no_pixels(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for domain in ("photo", "sketch"):
        tree(root / "pacs" / domain, PACS.tasks[0].classes, each=4)
    reads: list[int] = []
    original = Mapped.read
    monkeypatch.setattr(Mapped, "read", lambda own, numbers: reads.append(len(numbers)) or original(own, numbers))
    for protocol in ("inductive", "paper"):
        data = make_split(small(PACS), ("photo",), ("sketch",), 0, protocol)
        assert isinstance(data.target_test[0].x, LazyRows)
    assert not reads
    assert data.target_test[0].x[2].shape == (3, SIDE, SIDE)
    assert reads == [1]


def test_frames_keep_the_middle_and_scale_channels() -> None:
    x = torch.rand(2, 3, 8, 10)
    mean, spread = IMAGENET
    seen = Frame(4, mean, spread)(x)
    wanted = (x[:, :, 2:6, 3:7] - torch.tensor(mean)[:, None, None]) / torch.tensor(spread)[:, None, None]
    assert torch.equal(seen, wanted)
    assert torch.equal(Frame(4)(x[:, :, 2:6, 3:7]), x[:, :, 2:6, 3:7])
    assert torch.equal(WHOLE(x), x)
    assert Frame(4, mean, spread).shape((3, 8, 10)) == (3, 4, 4)
    assert WHOLE.shape((3, 8, 10)) == (3, 8, 10)
    with pytest.raises(ConfigError, match="images of 8 by 10 pixels are too small"):
        Frame(9).shape((3, 8, 10))
    assert Office31().frame() == Frame(224, mean, spread)
    assert OfficeCaltech10(pixels="unit").frame() == WHOLE


def test_frames_first_seen_without_derivatives_have_some_later() -> None:
    frame = Frame(None, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    with torch.inference_mode():
        frame(torch.rand(1, 3, 4, 4))
    x = torch.rand(1, 3, 4, 4, requires_grad=True)
    (slope,) = torch.autograd.grad(frame(x).square().sum(), x)
    assert slope.isfinite().all()
