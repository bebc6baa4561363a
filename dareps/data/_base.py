"""The dataset family: domains with labels for tasks, and what the training code may see of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from dareps.data._frame import WHOLE, Frame
from dareps.errors import ContractError
from dareps.plugin import Many, Plugin
from dareps.types import Role, Task

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from torch import Tensor

    from dareps.tasks import Scale
    from dareps.types import NoiseSource

Protocol = Literal["inductive", "paper", "transductive", "supervised"]


class Augmentation(Plugin, family="augmentation"):
    """A random change of input rows that keeps their label, drawn from keyed noise on the rows' device."""

    streams: Literal["all", "source", "target"] = "all"
    """Whose training rows are changed."""

    def __call__(self, x: Tensor, noise: NoiseSource, place: str) -> Tensor:
        """Changed rows, same shape and dtype as x (n, *shape)."""
        raise ContractError(f"augmentation {type(self).name}", "it has no __call__", fix="Define it.")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a dataset comes from and under which terms: printed by `data list` and `data check`."""

    source: str
    licence: str
    paper: str


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file that a dataset is read from: where it is published, where it lies, how it is known to be whole.

    Attributes:
        url: The canonical address.
        path: Its place below a data root; `path` with `.gz` behind it is accepted as well.
        digest: `sha256:...` or `md5:...` of the download; empty when the publisher gives none.
        contents: `sha256:...` of the unpacked file at `path`; empty when it is not known.
        kind: How the download becomes `path`: as it is, gunzipped, or a folder of `members` out of a tar archive;
            `folder` is one of images that people place by hand.
        members: The folder inside the archive.
        count: How many files the folder holds.
        others: Further names that the folder may have.
    """

    url: str
    path: str
    digest: str = ""
    contents: str = ""
    kind: Literal["plain", "gzip", "tar", "folder"] = "plain"
    members: str = ""
    count: int = 0
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DomainRows:
    """Raw rows of one domain as arrays: `x` (n, *shape), `y[task]`; `test` is None without official test rows.

    Labels are (n,) classes from 0, negative where one is missing; (n, size) or, for one output, (n,) numbers, NaN where
    one is missing; or (n, size) zeros and ones, NaN where one is missing.
    """

    x: np.ndarray
    y: Mapping[str, np.ndarray]
    test_x: np.ndarray | None = None
    test_y: Mapping[str, np.ndarray] | None = None
    validation: np.ndarray | None = None
    """Numbers of the rows of `x` that are officially for validation; None leaves the choice to the seed."""

    def arrays(self) -> Iterator[np.ndarray]:
        """Every array that is there, in an order that depends on names alone: what a checksum is made of."""
        for x, y in ((self.x, self.y), (self.test_x, self.test_y)):
            if x is not None and y is not None:
                yield x
                yield from (y[task] for task in sorted(y))


@dataclass(frozen=True, slots=True)
class Fitted:
    """An input transform fitted on source and unlabelled target train rows.

    Attributes:
        state: Arrays that rebuild the transform; saved with the model.
        apply: (raw x (n, *shape), domain) -> network input float32 or uint8 (n, *shape').
        before: The same up to a representation that was learned from the rows; None where there is none.
    """

    state: Mapping[str, np.ndarray]
    apply: Callable[[np.ndarray, str], np.ndarray]
    before: Callable[[np.ndarray, str], np.ndarray] | None = None


class Dataset(Plugin, family="data"):
    """Domains with labels for tasks, with the settings of how their rows become network input.

    `defaults` is the recipe patch that fits this dataset (encoder, steps, batch, optimizer, normalisation): recipes
    leave these open, so that every recipe of a table gets the same.
    """

    domains: ClassVar[tuple[str, ...]] = ()
    tasks: ClassVar[tuple[Task, ...]] = ()
    origin: ClassVar[Origin]
    files: ClassVar[tuple[RemoteFile, ...]] = ()
    embedded: ClassVar[bool] = False
    by_hand: ClassVar[str] = ""
    """How people get what no program may fetch, and where they place it."""
    defaults: ClassVar[Mapping[str, Any]] = {}
    forms: ClassVar[Mapping[str, tuple[int, ...]]] = {}
    """Domain -> shape of one raw row, where domains differ in modality; empty where all have one shape.

    Network input is then float32 (n, D): rows flattened, filled up with zeros to the widest form."""

    layout: ClassVar[tuple[tuple[int, int], ...]] = ()
    """First place and number of places of each category column in a row of network input, whatever the seed."""

    augment: Many[Augmentation] = ()
    """Random changes of training rows, in this order; the same for every recipe."""
    limit: int | None = Field(None, ge=1)
    """At most this many training rows per domain, by a keyed choice; None means all."""

    def rows(self, domain: str) -> DomainRows:
        """All rows of a domain, labels included; raises `DataError` when files are missing or broken."""
        raise ContractError(f"data {type(self).name}", "it has no rows()", fix="Define rows(domain).")

    def fit(self, source: Mapping[str, DomainRows], target_x: Mapping[str, np.ndarray]) -> Fitted:
        """Fit the input transform on labelled source rows and unlabelled target train rows."""
        raise ContractError(f"data {type(self).name}", "it has no fit()", fix="Define fit(source, target_x).")

    def restore(self, state: Mapping[str, np.ndarray]) -> Fitted:
        """The transform that `fit` returned, from its saved state."""
        raise ContractError(f"data {type(self).name}", "it has no restore()", fix="Define restore(state).")

    def read_rows(self, path: Path) -> Iterator[np.ndarray] | None:
        """Raw rows of a file like the dataset's own, a piece after another; None where no files are of that kind."""
        return None

    def frame(self) -> Frame:
        """What encoders see of an image; all of it, with pixels from 0 to 1."""
        return WHOLE

    def best_scores(self) -> Mapping[str, float]:
        """The best scores that are possible on test rows, by name, where the process behind the data is known."""
        return {}

    def checksum(self, domains: tuple[str, ...]) -> str:
        """A hex digest of the raw data of these domains; part of every result's key."""
        raise ContractError(f"data {type(self).name}", "it has no checksum()", fix="Define checksum(domains).")


