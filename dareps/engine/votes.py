"""What a run says about the target test rows, kept so that its seeds can vote later."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from dareps.data._roots import write_atomically
from dareps.errors import StoreError

FOLDER = "predictions"
_DAMAGED = (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What a file may meet its reader with that was cut short or altered."""


@dataclass(frozen=True, slots=True)
class Votes:
    """Predictions of one run's chosen checkpoints on target test rows that are the same for every seed.

    Attributes:
        labels: True classes (n,), for the metric alone.
        logits: step -> (n, c) float16, the largest of each row 0 and all others below it, so that rounding never moves
            a prediction.
    """

    labels: np.ndarray
    logits: Mapping[int, np.ndarray]

    def probabilities(self, step: int) -> np.ndarray:
        """Softmax of a checkpoint's logits (n, c), float64."""
        powers = np.exp(self.logits[step].astype(np.float64))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def votes_path(out: Path, key: str) -> Path:
    """Where a run's predictions lie below an output folder."""
    return out / FOLDER / f"{key}.npz"


def save_votes(out: Path, key: str, labels: np.ndarray, logits: Mapping[int, np.ndarray]) -> None:
    """Write a run's predictions: step -> logits (n, c).

    Raises:
        StoreError: The folder cannot be written.
    """
    arrays: dict[str, Any] = {f"step{step}": _rounded(own) for step, own in logits.items()}
    path = votes_path(out, key)

    def write(file: BinaryIO) -> None:
        np.savez_compressed(file, labels=labels.astype(np.int32), **arrays)

    if not write_atomically(path, write):
        fix = "Free some space, or choose a folder that you may write to."
        raise StoreError(str(path), "predictions cannot be written", fix=fix)


def read_votes(out: Path, key: str) -> Votes | None:
    """A run's predictions; None where there are none that can be read, as for runs on test rows of their own."""
    try:
        with np.load(votes_path(out, key), allow_pickle=False) as stored:
            arrays = dict(stored)
        labels = arrays.pop("labels")
        logits = {int(name.removeprefix("step")): own for name, own in arrays.items()}
    except _DAMAGED:
        return None
    return Votes(labels, logits) if logits else None


def ensemble_accuracy(members: list[tuple[Votes, int]]) -> float | None:
    """Accuracy of the average of the members' probabilities; None when they did not predict the same rows.

    Args:
        members: Predictions and the step of the checkpoint that votes.
    """
    labels = members[0][0].labels
    if not all(step in own.logits and np.array_equal(own.labels, labels) for own, step in members):
        return None
    shapes = {own.logits[step].shape for own, step in members}
    if len(shapes) > 1:
        return None
    total = sum((own.probabilities(step) for own, step in members), np.zeros(shapes.pop()))
    return float((total.argmax(axis=1) == labels).mean())


def _rounded(logits: np.ndarray) -> np.ndarray:
    """Logits (n, c) as float16 below each row's largest; what rounds up to it stays the smallest step below it."""
    below = (logits - logits.max(axis=1, keepdims=True)).astype(np.float16)
    first = np.arange(logits.shape[1]) == logits.argmax(axis=1, keepdims=True)
    return np.where((below == 0) & ~first, -np.finfo(np.float16).smallest_subnormal, below)
