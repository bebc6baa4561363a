"""Cutting raw rows into the parts of a split. No cut depends on a target label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from dareps.data._base import (
    Dataset,
    DomainRows,
    Fitted,
    LabelledPart,
    Part,
    Protocol,
    Sealed,
    SplitData,
)
from dareps.data._checks import check_input, checked_rows
from dareps.data._lazy import joined
from dareps.data._packed import check_forms
from dareps.errors import DataError
from dareps.maths.keys import key_of
from dareps.tasks import Scale
from dareps.types import Task

VALIDATION = 0.2
TEST = 0.4
Labels = Mapping[str, np.ndarray]
Piece = tuple[np.ndarray, Labels]
Pieces = dict[str, Piece]
Either = TypeVar("Either", Part, LabelledPart)


class Cut(NamedTuple):
    """The parts of a domain.

    Attributes:
        labelled: How many train rows a labelled stream may read; they come first.
        fixed_test: Whether the test rows are the same for every seed.
    """

    pieces: Pieces
    labelled: int
    fixed_test: bool


def build_split(
    dataset: Dataset, sources: tuple[str, ...], targets: tuple[str, ...], seed: int, protocol: Protocol
) -> SplitData:
    """Read, cut and transform the rows of a split; see `dareps.data.split.make_split`."""
    held = protocol == "supervised"
    own = {domain: _source_cut(dataset, domain, seed, held) for domain in sources}
    source = {domain: cut.pieces for domain, cut in own.items()}
    cuts = {domain: _target_cut(dataset, domain, seed, protocol) for domain in targets}
    target = {domain: cut.pieces for domain, cut in cuts.items()}
    fitted = dataset.fit(
        {domain: DomainRows(*pieces["train"]) for domain, pieces in source.items()},
        {domain: pieces["train"][0] for domain, pieces in target.items()},
    )
    known = {domain: _transform(fitted, domain, pieces) for domain, pieces in {**source, **target}.items()}
    _check_shapes(dataset, known)
    tested = {**source} if held else target
    return SplitData(
        tasks=dataset.tasks,
        source_train=tuple(LabelledPart(d, "source", known[d]["train"], source[d]["train"][1]) for d in sources),
        source_validation=tuple(
            LabelledPart(d, "source", known[d]["validation"], source[d]["validation"][1]) for d in sources
        ),
        target_train=tuple(Part(d, "target", known[d]["train"]) for d in targets),
        target_validation=tuple(Part(d, "target", known[d]["validation"]) for d in targets),
        target_test=tuple(Part(d, "source" if held else "target", known[d]["test"]) for d in tested),
        sealed=Sealed(
            {
                "train": {d: target[d]["train"][1] for d in targets},
                "validation": {d: target[d]["validation"][1] for d in targets},
                "test": {d: pieces["test"][1] for d, pieces in tested.items()},
            }
        ),
        fitted=fitted,
        checksum=dataset.checksum((*sources, *targets)),
        unlearned=_unlearned(fitted, source, target),
        fixed_test=all(cut.fixed_test for cut in (own if held else cuts).values()),
        labelled_rows=tuple(cut.labelled for cut in cuts.values()),
        scales=_scales(dataset.tasks, [pieces["train"][1] for pieces in source.values()]),
    )


def _scales(tasks: Sequence[Task], source: Sequence[Labels]) -> dict[str, Scale]:
    """The units of regression tasks, from source train labels."""
    return {
        task.name: Scale.fit([labels[task.name] for labels in source], task.size)
        for task in tasks
        if task.kind == "regression"
    }


def _unlearned(
    fitted: Fitted, source: dict[str, Pieces], target: dict[str, Pieces]
) -> dict[tuple[str, str], np.ndarray]:
    """Rows before a learned representation: of all validation parts, and of the source's train parts."""
    before = fitted.before
    if before is None:
        return {}
    places = [("validation", domain) for domain in (*source, *target)] + [("train", domain) for domain in source]
    return {(part, domain): before({**source, **target}[domain][part][0], domain) for part, domain in places}


def keyed_order(n: int, *key: object) -> np.ndarray:
    """A permutation of n rows as a pure function of the key."""
    return np.random.Generator(np.random.Philox(key=key_of(*key) % 2**64)).permutation(n)


def spread(order: np.ndarray, count: int) -> np.ndarray:
    """`count` elements at even distances, so that each class of a class-sorted order gives its share."""
    return order[((np.arange(count) + 0.5) * len(order) / max(count, 1)).astype(np.int64)]


