"""`dareps predict`: rows of a file through a saved model."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dareps.commands._output import say, warn
from dareps.errors import DataError
from dareps.suite._files import write_pieces
from dareps.suite.warned import warnings_told

if TYPE_CHECKING:
    import numpy as np

    from dareps.engine.predict import Model

SPARSE: Final = (".svmlight", ".libsvm", ".txt")
KINDS: Final = (".npy", ".npz", ".csv", *SPARSE)
KEY: Final = "x"
FEW: Final = 50
"""Calibration rows below which coverage may be several points off."""
BETWEEN: Final = "|"
"""Stands between the classes of a set."""


def predict(run: Path, file: Path, out: Path | None, device: str, coverage: float | None = None) -> None:
    """Write a CSV line per row: its number from 0, class and confidence; for other tasks than of classes its outputs.

    Rows that are images of a folder have a column with the image's name below it.

    Args:
        run: A model folder.
        file: The rows.
        out: Where the lines go; None prints them.
        device: Where to compute.
        coverage: Adds the classes of each row's conformal set, or the ends of the interval of its number, which holds
            the right one so often; None for neither.

    Raises:
        ConfigError: The model cannot give sets of this coverage.
        CheckpointError: There is no model, or it is damaged.
        DataError: The file cannot be read, or its rows do not fit the model.
        StoreError: The output cannot be written.
    """
    if not file.exists():
        raise DataError(str(file), "there is no such file", fix="Give a file of rows.")
    from dareps.engine.predict import load

    with warnings_told(warn):
        model = load(run, device)
    if coverage is not None:
        _check_coverage(model, coverage)
    pieces = model.reads(file)
    if pieces is None:
        _check_file(file)
        pieces = iter((read_rows(file, math.prod(model.shape)),))
    from dareps.data.own._images import names

    told = _Told(model, coverage, images=names(file), text=file.is_file() and file.suffix not in (".npy", ".npz"))
    if out is None:
        with warnings_told(warn):
            for text in told.texts(pieces):
                say(text.rstrip("\n"))
        return
    with warnings_told(warn):
        write_pieces(out, told.texts(pieces))
    say(f"{told.count} rows: {out}")


@dataclass(slots=True)
class _Told:
    """A model's answers as lines of CSV.

    Attributes:
        coverage: That of sets; None for no sets.
        images: What the rows are called that are images of a folder.
        text: Whether the rows come from a text.
        count: Rows so far.
        lost: How many of them have no finite interval.
    """

    model: Model
    coverage: float | None
    images: tuple[str, ...]
    text: bool
    count: int = 0
    lost: int = 0

    def texts(self, pieces: Iterable[np.ndarray]) -> Iterator[str]:
        """The head and a line per row, a text for each piece of the rows."""
        for piece in pieces:
            rows, found = _answers(self.model, piece, text=self.text)
            yield self._lines(rows, found)
            self.count += len(rows)
        _tell_of_infinite(self.lost, self.count, self.coverage or 0.0)

    def _lines(self, rows: np.ndarray, found: np.ndarray) -> str:
        from dareps.data.own._images import named

        lines = self._answered(rows, found)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        head = next(lines)
        if self.count == 0:
            writer.writerow(("row", *(["image"] if self.images else []), *head))
        numbers = range(self.count, self.count + len(rows))
        writer.writerows((*name, *line) for name, line in zip(named(numbers, self.images), lines, strict=True))
        return text.getvalue()

    def _answered(self, rows: np.ndarray, found: np.ndarray) -> Iterator[tuple[str, ...]]:
        """A head and a line per row, with sets or intervals where they are asked for."""
        if self.model.task.kind == "classification":
            sets = None if self.coverage is None else self.model.predict_sets(rows, self.coverage)
            return _classes(self.model, found, sets)
        if self.coverage is None:
            return _outputs(self.model, found)
        ends = self.model.predict_intervals(rows, self.coverage)
        self.lost += int((abs(ends) == math.inf).any(axis=(1, 2)).sum())
        return _outputs(self.model, found, ends)


def _check_coverage(model: Model, coverage: float) -> None:
    """Refuse what the model cannot give, and say what the sets rest on where that is little."""
    calibration = model.calibrated(coverage)
    worth = calibration.worth(model.of_target)
    if worth < FEW:
        shift = "source and target differ so much that the sets may miss their coverage by far"
        warn(f"the sets rest on {len(calibration.scores)} source rows that say as much as {worth:.0f}: {shift}")


def read_rows(file: Path, width: int) -> np.ndarray:
    """Rows (n, *shape) of a file, by its ending; sparse rows get `width` columns.

    Raises:
        DataError: It cannot be read.
    """
    import zipfile

    try:
        if file.suffix == ".csv":
            return _csv_rows(file)
        return _sparse_rows(file, width) if file.suffix in SPARSE else _numpy_rows(file)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, UnicodeDecodeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(str(file), f"cannot be read ({reason})", fix=f"Give a whole {file.suffix} file.") from None


def _check_file(file: Path) -> None:
    if file.is_dir():
        raise DataError(str(file), "this is a folder", fix="Give a file of rows.")
    if file.suffix not in KINDS:
        raise DataError(str(file), "not a kind of file that is read here", file.suffix, f"Give {', '.join(KINDS)}.")


def _numpy_rows(file: Path) -> np.ndarray:
    import numpy as np

    try:
        found = np.load(file, allow_pickle=False)
    except ValueError:
        raise ValueError("not a file of plain arrays of numbers") from None
    if isinstance(found, np.ndarray):
        return found
    with found:
        names = list(found)
        if KEY not in names and len(names) != 1:
            raise DataError(str(file), f"several arrays, none called {KEY!r}", names, f"Name the rows {KEY!r}.")
        array: np.ndarray = found[KEY if KEY in names else names[0]]
    return array


def _csv_rows(file: Path) -> np.ndarray:
    import numpy as np

    text = file.read_text(encoding="utf-8-sig")
    first = next(csv.reader(io.StringIO(text)), [])
    if not text.strip():
        raise DataError(str(file), "the file is empty", fix="Give a line of numbers per row.")
    header = 1 - _numeric(first)
    array: np.ndarray = np.loadtxt(io.StringIO(text), delimiter=",", ndmin=2, skiprows=header)
    return array


def _numeric(cells: list[str]) -> bool:
    try:
        return bool([float(cell) for cell in cells])
    except ValueError:
        return False


def _sparse_rows(file: Path, width: int) -> np.ndarray:
    import numpy as np
    from sklearn.datasets import load_svmlight_file

    # The datasets here count columns from 0, which a file without column 0 does not show.
    rows = load_svmlight_file(str(file), zero_based=True, dtype=np.float32)[0]
    if rows.shape[1] > width:
        what = f"a column beyond the model's {width}"
        raise DataError(str(file), what, rows.shape[1] - 1, "Number columns from 0, as the training data does.")
    rows.resize(rows.shape[0], width)
    array: np.ndarray = rows.toarray()
    return array


def _answers(model: Model, rows: np.ndarray, *, text: bool) -> tuple[np.ndarray, np.ndarray]:
    """The rows, or these as pixels, which a text cannot tell from other numbers, and their probabilities or numbers."""
    answer = model.predict if model.task.kind == "regression" else model.predict_proba
    try:
        return rows, answer(rows)
    except DataError:
        if not (text and len(rows) and 1 < rows.max() <= 255 and rows.min() >= 0 and not (rows % 1).any()):
            raise
        pixels = rows.astype("uint8")
        return pixels, answer(pixels)


def _tell_of_infinite(lost: int, count: int, coverage: float) -> None:
    """Say of how many rows nothing can be promised."""
    if lost:
        why = "too few calibration rows are like them"
        warn(f"{lost} of {count} rows have no finite interval for a probability of {coverage:.3g}: {why}")


def _outputs(model: Model, found: np.ndarray, ends: np.ndarray | None = None) -> Iterator[tuple[str, ...]]:
    """A head, then a column for each output, the probability of a label or a number, and intervals' `ends` (n, k, 2).

    The ends are called `low` and `high`, with the output's number before them where there are several.
    """
    size = model.task.size
    names = model.task.classes or [f"{model.task.name}.{number}" for number in range(size)]
    prefixes = [""] if size == 1 else [f"{name}." for name in names]
    further = [] if ends is None else [f"{prefix}{end}" for prefix in prefixes for end in ("low", "high")]
    yield (*names, *further)
    for row, values in enumerate(found):
        own = values if ends is None else [*values, *ends[row].ravel()]
        yield tuple(f"{value:.6g}" for value in own)


def _classes(model: Model, probabilities: np.ndarray, sets: np.ndarray | None) -> Iterator[tuple[str, ...]]:
    """A head, then the class and its confidence, and where there are `sets` (n, c) the classes of each row's."""
    yield ("class", "confidence", *(() if sets is None else ("set",)))
    for row, (label, value) in enumerate(zip(probabilities.argmax(1), probabilities.max(1), strict=True)):
        own = () if sets is None else (BETWEEN.join(model.classes[number] for number in sets[row].nonzero()[0]),)
        yield (model.classes[label], f"{value:.6f}", *own)
