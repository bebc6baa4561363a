from __future__ import annotations

import dataclasses
import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dareps.data import _download
from dareps.data._base import Dataset, RemoteFile
from dareps.data.catalogue import check, datasets_table, get
from dareps.data.office_caltech10_surf import OfficeCaltech10Surf
from dareps.errors import ConfigError, DataError
from dareps.plugin import plugins

from ._server import Site, running

BODY = b"some bytes" * 100
SHA256 = f"sha256:{hashlib.sha256(BODY).hexdigest()}"


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, empty_cache: Path) -> Iterator[Site]:
    monkeypatch.setattr(_download, "PAUSE", 0.0)
    with running() as site:
        yield site


def tar(*names: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(BODY)
            archive.addfile(member, io.BytesIO(BODY))
    return stream.getvalue()


def serve(monkeypatch: pytest.MonkeyPatch, site: Site, body: bytes, **file: Any) -> RemoteFile:
    """Give a dataset one file that the loopback site publishes."""
    site.files["file"] = body
    remote = RemoteFile(site.url("file"), "folder/name", **file)
    monkeypatch.setattr(OfficeCaltech10Surf, "files", (remote,))
    return remote


def fetch() -> list[str]:
    return get("office_caltech10_surf")


@pytest.mark.usefixtures("empty_cache")
def test_the_table_tells_what_is_there() -> None:
    table = {entry.name: entry for entry in datasets_table()}
    assert table["digits8"].state == "embedded"
    assert table["digits"].state == "missing"
    assert "USPS/usps.bz2" in table["digits"].where
    assert all(entry.origin and entry.licence and entry.domains for entry in table.values())


def test_found_needs_every_file(empty_cache: Path) -> None:
    for file in OfficeCaltech10Surf.files:
        assert {e.name: e for e in datasets_table()}["office_caltech10_surf"].state == "missing"
        path = empty_cache / "data" / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    entry = {e.name: e for e in datasets_table()}["office_caltech10_surf"]
    assert (entry.state, entry.where) == ("found", str(path.parent))


@pytest.mark.parametrize("name", sorted(plugins(Dataset)))
def test_every_download_is_described(name: str) -> None:
    dataset = plugins(Dataset)[name]
    assert dataset.embedded != bool(dataset.files)
    for file in dataset.files:
        assert file.url.startswith("https://") != (file.kind == "folder" and "http" in dataset.by_hand)
        assert file.digest or file.count
        assert not Path(file.path).is_absolute()
    assert {"encoder", "normalise", "steps", "batch", "optimizer"} <= set(dataset.defaults)


@pytest.mark.parametrize("call", [get, check])
def test_an_unknown_name_is_one_message(call: Any) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'amazon_reviews'"):
        call("amazon_review")


def test_an_embedded_dataset_needs_no_download() -> None:
    assert get("digits8") == ["digits8 is part of the package: nothing to download"]
    assert check("digits8")[0].startswith("digits8/fonts: 1800 rows")


def test_plain_files_are_placed_once(monkeypatch: pytest.MonkeyPatch, site: Site, empty_cache: Path) -> None:
    serve(monkeypatch, site, BODY, digest=SHA256, contents=SHA256)
    lines = fetch()
    assert (empty_cache / "data/folder/name").read_bytes() == BODY
    assert any(OfficeCaltech10Surf.origin.licence in line for line in lines)
    fetch()
    assert len(site.asked) == 1


def test_packed_files_are_unpacked(monkeypatch: pytest.MonkeyPatch, site: Site, empty_cache: Path) -> None:
    serve(monkeypatch, site, gzip.compress(BODY, mtime=0), kind="gzip", contents=SHA256)
    fetch()
    assert (empty_cache / "data/folder/name").read_bytes() == BODY
    assert [path.name for path in (empty_cache / "data/folder").iterdir()] == ["name"]


def test_one_folder_comes_out_of_an_archive(monkeypatch: pytest.MonkeyPatch, site: Site, empty_cache: Path) -> None:
    body = tar("x/train/1.jpg", "x/train/2.jpg", "x/test/3.jpg", "../x/train/4.jpg", "x/train/sub/5.jpg")
    serve(monkeypatch, site, body, kind="tar", members="x/train", count=2)
    fetch()
    assert sorted(path.name for path in (empty_cache / "data/folder/name").iterdir()) == ["1.jpg", "2.jpg"]
    assert [path.name for path in (empty_cache / "data/folder").iterdir()] == ["name"]


@pytest.mark.parametrize(
    ("body", "kind"),
    [(BODY, "gzip"), (gzip.compress(BODY, mtime=0)[:-20], "gzip"), (BODY, "tar"), (tar("x/train/1.jpg"), "tar")],
    ids=["plain", "torn", "no tar", "other folder"],
)
def test_an_archive_that_is_none_is_one_message(
    monkeypatch: pytest.MonkeyPatch, site: Site, empty_cache: Path, body: bytes, kind: str
) -> None:
    serve(monkeypatch, site, body, kind=kind, members="x/train", count=2 * (kind == "tar"))
    with pytest.raises(DataError, match="not the archive it should be"):
        fetch()
    assert not (empty_cache / "data/folder/name").exists()


def test_a_damaged_download_is_replaced(monkeypatch: pytest.MonkeyPatch, site: Site, empty_cache: Path) -> None:
    serve(monkeypatch, site, BODY, digest=SHA256, contents=SHA256)
    path = empty_cache / "data/folder/name"
    path.parent.mkdir(parents=True)
    path.write_bytes(BODY[:-1])
    with pytest.raises(DataError, match=r"folder/name.*damaged: another checksum.*data get office_caltech10_surf"):
        check("office_caltech10_surf")
    fetch()
    assert path.read_bytes() == BODY


def test_a_damaged_file_elsewhere_is_left_to_its_owner(
    monkeypatch: pytest.MonkeyPatch, site: Site, tmp_path: Path
) -> None:
    serve(monkeypatch, site, BODY, digest=SHA256, contents=SHA256)
    path = tmp_path / "mine/folder/name"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    monkeypatch.setenv("DAREPS_DATA", os.pathsep.join([str(tmp_path / "other"), str(tmp_path / "mine")]))
    with pytest.raises(DataError, match=r"mine/folder/name.*damaged.*Delete it"):
        fetch()
    assert path.read_bytes() == b""


def test_a_packed_neighbour_counts_where_readers_take_it(
    monkeypatch: pytest.MonkeyPatch, site: Site, empty_cache: Path
) -> None:
    remote = serve(monkeypatch, site, BODY, digest=SHA256, contents=SHA256)
    path = empty_cache / "data/folder/name.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress(BODY, mtime=0))
    assert "already at" in fetch()[0]
    monkeypatch.setattr(OfficeCaltech10Surf, "files", (dataclasses.replace(remote, kind="gzip"),))
    with pytest.raises(DataError, match="is missing"):
        check("office_caltech10_surf")


def test_one_site_that_is_gone_does_not_keep_the_others(
    monkeypatch: pytest.MonkeyPatch, site: Site, empty_cache: Path
) -> None:
    good = serve(monkeypatch, site, BODY)
    gone = RemoteFile(site.url("gone"), "folder/gone", kind="tar", members="x/train", count=1)
    monkeypatch.setattr(OfficeCaltech10Surf, "files", (gone, good))
    with pytest.raises(DataError, match="answers 404") as caught:
        fetch()
    assert f"(the folder x/train of the archive) as {empty_cache / 'data/folder/gone'}" in str(caught.value)
    assert (empty_cache / "data/folder/name").read_bytes() == BODY
    monkeypatch.setattr(OfficeCaltech10Surf, "files", (gone, gone))
    with pytest.raises(DataError, match="2 of 2 files cannot be had"):
        fetch()


@pytest.mark.parametrize("name", sorted(name for name, part in plugins(Dataset).items() if part.files))
@pytest.mark.usefixtures("empty_cache")
def test_missing_files_say_how_to_get_them(name: str) -> None:
    dataset = plugins(Dataset)[name]()
    for domain in dataset.domains:
        with pytest.raises(DataError, match=f"is missing .*dareps data get {name}"):
            dataset.rows(domain)
    with pytest.raises(DataError, match=f"is missing.*dareps data get {name}"):
        check(name)
