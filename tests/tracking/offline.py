"""Reads wandb's offline files back: LevelDB's log framing around wandb's own protobuf records."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_HEADER = struct.pack("<4sHB", b":W&B", 0xBEE1, 0)
_BLOCK, _HEAD = 32 * 1024, 7
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


@dataclass
class OfflineRun:
    """What one offline file says of its run; `history` maps a step to its values without wandb's own columns."""

    file: Path
    id: str = ""
    name: str = ""
    group: str = ""
    job_type: str = ""
    project: str = ""
    sweep_id: str = ""
    tags: tuple[str, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)
    history: dict[int, dict[str, Any]] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    artifacts: dict[str, dict[str, Path]] = field(default_factory=dict)
    exit_code: int | None = None


def read_folder(folder: Path) -> list[OfflineRun]:
    """All parts of all runs below an output folder, in the order in which they were begun."""
    return [read_run(file) for file in sorted((folder / "wandb").glob("offline-run-*/run-*.wandb"))]


def runs_by_name(folder: Path) -> dict[str, OfflineRun]:
    """The runs of a folder in which every run has one part."""
    parts = read_folder(folder)
    found = {part.name: part for part in parts}
    assert len(found) == len(parts)
    return found


def read_run(file: Path) -> OfflineRun:
    """One file as an `OfflineRun`."""
    from wandb.proto.wandb_internal_pb2 import Record  # type: ignore[attr-defined, unused-ignore]

    run = OfflineRun(file)
    for data in records(file.read_bytes()):
        record = Record.FromString(data)
        reader = _READERS.get(record.WhichOneof("record_type"))
        if reader:
            reader(run, record)
    run.history = {step: _plain(values) for step, values in run.history.items()}
    run.summary = _plain(run.summary)
    return run


def records(data: bytes) -> Iterator[bytes]:
    """Whole records; a file that ends in the middle of one, as after a kill, just ends there."""
    assert data[: len(_HEADER)] == _HEADER
    position, record = len(_HEADER), b""
    while position + _HEAD <= len(data):
        left = _BLOCK - position % _BLOCK
        if left < _HEAD:
            position += left
            continue
        checksum, length, kind = struct.unpack_from("<IHB", data, position)
        part = data[position + _HEAD : position + _HEAD + length]
        position += _HEAD + length
        if len(part) < length:
            return
        assert kind in (_FULL, _FIRST, _MIDDLE, _LAST)
        assert checksum == zlib.crc32(bytes([kind]) + part)
        record = part if kind in (_FULL, _FIRST) else record + part
        if kind in (_FULL, _LAST):
            yield record


def _read_head(run: OfflineRun, record: Any) -> None:
    head = record.run
    run.id, run.name, run.group, run.job_type = head.run_id, head.display_name, head.run_group, head.job_type
    run.project, run.sweep_id, run.tags = head.project, head.sweep_id, tuple(head.tags)
    run.config = _plain({item.key: json.loads(item.value_json) for item in head.config.update})


def _read_history(run: OfflineRun, record: Any) -> None:
    row = run.history.setdefault(record.history.step.num, {})
    for item in record.history.item:
        row[_key(item)] = json.loads(item.value_json)


def _read_summary(run: OfflineRun, record: Any) -> None:
    for item in record.summary.update:
        run.summary[_key(item)] = json.loads(item.value_json)


def _read_exit(run: OfflineRun, record: Any) -> None:
    run.exit_code = record.exit.exit_code


def _read_artifact(run: OfflineRun, record: Any) -> None:
    contents = record.artifact.manifest.contents
    run.artifacts[record.artifact.type] = {entry.path: Path(entry.local_path) for entry in contents}


def _key(item: Any) -> str:
    return item.key or ".".join(item.nested_key)


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if not key.startswith("_")}


_READERS = {
    "run": _read_head,
    "history": _read_history,
    "summary": _read_summary,
    "exit": _read_exit,
    "artifact": _read_artifact,
}
