from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dareps.data import _download
from dareps.data._download import download
from dareps.errors import DataError

from ._server import Site, running

BODY = bytes(range(256)) * 1200
DIGEST = f"sha256:{hashlib.sha256(BODY).hexdigest()}"


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(_download, "PAUSE", 0.0)
    with running() as site:
        site.files["body"] = BODY
        yield site


def test_a_download_arrives_whole(site: Site, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    target = tmp_path / "new" / "body"
    download(site.url("body"), target, digest=DIGEST, progress=lambda _, done, total: seen.append((done, total)))
    assert target.read_bytes() == BODY
    assert seen[-1] == (len(BODY), len(BODY))
    assert [path.name for path in target.parent.iterdir()] == ["body"]


def test_one_break_is_mended_within_the_call(site: Site, tmp_path: Path) -> None:
    site.breaks, site.keep = 1, 100_000
    download(site.url("body"), tmp_path / "body", digest=DIGEST)
    assert (tmp_path / "body").read_bytes() == BODY
    assert site.asked == ["", "bytes=100000-"]


def test_a_broken_download_resumes_in_the_next_call(site: Site, tmp_path: Path) -> None:
    site.breaks, site.keep = _download.TRIES, 50_000
    with pytest.raises(DataError, match="broke off after 150000 bytes") as caught:
        download(site.url("body"), tmp_path / "body", digest=DIGEST)
    assert "Repeat the command" in str(caught.value)
    assert not (tmp_path / "body").exists()
    download(site.url("body"), tmp_path / "body", digest=DIGEST)
    assert (tmp_path / "body").read_bytes() == BODY
    assert site.asked == ["", "bytes=50000-", "bytes=100000-", "bytes=150000-"]


def test_a_site_without_ranges_starts_over(site: Site, tmp_path: Path) -> None:
    site.breaks, site.keep, site.ranges = 1, 100_000, False
    download(site.url("body"), tmp_path / "body", digest=DIGEST)
    assert (tmp_path / "body").read_bytes() == BODY


def test_a_whole_part_is_taken_as_it_is(site: Site, tmp_path: Path) -> None:
    (tmp_path / "body.part").write_bytes(BODY)
    download(site.url("body"), tmp_path / "body", digest=DIGEST)
    assert (tmp_path / "body").read_bytes() == BODY


@pytest.mark.parametrize("part", [b"", b"something else", BODY + b"more"])
def test_a_wrong_checksum_deletes_what_came(site: Site, tmp_path: Path, part: bytes) -> None:
    (tmp_path / "body.part").write_bytes(part)
    with pytest.raises(DataError, match="another checksum"):
        download(site.url("body"), tmp_path / "body", digest=f"sha256:{'0' * 64}")
    assert list(tmp_path.iterdir()) == []


def test_a_part_of_another_file_heals_in_the_next_call(site: Site, tmp_path: Path) -> None:
    (tmp_path / "body.part").write_bytes(b"something else")
    with pytest.raises(DataError, match="another checksum"):
        download(site.url("body"), tmp_path / "body", digest=DIGEST)
    download(site.url("body"), tmp_path / "body", digest=DIGEST)
    assert (tmp_path / "body").read_bytes() == BODY


def test_a_missing_file_says_what_to_place_where(site: Site, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"answers 404") as caught:
        download(site.url("gone"), tmp_path / "gone")
    assert str(tmp_path / "gone") in str(caught.value)


def test_a_site_that_is_down_is_one_message(tmp_path: Path, site: Site) -> None:
    site.server_close()
    with pytest.raises(DataError, match="broke off after 0 bytes"):
        download(site.url("body"), tmp_path / "body")


FULL_DISK = """
import resource, sys
from pathlib import Path
from dareps.data._download import download
from dareps.errors import DataError
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    download(sys.argv[1], Path(sys.argv[2]))
except DataError as error:
    print(error)
    sys.exit(error.exit_code)
"""


def test_a_full_disk_is_one_message_and_can_be_continued(site: Site, tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL_DISK, site.url("body"), str(tmp_path / "body")]
    child = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert child.returncode == 2, child.stderr
    assert "cannot be written" in child.stdout
    assert "Free some room" in child.stdout
    assert 0 < (tmp_path / "body.part").stat().st_size <= 100_000
    download(site.url("body"), tmp_path / "body", digest=DIGEST)
    assert (tmp_path / "body").read_bytes() == BODY
    assert site.asked[-1].startswith("bytes=")


def test_an_unwritable_folder_is_one_message(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(DataError, match="cannot be written"):
        download(site.url("body"), tmp_path / "file" / "body")