def stratified(order: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut 80/20 into (train, validation), by class, with at least one train row of each class.

    Args:
        order: Keyed permutation of the rows, (n,).
        classes: Class of each row, (n,).
    """
    order = order[np.argsort(classes[order], kind="stable")]
    first = np.unique(classes[order], return_index=True)[1]
    free = np.delete(order, first)
    validation = spread(free, min(len(free), max(1, round(VALIDATION * len(order)))))
    return np.setdiff1d(order, validation), np.sort(validation)


def _source_cut(dataset: Dataset, domain: str, seed: int, held: bool) -> Cut:
    """Labelled train and validation rows of a domain; where test rows are `held` out, those too."""
    rows = checked_rows(dataset, domain)
    order = _official_last(rows, keyed_order(len(rows.x), "split", seed, dataset.name, domain))
    tested: Pieces = {}
    if held:
        count = round(TEST * len(order)) if rows.test_x is None else 0
        tested, order = {"test": _official_test(rows) or _take(rows, np.sort(order[:count]))}, order[count:]
    classes = _classes(dataset, rows)
    train, validation = map(np.sort, _official_cut(rows, order) or stratified(order, classes))
    if len(validation) == 0 or (held and len(tested["test"][0]) == 0):
        what = "no row is left for source validation, since no class has two rows"
        what = what if len(validation) == 0 else "there are too few rows to cut into train, validation and test"
        raise DataError(f"data {dataset.name}/{domain}", what, len(order), "Add rows.")
    if dataset.limit is not None and dataset.limit < len(train):
        ranked = order[np.isin(order, train)]
        train = np.sort(spread(ranked[np.argsort(classes[ranked], kind="stable")], dataset.limit))
    pieces = {"train": _take(rows, train), "validation": _take(rows, validation), **tested}
    return Cut(pieces, len(train), rows.test_x is not None)


def _classes(dataset: Dataset, rows: DomainRows) -> np.ndarray:
    """Labels to balance the cut by; one class for all rows where no task has classes."""
    for task in dataset.tasks:
        if task.kind == "classification":
            return rows.y[task.name]
    return np.zeros(len(rows.x), dtype=np.int64)


def _target_cut(dataset: Dataset, domain: str, seed: int, protocol: Protocol) -> Cut:
    rows = checked_rows(dataset, domain)
    order = _official_last(rows, keyed_order(len(rows.x), "split", seed, dataset.name, domain))
    if protocol != "inductive":
        return _published_cut(rows, order, dataset.limit, protocol)
    held = round(TEST * len(order)) if rows.test_x is None else 0
    test, rest = order[:held], order[held:]
    count = max(1, round(VALIDATION * len(rest)))
    train, validation = _official_cut(rows, rest) or (rest[count:], rest[:count])
    train = train[: dataset.limit]
    if len(train) == 0 or (rows.test_x is None and held == 0):
        what = "there are too few target rows to cut into train, validation and test"
        raise DataError(f"data {dataset.name}/{domain}", what, len(order), "Add rows, or use the protocol 'paper'.")
    official = _official_test(rows)
    pieces = {
        "train": _take(rows, np.sort(train)),
        "validation": _take(rows, np.sort(validation)),
        "test": official or _take(rows, np.sort(test)),
    }
    return Cut(pieces, len(train), official is not None)


def _published_cut(rows: DomainRows, order: np.ndarray, limit: int | None, protocol: Protocol) -> Cut:
    """Training and validation see all target train rows, and the official test rows too where it is transductive."""
    official, own = _official_test(rows), len(order)
    if protocol == "transductive" and official is not None:
        x, y = official
        rows = DomainRows(joined(rows.x, x), {task: np.concatenate([rows.y[task], y[task]]) for task in y})
    everything = (rows.x, rows.y)
    few = limit is not None and limit < len(rows.x)
    # A limit takes from the official train rows first: labelled target streams read no others.
    train = _take(rows, np.sort([*order, *range(own, len(rows.x))][:limit])) if few else everything
    pieces = {"train": train, "validation": everything, "test": official or everything}
    return Cut(pieces, min(own, len(train[0])), True)


def _official_last(rows: DomainRows, order: np.ndarray) -> np.ndarray:
    """The order with official validation rows behind all others, where no cut takes them for the test."""
    if rows.validation is None:
        return order
    return order[np.argsort(np.isin(order, rows.validation), kind="stable")]


def _official_cut(rows: DomainRows, order: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """The rows of an order that are officially for training and for validation, where that is settled."""
    if rows.validation is None:
        return None
    held = np.isin(order, rows.validation)
    return order[~held], order[held]


def _official_test(rows: DomainRows) -> Piece | None:
    return None if rows.test_x is None or rows.test_y is None else (rows.test_x, rows.test_y)


def _take(rows: DomainRows, index: np.ndarray) -> Piece:
    return rows.x[index], {task: labels[index] for task, labels in rows.y.items()}


def _transform(fitted: Fitted, domain: str, pieces: Pieces) -> dict[str, np.ndarray]:
    """Each part's network input; parts that share their raw rows share the result."""
    done = {id(x): x for x, _ in pieces.values()}
    done = {key: fitted.apply(x, domain) for key, x in done.items()}
    return {part: done[id(x)] for part, (x, _) in pieces.items()}


def _check_shapes(dataset: Dataset, known: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    where = f"data {dataset.name}"
    shapes = {domain: parts["train"].shape[1:] for domain, parts in known.items()}
    if len(set(shapes.values())) > 1:
        raise DataError(where, "the domains' rows have different shapes", shapes, "Give all rows one shape.")
    check_forms(dataset, {domain: parts["train"] for domain, parts in known.items()})
    for domain, parts in known.items():
        for part, x in parts.items():
            check_input(f"{where}/{domain} {part}", x)
