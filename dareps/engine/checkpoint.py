"""Checkpoints: one safetensors file, written atomically, with a checksum over every byte that matters."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dareps.errors import CheckpointError, StoreError

FORMAT = "1"


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors, those that share their memory with another one as copies: files have no memory to share."""
    seen, found = set[int](), dict[str, Tensor]()
    for name, value in tensors.items():
        place = value.untyped_storage().data_ptr()
        found[name] = value.clone() if place in seen else value
        seen.add(place)
    return found


def save(path: Path, tensors: Mapping[str, Tensor], record: Mapping[str, Any]) -> None:
    """Write tensors and a JSON-able record; afterwards the file holds all of it or what it held before.

    Raises:
        StoreError: The folder cannot be written.
    """
    from safetensors.torch import save as serialise

    plain = _apart({name: value.detach().cpu().contiguous() for name, value in tensors.items()})
    text = json.dumps(record, sort_keys=True)
    metadata = {"dareps": FORMAT, "record": text, "sha256": _digest(plain, text)}
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(serialise(plain, metadata))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        fix = "Free space or choose another --out."
        raise StoreError(str(path), f"cannot be written ({error.strerror})", fix=fix) from None


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the record of a file that `save` wrote.

    Raises:
        CheckpointError: The file is damaged, or not a dareps file.
    """
    from safetensors import SafetensorError, safe_open

    fix = "Delete it; the run then starts afresh."
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(str(path), f"the file is damaged ({str(error).splitlines()[0]})", fix=fix) from None
    if metadata.get("dareps") != FORMAT:
        raise CheckpointError(str(path), "not written by this version's format", metadata.get("dareps"), fix)
    text = metadata.get("record", "")
    if metadata.get("sha256") != _digest(tensors, text):
        raise CheckpointError(str(path), "the checksum does not match, so the file is damaged", fix=fix)
    return tensors, json.loads(text)


def below(tensors: Mapping[str, Tensor], head: str) -> dict[str, Tensor]:
    """The tensors whose names start with `head/`, without that start."""
    prefix = f"{head}/"
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _digest(tensors: Mapping[str, Tensor], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        value = tensors[name].contiguous()
        digest.update(f"{name}{value.dtype}{tuple(value.shape)}".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes() if value.numel() else b"")
    return digest.hexdigest()