@dataclass(frozen=True, slots=True)
class Part:
    """Transformed rows of one domain without labels: `x` (n, *shape)."""

    domain: str
    role: Role
    x: np.ndarray


@dataclass(frozen=True, slots=True)
class LabelledPart:
    """Transformed rows of one domain with labels: `x` (n, *shape), `y[task]` (n,) or (n, size)."""

    domain: str
    role: Role
    x: np.ndarray
    y: Mapping[str, np.ndarray]

    def having(self, tasks: tuple[Task, ...]) -> np.ndarray:
        """Numbers of the rows that have a label of one of the tasks; of all rows where none has."""
        import numpy as np

        from dareps.tasks import kind_of

        known = sum(kind_of(task).known(self.y[task.name]).reshape(len(self.x), -1).any(axis=1) for task in tasks)
        found = np.flatnonzero(known)
        return found if len(found) else np.arange(len(self.x))

    def taken(self, kept: np.ndarray) -> LabelledPart:
        """Some of the rows."""
        if len(kept) == len(self.x):
            return self
        return replace(self, x=self.x[kept], y={name: labels[kept] for name, labels in self.y.items()})


class Sealed:
    """Target labels that only a scorer opens; training code has no use for this object.

    Args:
        labels: part name ("train", "validation", "test") -> domain -> task -> (n,).
    """

    def __init__(self, labels: Mapping[str, Mapping[str, Mapping[str, np.ndarray]]]) -> None:
        self.__labels = labels

    def open_for_scorer(self, part: str, domain: str) -> Mapping[str, np.ndarray]:
        """Labels of a target part, for computing a metric and nothing else."""
        return self.__labels[part][domain]

    def __repr__(self) -> str:
        return "Sealed(target labels)"


@dataclass(frozen=True, slots=True)
class SplitData:
    """What one run may see, and the sealed rest. All lists are in the split's order of domains.

    Attributes:
        source_train: Labelled source rows to train on.
        source_validation: Labelled source rows for selection.
        target_train: Unlabelled target rows to train on.
        target_validation: Unlabelled target rows for validators.
        target_test: Unlabelled rows whose predictions are scored: the target's, or the source domains' own without one.
        sealed: Labels of the target parts; without a target, of the source domains' own test rows.
        fitted: The input transform.
        checksum: Digest of the raw data.
        unlearned: (part, domain) -> its rows as they were before a representation was learned, of validation parts and
            of the source's train parts; empty without one.
        fixed_test: Whether the target test rows are the same for every seed.
        labelled_rows: How many target train rows per domain a labelled stream may read: the first ones; None means all.
        scales: Units of regression tasks, from source train labels alone.
        chosen: Per target domain the numbers of the train rows whose labels the split declares; None means all.
        labelled_validation: Target validation rows whose labels the split declares.
    """

    tasks: tuple[Task, ...]
    source_train: tuple[LabelledPart, ...]
    source_validation: tuple[LabelledPart, ...]
    target_train: tuple[Part, ...]
    target_validation: tuple[Part, ...]
    target_test: tuple[Part, ...]
    sealed: Sealed
    fitted: Fitted
    checksum: str
    unlearned: Mapping[tuple[str, str], np.ndarray] = field(default_factory=dict)
    fixed_test: bool = False
    labelled_rows: tuple[int, ...] | None = None
    scales: Mapping[str, Scale] = field(default_factory=dict)
    chosen: tuple[np.ndarray, ...] | None = None
    labelled_validation: tuple[LabelledPart, ...] = ()

    def in_units(self, task: str, outputs: np.ndarray) -> np.ndarray:
        """A head's outputs (n, size) in the units of the task's labels."""
        return self.scales[task].restore(outputs) if task in self.scales else outputs

    def restricted(self, tasks: tuple[Task, ...]) -> SplitData:
        """The split for some of the tasks: source rows without a label of any of them would only fill up batches.

        A domain without any such label keeps its rows, for alignments to read. Test rows stay.
        """
        if {task.name for task in tasks} == {task.name for task in self.tasks}:
            return replace(self, tasks=tasks)
        kept = {("validation", part.domain): part.having(tasks) for part in self.source_validation}
        kept |= {("train", part.domain): part.having(tasks) for part in self.source_train}
        return replace(
            self,
            tasks=tasks,
            source_train=tuple(part.taken(kept["train", part.domain]) for part in self.source_train),
            source_validation=tuple(part.taken(kept["validation", part.domain]) for part in self.source_validation),
            unlearned={place: x[kept[place]] if place in kept else x for place, x in self.unlearned.items()},
        )

    def labelled_target(self) -> tuple[LabelledPart, ...]:
        """Target train rows with their labels, for recipes that declare such a stream; results count these rows."""
        counts = self.labelled_rows or [len(part.x) for part in self.target_train]
        parts = tuple(
            LabelledPart(part.domain, part.role, part.x[:count], {name: labels[:count] for name, labels in y.items()})
            for part, count in zip(self.target_train, counts, strict=True)
            for y in [self.sealed.open_for_scorer("train", part.domain)]
        )
        if self.chosen is None:
            return parts
        return tuple(part.taken(kept) for part, kept in zip(parts, self.chosen, strict=True))
