"""The file of predictions of `dareps adapt`: a line for every target row, however many there are."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Final

import numpy as np

from dareps.data.own._doubles import marks, shared_rows, told_rows
from dareps.data.own._images import named
from dareps.data.own._streams import every_row, longer
from dareps.data.own.description import Description
from dareps.engine.outcome import Outcome
from dareps.suite._files import write_pieces
from dareps.suite.answering import Predicted, predicted_pieces

FILE: Final = "predictions.csv"


def write_predictions(
    folder: Path, run: Outcome, description: Description, found: Predicted, names: Sequence[str] = ()
) -> tuple[Predicted, list[str]]:
    """Write every target row's prediction; returns them counted, and sentences on rows that occur twice.

    Rows have numbers from 0, as those that `dareps predict` writes.

    Args:
        folder: Where the file goes and where models are.
        run: The chosen run.
        description: The data; the last domain is the target.
        found: Predictions of the rows that are learned from, which are all but in a long file.
        names: What images are called, for a column of their own; empty where rows are in a file.

    Raises:
        DataError: A row is not as described.
        StoreError: The file cannot be written.
    """
    *sources, target = description.domains
    seen, counts = list[np.ndarray](), np.zeros(max(len(found.classes), 1), np.int64)

    def noted() -> Iterator[np.ndarray]:
        for piece in every_row(description, target):
            seen.extend(marks([piece]))
            yield piece

    def counted(pieces: Iterable[Predicted]) -> Iterator[Predicted]:
        for piece in pieces:
            counts[:] += np.bincount(piece.labels, minlength=len(counts)) if found.classes else len(piece.labels)
            yield piece

    if longer(description, target):
        write_pieces(folder / FILE, _texts(counted(predicted_pieces(folder, run, noted())), names))
        found = replace(found, counts=counts)
    else:
        write_pieces(folder / FILE, _texts([found], names))
        for _ in noted():
            pass
    known = marks(chain.from_iterable(every_row(description, name) for name in sources))
    return found, told_rows(target, *shared_rows(known, seen))


def _texts(pieces: Iterable[Predicted], names: Sequence[str]) -> Iterator[str]:
    start = 0
    for found in pieces:
        if start == 0:
            yield f"row,{'image,' if names else ''}prediction{',confidence' if found.classes else ''}\n"
        end = start + len(found.labels)
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(_lines(found, list(named(range(start, end), names))))
        yield text.getvalue()
        start = end


def _lines(found: Predicted, names: Sequence[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    for row, (name, label) in enumerate(zip(names, found.labels, strict=True)):
        if found.classes:
            yield *name, found.classes[int(label)], f"{found.confidence[row]:.6f}"
        else:
            yield *name, f"{label:.9g}"
