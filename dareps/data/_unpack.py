"""From downloads to the files that readers want, and whether such a file is whole."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import shutil
import tarfile
import tempfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO

from dareps.data._base import RemoteFile
from dareps.data._decoding import image_files
from dareps.errors import DataError

_BLOCK = 1 << 20


def unpack(file: RemoteFile, archive: Path, target: Path) -> None:
    """Make `target` of a whole download and delete the download.

    Raises:
        DataError: The archive is not what it should be, or the disk is full.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.kind == "plain":
            archive.replace(target)
            return
        (_gunzip if file.kind == "gzip" else _members)(file, archive, target)
    except (EOFError, zlib.error, tarfile.TarError, gzip.BadGzipFile) as error:
        archive.unlink(missing_ok=True)
        what = f"the download is not the archive it should be ({type(error).__name__}: {error})"
        raise DataError(file.url, what, fix="Repeat the command to download it again.") from error
    except OSError as error:
        what = f"the download cannot be unpacked ({error.strerror or error})"
        raise DataError(str(target), what, fix="Free some room, then repeat the command.") from error
    archive.unlink(missing_ok=True)


def damage(file: RemoteFile, path: Path) -> str:
    """What is wrong with a file or folder that is there; empty when nothing is known to be."""
    if file.count:
        found = len(image_files(path)) if file.kind == "folder" else sum(1 for _ in path.glob("*.jpg"))
        return "" if found >= file.count else f"{file.count} files expected, {found} found"
    digest = hashlib.sha256()
    try:
        with opened(path) as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
    except (OSError, EOFError, zlib.error) as error:
        return f"broken or truncated ({error})"
    expected = file.contents.removeprefix("sha256:")
    return "" if expected in ("", digest.hexdigest()) else f"another checksum than {expected}: {digest.hexdigest()}"


def opened(path: Path) -> IO[bytes] | gzip.GzipFile | bz2.BZ2File:
    """The unpacked bytes of a file."""
    if path.suffix == ".gz":
        return gzip.open(path, "rb")
    return bz2.open(path, "rb") if path.suffix == ".bz2" else path.open("rb")


def _gunzip(file: RemoteFile, archive: Path, target: Path) -> None:
    part = target.with_name(f"{target.name}.part")
    with gzip.open(archive, "rb") as packed, part.open("wb") as plain:
        shutil.copyfileobj(packed, plain, _BLOCK)
    part.replace(target)


def _members(file: RemoteFile, archive: Path, target: Path) -> None:
    """Copy the files of one folder of the archive; names are cut to their last part, so nothing leaves the target."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f"{target.name}.") as folder:
        inside = Path(folder) / "members"
        inside.mkdir()
        with tarfile.open(archive) as tar:
            for member in tar:
                name = PurePosixPath(member.name)
                if member.isfile() and str(name.parent) == file.members:
                    _copy_out(tar, member, inside / name.name)
        if wrong := damage(file, inside):
            raise tarfile.TarError(wrong)
        if target.exists():
            shutil.rmtree(target)
        inside.replace(target)


def _copy_out(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    content = tar.extractfile(member)
    if content is not None:
        with content, path.open("wb") as plain:
            shutil.copyfileobj(content, plain, _BLOCK)
