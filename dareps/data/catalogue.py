"""What `dareps data list | get | check` do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dareps.data._base import Dataset, RemoteFile
from dareps.data._roots import data_roots, download_root, locate, locate_any
from dareps.errors import ConfigError, DataError
from dareps.plugin import plugins, suggestion

if TYPE_CHECKING:
    from dareps.data._download import Progress

State = Literal["found", "missing", "embedded"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A dataset as `data list` shows it.

    Attributes:
        name: What splits call it.
        domains: Its domains.
        state: Whether all its files are there.
        where: The folders they are in, or the files that are missing.
        origin: Where the data comes from, and its papers.
        licence: Its terms.
    """

    name: str
    domains: tuple[str, ...]
    state: State
    where: str
    origin: str
    licence: str


def datasets_table() -> list[Entry]:
    """All datasets by name, without reading any rows."""
    return [_entry(dataset) for dataset in plugins(Dataset).values()]


def get(name: str, progress: Progress | None = None) -> list[str]:
    """Download what is missing of a dataset; returns one line per file on what was done.

    Files that are there and whole are kept; damaged ones are replaced if they lie in the cache. One file that fails
    does not keep the others from being fetched.

    Raises:
        ConfigError: No dataset has this name.
        DataError: A file cannot be had or stored, with what to place where.
    """
    dataset = _dataset(name)
    if dataset.embedded:
        return [f"{name} is part of the package: nothing to download"]
    if dataset.by_hand and any(_place(file) is None for file in dataset.files):
        lacking = ", ".join(file.path for file in dataset.files if _place(file) is None)
        fix = f"{dataset.by_hand}\nData roots are {', '.join(map(str, data_roots()))}."
        raise DataError(f"data {name}", f"a program cannot fetch {lacking}", fix=fix)
    done: list[str] = []
    failed: list[DataError] = []
    for file in dataset.files:
        try:
            done.append(_get_file(file, progress))
        except DataError as error:
            failed.append(error)
    if len(failed) == 1:
        raise failed[0]
    if failed:
        lines = "\n".join(f"  {error}" for error in failed)
        raise DataError(f"data {name}", f"{len(failed)} of {len(dataset.files)} files cannot be had:\n{lines}")
    return [*done, f"origin: {dataset.origin.source}", f"licence: {dataset.origin.licence}"]


def check(name: str) -> list[str]:
    """Read a dataset whole and compare it with what is known of it; one finding per file, domain and best score.

    Raises:
        ConfigError: No dataset has this name.
        DataError: A file is missing or damaged, or rows or labels are not usable.
    """
    dataset = _dataset(name)
    findings = [_check_file(file, name) for file in dataset.files]
    best = [f"best possible {what}: {score:.3f}" for what, score in dataset().best_scores().items()]
    return [*findings, *_check_domains(dataset()), *best]


def _dataset(name: str) -> type[Dataset]:
    known = plugins(Dataset)
    if name not in known:
        raise ConfigError("data", "no dataset has this name", name, suggestion(name, known))
    return known[name]


def _entry(dataset: type[Dataset]) -> Entry:
    origin = f"{dataset.origin.source}. {dataset.origin.paper}"
    places = {file.path: _place(file) for file in dataset.files}
    missing = [path for path, place in places.items() if place is None]
    state: State = "embedded" if dataset.embedded else "missing" if missing else "found"
    where = ", ".join(missing or sorted({str(place.parent) for place in places.values() if place is not None}))
    return Entry(dataset.name, dataset.domains, state, where, origin, dataset.origin.licence)


def _place(file: RemoteFile) -> Path | None:
    # A file that is published packed is read unpacked, by readers that cannot do otherwise.
    return locate_any(file.others) if (found := locate(file.path, packed=file.kind == "plain")) is None else found


def _get_file(file: RemoteFile, progress: Progress | None) -> str:
    from dareps.data._download import download, quiet
    from dareps.data._unpack import damage, unpack

    place, target = _place(file), download_root() / file.path
    if place is not None:
        wrong = damage(file, place)
        if not wrong:
            return f"{file.path}: already at {place}"
        if download_root() not in place.parents:
            fix = "Delete it, then repeat the command."
            raise DataError(str(place), f"the file is there but damaged: {wrong}", fix=fix)
    archive = target.with_name(f"{target.name}.download")
    download(file.url, archive, digest=file.digest, place=_by_hand(file, target), progress=progress or quiet)
    unpack(file, archive, target)
    return f"{file.path}: downloaded to {target}"


def _by_hand(file: RemoteFile, target: Path) -> str:
    inside = f" (the folder {file.members} of the archive)" if file.members else ""
    unpacked = ", unpacked" if file.kind == "gzip" else ""
    return f"Get it by other means and place it{inside}{unpacked} as {target}."


def _check_file(file: RemoteFile, name: str) -> str:
    from dareps.data._unpack import damage

    place = _place(file)
    if place is None:
        raise DataError(f"data {name}", f"{file.path} is missing", fix=f"Run 'dareps data get {name}'.")
    if wrong := damage(file, place):
        fix = f"Delete it and run 'dareps data get {name}'."
        raise DataError(str(place), f"the file is damaged: {wrong}", fix=fix)
    how = f"{file.count} files" if file.count else "checksum as published" if file.contents else "readable"
    return f"{place}: {how}"


def _check_domains(dataset: Dataset) -> Iterator[str]:
    from dareps.data._checks import checked_rows

    for domain in dataset.domains:
        rows = checked_rows(dataset, domain)
        test = "no official test rows" if rows.test_x is None else f"{len(rows.test_x)} test rows"
        yield f"{dataset.name}/{domain}: {len(rows.x)} rows of shape {rows.x.shape[1:]}, {test}, labels in range"
