"""Downloads that resume: into a `.part` file, checked against a digest, then moved into place."""

from __future__ import annotations

import hashlib
import http.client
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final, TypeVar

from dareps.errors import DataError

Progress = Callable[[str, int, int], None]
"""Called with (address, bytes so far, bytes in all or 0)."""

TRIES: Final = 3
PAUSE: Final = 0.2
TIMEOUT: Final = 30.0
_BLOCK: Final = 1 << 16
Result = TypeVar("Result")
_PARTIAL, _NOT_SATISFIABLE = 206, 416


class _BrokenOffError(Exception):
    """The connection could not be made or did not hold."""


def quiet(url: str, done: int, total: int) -> None:
    """Report nothing."""


def download(url: str, target: Path, *, digest: str = "", place: str = "", progress: Progress = quiet) -> None:
    """Download an address to a file; a `.part` file beside it is continued where it ends.

    Args:
        url: The address.
        target: The file to make.
        digest: `sha256:...` or `md5:...` that it must have; empty to take what comes.
        place: What to place where if the site is gone; by default this file.
        progress: Told about every block.

    Raises:
        DataError: The site refuses, the connection keeps breaking, the disk is full or the digest is another.
    """
    part = target.with_name(f"{target.name}.part")
    fix = place or f"Get it by other means and place it as {target}."
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        _retrieve(url, part, progress, fix)
        _verify(url, part, digest)
        part.replace(target)
    except OSError as error:
        what = f"the download cannot be written ({error.strerror or error})"
        fix = "Free some room, or name another folder in DAREPS_CACHE; then repeat the command."
        raise DataError(str(part), what, fix=fix) from error


def file_digest(path: Path, algorithm: str) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def _retrieve(url: str, part: Path, progress: Progress, fix: str) -> None:
    """Fill the part file, with further tries where the last one ended."""
    for attempt in range(1, TRIES + 1):
        try:
            _continue(url, part, progress)
            return
        except urllib.error.HTTPError as error:
            what = f"the site answers {error.code} {error.reason}"
            raise DataError(url, what, fix=fix) from error
        except _BrokenOffError as error:
            if attempt == TRIES:
                what = f"the download broke off after {_size(part)} bytes ({error})"
                again = "Repeat the command to continue there."
                raise DataError(url, what, fix=f"{again} If the site is gone: {fix}") from error
        time.sleep(PAUSE * attempt)


def _continue(url: str, part: Path, progress: Progress) -> None:
    """One connection: ask for what is missing and append it."""
    start = _size(part)
    headers = {"User-Agent": "dareps"} | ({"Range": f"bytes={start}-"} if start else {})
    try:
        reply = _guarded(lambda: urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT))
    except urllib.error.HTTPError as error:
        if error.code != _NOT_SATISFIABLE or not start:
            raise
        # Nothing is left to send: the part is whole, or it belongs to another file, which its digest tells.
        return
    with reply:
        appends = reply.status == _PARTIAL and _starts_at(reply.headers.get("Content-Range", ""), start)
        start = start if appends else 0
        length = reply.headers.get("Content-Length")
        total = start + int(length) if length else 0
        with part.open("ab" if appends else "wb") as file:
            done = _copy(reply, file, start, lambda done: progress(url, done, total))
    if total and done < total:
        raise _BrokenOffError(f"{total - done} of {total} bytes are missing")


def _copy(reply: http.client.HTTPResponse, file: IO[bytes], done: int, tell: Callable[[int], None]) -> int:
    while block := _guarded(lambda: reply.read(_BLOCK)):
        file.write(block)
        done += len(block)
        tell(done)
    return done


def _guarded(call: Callable[[], Result]) -> Result:
    """Tell faults of the connection from faults of the disk, both of which are OSErrors."""
    try:
        return call()
    except urllib.error.HTTPError:
        raise
    except (OSError, http.client.HTTPException) as error:
        raise _BrokenOffError(str(error) or type(error).__name__) from error


def _starts_at(content_range: str, start: int) -> bool:
    found = re.match(r"bytes (\d+)-", content_range)
    return found is not None and int(found[1]) == start


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _verify(url: str, part: Path, digest: str) -> None:
    """Delete a download with another digest, since continuing it would never mend it."""
    if not digest:
        return
    algorithm, _, expected = digest.partition(":")
    found = file_digest(part, algorithm)
    if found != expected:
        part.unlink()
        what = f"the download has another checksum than {algorithm} {expected}"
        raise DataError(url, what, found, "Repeat the command; if it happens again, the published file has changed.")
