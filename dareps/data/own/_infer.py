"""What a description leaves open is found in the files, and said."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from dareps.data.own import _whole
from dareps.data.own._columns import Column
from dareps.data.own._ids import names_rows
from dareps.data.own._kinds import Found, ambiguous, as_numbers, as_text, column_kind, label_kind, one_spelling
from dareps.data.own._rows import Loaded, columns_of
from dareps.data.own.description import Asked, Description, Form, Wanted
from dareps.errors import ConfigError, DataError

if TYPE_CHECKING:
    import polars as pl

USUAL: Final = ("label", "labels", "class", "target", "y")
"""What a label is usually called."""
MOST_CLASSES: Final = 1000
"""More different values than this are no classes."""
LISTED: Final = 256
"""Categories of a column that get places of their own where nobody lists them: rows of input are as wide as they."""


def completed(description: Description) -> tuple[Description, list[str]]:
    """The description with everything that it leaves open, and a line for each thing that was found.

    Raises:
        DataError: Files cannot be read, do not fit together, or do not say what their labels are.
    """
    rows = _whole.every(description)
    where = f"data {description.name}"
    form = _form(where, description, rows)
    tasks = dict(_tasks(where, description, rows))
    filled = description.model_copy(update={"form": form, "tasks": tasks})
    if form != "images" and "side" in description.model_fields_set:
        raise ConfigError(f"{where}: side", f"only images have a side, not {form}", description.side, "Leave it out.")
    notes: list[str] = []
    if form == "table":
        columns = dict(_columns(where, filled, rows, notes))
        filled = filled.model_copy(update={"columns": columns})
        count = len(columns_of(filled))
        if count == 0:
            what = "no column is left to learn from"
            raise DataError(where, what, "; ".join(notes), "Give files with columns in common.")
        filled = filled.model_copy(update={"shape": (2 * count,)})
    else:
        filled = filled.model_copy(update={"shape": _shape(where, form, rows)})
    filled = filled.model_copy(update={"gaps": _gaps(filled, rows)})
    return filled, [*_told(filled, rows), *notes, *_whole.unlabelled(filled, rows)]


def _form(where: str, description: Description, rows: Mapping[str, Sequence[Loaded]]) -> Form:
    found: dict[str, Form] = {}
    for name, own in rows.items():
        for each in own:
            found[name] = _form_of(each)
    if len(set(found.values())) > 1:
        raise DataError(where, "the domains' files differ in what they hold", found, "Give all of one form.")
    own_form = next(iter(found.values()))
    if description.form is not None and description.form != own_form:
        raise DataError(where, f"the description says {description.form}", own_form, "Leave `form` out.")
    return own_form


def _form_of(own: Loaded) -> Form:
    if not isinstance(own.inputs, np.ndarray):
        return "table"
    dimensions = own.inputs.ndim
    return "rows" if dimensions == 2 else "series" if dimensions == 3 else "images"


def _shape(where: str, form: Form, rows: Mapping[str, Sequence[Loaded]]) -> tuple[int, ...]:
    shapes = {name: each.inputs.shape[1:] for name, own in rows.items() for each in own}
    if len(set(shapes.values())) > 1:
        raise DataError(where, "the domains' rows differ in shape", shapes, "Give all rows one shape.")
    shape: tuple[int, ...] = next(iter(shapes.values()))
    return (2 * shape[0],) if form == "rows" else shape


def _tasks(where: str, description: Description, rows: Mapping[str, Sequence[Loaded]]) -> Iterator[tuple[str, Asked]]:
    import polars as pl

    names = _label_names(where, description, rows)
    rows = _whole.sources(description, rows)
    every = {name: _labels_of(rows, name) for name in names}
    for name, found in every.items():
        asked = description.tasks.get(name, Asked())
        texts = [pl.Series(name, [], dtype=pl.String), *map(as_text, found)]
        values = one_spelling(pl.concat(texts).drop_nulls())
        values = values.filter(values != "")
        if len(values) == 0:
            raise DataError(where, "the label is missing in every row", name, "Give labels in the source.")
        kind = asked.kind or label_kind(values)
        others = pl.Series([*values.unique(), *sorted(_whole.values_of(rows, name))], dtype=pl.String)
        classes = asked.classes or _sorted(one_spelling(others).unique().to_list())
        if kind == "regression":
            _whole.check_numbers(where, name, rows)
        if kind == "classification" and not 2 <= len(classes) <= MOST_CLASSES:
            fix = "Give rows of two classes or more, or say kind: regression."
            raise DataError(where, f"label {name}: this many different classes", len(classes), fix)
        yield name, Asked(kind=kind, classes=classes if kind == "classification" else ())


def _label_names(where: str, description: Description, rows: Mapping[str, Sequence[Loaded]]) -> list[str]:
    there = {column: sum(all(column in each.labels for each in own) for own in rows.values()) for column in _all(rows)}
    if description.tasks:
        for name in description.tasks:
            if name not in there:
                raise DataError(where, "no file has this label", name, f"There are {', '.join(there) or 'none'}.")
        return list(description.tasks)
    some = [name for name, count in there.items() if count < len(rows)]
    usual = [name for name in there if name.lower() in USUAL]
    for candidates in ([name for name in usual if name in some], some, usual, list(there) if _arrays(rows) else []):
        if len(candidates) == 1:
            return candidates
    known = ", ".join(list(there)[:20]) or "no columns beside the inputs"
    fix = f"Name it (--label NAME, or `tasks` of a description); there are {known}."
    raise DataError(where, "it is not clear which column is the label", sorted(some) or "none stands out", fix)


def _arrays(rows: Mapping[str, Sequence[Loaded]]) -> bool:
    return any(isinstance(each.inputs, np.ndarray) for own in rows.values() for each in own)


def _all(rows: Mapping[str, Sequence[Loaded]]) -> list[str]:
    return list(dict.fromkeys(name for own in rows.values() for each in own for name in each.labels))


def _labels_of(rows: Mapping[str, Sequence[Loaded]], name: str) -> list[pl.Series]:
    return [each.labels[name] for own in rows.values() for each in own if name in each.labels]


def _columns(
    where: str, description: Description, rows: Mapping[str, Sequence[Loaded]], notes: list[str]
) -> Iterator[tuple[str, Wanted]]:
    import polars as pl

    files = [each for own in rows.values() for each in own]
    frames = [each.labels for each in files]
    numbers = np.concatenate([np.arange(len(each)) if each.numbers is None else each.numbers for each in files])
    owners = [domain for domain, own in rows.items() for each in own for _ in range(len(each))]
    for name in description.columns:
        if name not in _all(rows):
            raise DataError(where, "no file has this column", name, f"There are {', '.join(_all(rows))}.")
        if name in description.tasks:
            notes.append(f"column {name}: it is the label, so what `columns` says of it does not count")
    for name in (column for column in _all(rows) if column not in description.tasks):
        wanted = description.columns.get(name, Wanted())
        if wanted.kind == "ignore":
            continue
        if not all(name in frame for frame in frames):
            notes.append(f"column {name}: ignored, only some files have it")
            continue
        cells = pl.concat([_alike(frame[name], frames, name) for frame in frames])
        found = Found(wanted.kind) if wanted.kind else column_kind(where, cells, owners, numbers)
        why = "" if wanted.kind or found.kind == "ignore" else names_rows(name, files)
        found = Found("ignore", why) if why else found
        if found.kind == "ignore":
            notes.append(f"column {name}: ignored, {found.why}")
            continue
        if found.kind == "number":
            _whole.check_numbers(where, name, rows)
            notes += _read_as(name, cells)
            yield name, Wanted(kind="number", transform=wanted.transform)
            continue
        categories = wanted.categories or common(one_spelling(as_text(cells)), name, notes)
        yield name, Wanted(kind="category", categories=categories, transform=wanted.transform)


def common(cells: pl.Series, name: str, notes: list[str]) -> tuple[str, ...]:
    """The most common values of a column, at most 256 of them, in the order that people count in."""
    known = cells.drop_nulls().rename("value").value_counts().sort(["count", "value"], descending=[True, False])
    if known.height > LISTED:
        notes.append(f"column {name}: the {LISTED} most common of {known.height} categories, all others share a place")
    return _sorted(known["value"].head(LISTED).to_list())


def _gaps(description: Description, rows: Mapping[str, Sequence[Loaded]]) -> tuple[int, ...] | None:
    """Numbers of the learned columns with gaps in some file; None of series and images."""
    columns, every = columns_of(description), [each for own in rows.values() for each in own]
    if description.form == "rows":
        found = [~np.isfinite(each.inputs.astype(np.float64)).all(axis=0) for each in every]  # type: ignore[union-attr]
        return tuple(map(int, np.flatnonzero(np.any(found, axis=0))))
    if description.form != "table":
        return None
    return tuple(place for place, own in enumerate(columns) if any(_has_gaps(own, each) for each in every))


def _has_gaps(column: Column, rows: Loaded) -> bool:
    read = as_text if column.categories else as_numbers
    known = rows.facts.get(column.name)
    return read(rows.labels[column.name]).null_count() > 0 or (known is not None and known.gaps > 0)


def _read_as(name: str, cells: pl.Series) -> Iterator[str]:
    """What else numbers may mean."""
    cell = ambiguous(cells)
    if cell:
        meant = cell.replace(",", "")
        yield f"column {name}: {cell} is read with a decimal comma; write {meant} if a comma stands between thousands"


def _alike(column: pl.Series, frames: Sequence[Mapping[str, pl.Series]], name: str) -> pl.Series:
    """A column in a type that all files can have."""
    import polars as pl

    types = {frame[name].dtype for frame in frames}
    if len(types) == 1:
        return column
    return column.cast(pl.Float64) if all(own.is_numeric() for own in types) else as_text(column)


def _sorted(values: Sequence[str]) -> tuple[str, ...]:
    """Texts in the order that people count in: 2 before 10."""

    def key(text: str) -> list[tuple[int, int, str]]:
        return [(0, int(bit), "") if bit.isdecimal() else (1, 0, bit) for bit in re.split(r"(\d+)", text) if bit]

    return tuple(sorted(values, key=key))


def _told(description: Description, rows: Mapping[str, Sequence[Loaded]]) -> Iterator[str]:
    yield from _whole.counts(rows)
    for name, asked in description.tasks.items():
        classes = f": {', '.join(asked.classes[:12])}{', ...' if len(asked.classes) > 12 else ''}"
        known = [domain for domain, own in rows.items() if any(name in each.labels for each in own)]
        of = f"{len(asked.classes)} classes{classes}" if asked.classes else "numbers"
        yield f"label {name}: {of} (in {', '.join(known)})"
    if description.form != "table":
        yield f"inputs: {description.form}, each {' x '.join(map(str, next(iter(rows.values()))[0].inputs.shape[1:]))}"
        return
    for kind in ("number", "category"):
        names = [name for name, own in description.columns.items() if own.kind == kind]
        if names:
            shown = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
            noun = "column" if len(names) == 1 else "columns"
            yield f"{len(names)} {noun} of {'numbers' if kind == 'number' else 'categories'}: {shown}"
    yield from _whole.gaps(description, rows)
    for name, own in rows.items():
        if all(list(each.labels) == [f"column{place + 1}" for place in range(len(each.labels))] for each in own):
            yield f"{name}: its first line names no columns, they are called column1, column2, ..."
