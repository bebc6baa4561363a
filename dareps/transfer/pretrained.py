"""Settings of pretrained weights: which file, which parts of it, and how they are fitted in."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field

from dareps.errors import ConfigError
from dareps.plugin import Many, Settings

WHERE = "pretrained.file"
MODEL = "model.safetensors"


class Pretrained(Settings):
    """Weights that a method starts from, in place of drawn ones; a report says what became of every tensor.

    They are loaded when all weights have been drawn and before the first phase, into every seed's copy, and of a
    sharing scheme into every part that would start as hard sharing's encoder does.
    """

    file: str = Field(min_length=1)
    """Folder of a dareps run, a `.safetensors` file, or a `.pt`, `.pth` or `.bin` file that holds tensors alone."""
    parts: Many[str] = ("encoder",)
    """What is taken from it: `encoder`, `encoder.STAGE`, `heads`, `heads.TASK`; the rest starts as it is drawn."""
    rename: dict[str, str] = Field(default_factory=dict)
    """Beginnings of names in the file, and what stands in their place: `{features.0: conv1}`."""
    channels: Literal["adapt", "reinitialise"] = "adapt"
    """What happens to a first convolution with another number of input channels.

    `adapt` turns its weight W of c channels into W' of k channels so that an image whose channels are all equal gives
    the response that it gave: with more channels they are repeated, each copy divided by their number, W'_j = W_i / n_i
    for i = j mod c and n_i the number of such j; with fewer, each gets its share of all, W'_j = (W_1 + ... + W_c) / k.
    `reinitialise` draws the weight anew.
    """
    strict: bool = True
    """Refuse a file in which anything of these parts is missing, left over or of another shape; false loads what fits.

    What is left over counts only where it belongs to a part that is taken and is no classifier's; the adapters and
    mixing weights of a method, and such of its encoders as are drawn by themselves, may be missing.
    """

    def path(self) -> Path:
        """The file itself, which of a run is its model.

        Raises:
            ConfigError: There is no such file.
        """
        return existing(self.file, WHERE)


def existing(name: str, where: str) -> Path:
    """The file that a user named, or the model in the run's folder that was named.

    Raises:
        ConfigError: There is none.
    """
    try:
        path = Path(name).expanduser()
        path = path / MODEL if path.is_dir() else path
        found = path.is_file()
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(where, f"not a usable path ({error})", name, "Check the spelling.") from None
    if not found:
        fix = f"Give a file with weights, or a folder that `dareps train` printed, with {MODEL} in it."
        what = f"the folder has no {MODEL}" if path.parent.is_dir() and path.name == MODEL else "there is no such file"
        raise ConfigError(where, what, name, fix)
    return path


def checksum_of(path: Path) -> str:
    """SHA-256 of a file's bytes; of a file that has not changed it is computed once."""
    state = path.stat()
    return _digest(path.resolve(), state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=64)
def _digest(path: Path, _changed: int, _size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
