"""The record of a model or checkpoint file, read without its tensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def read_record(path: Path) -> Mapping[str, Any]:
    """What the file says about itself; empty when it is missing or damaged, which its loader then reports."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            record = json.loads((file.metadata() or {})["record"])
    except (OSError, SafetensorError, ValueError, KeyError):
        return {}
    return record if isinstance(record, dict) else {}
