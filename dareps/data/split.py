"""Splits: source domains, target domains and which rows a run may see."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dareps.data._base import Dataset, Protocol
from dareps.errors import ConfigError
from dareps.plugin import plugins, suggestion

if TYPE_CHECKING:
    from dareps.data._base import SplitData

FORM = (
    "Write DATA/SOURCE:TARGET, for instance digits8/fonts:scans, or DATA/DOMAIN to learn without a target; "
    "several domains are joined by '+', DATA/+ names all of them, and TARGET@10 has 10 labelled rows of each class."
)
FEW = re.compile(r"(\d+)(?:\+(\d+))?")
SETTING = r" *[a-z_]\w* *= *[^\[\],=/@:]+"
VARIED = re.compile(rf"(?P<name>[^\[\]/]+)\[(?P<settings>{SETTING}(,{SETTING})*)\]")
LONG = 90
"""Splits with longer names are cut off where an error names them."""
EVERY = "+"
"""Stands for all domains that are not a target."""


@dataclass(frozen=True, slots=True)
class Split:
    """Source and target domains of one dataset, as named in `digits8/fonts:scans`; `digits8/scans` has no target.

    Attributes:
        told: Settings of the dataset that the split's name tells, as in `varieties[shift=0.3]/stall:studio`.
        labelled: Rows of each class and target domain whose labels may be read in training; None for all.
        held: Further rows of each class and target domain whose labels a rule of selection may read.
    """

    dataset_name: str
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    labelled: int | None = None
    held: int = 0
    told: str = ""

    @property
    def data(self) -> str:
        """The dataset's name with the settings that are told: what stands before the slash."""
        return varied(self.dataset_name, self.told)

    def __str__(self) -> str:
        return f"{self.data}/{sides(self.sources, self.targets, self.labelled, self.held)}"


def varied(dataset_name: str, told: str) -> str:
    """`varieties[shift=0.3]`; the name alone where no settings are told."""
    return f"{dataset_name}[{told}]" if told else dataset_name


def plain(dataset: str) -> str:
    """The name of a dataset without what tables tell behind it."""
    return dataset.partition("[")[0]


def sides(sources: Sequence[str], targets: Sequence[str], labelled: int | None = None, held: int = 0) -> str:
    """`SOURCE:TARGET`, with `@N` behind the target where labels are counted, or the sources alone."""
    joined = ":".join("+".join(side) for side in (sources, targets) if side)
    return joined + few(labelled, held)


def few(labelled: int | None, held: int) -> str:
    """How many labels of a class a split declares: `@N`, `@N+M` with M for validation, or nothing."""
    return "" if labelled is None else f"@{labelled}+{held}" if held else f"@{labelled}"


def parse_split(text: str) -> Split:
    """Read `DATA/SOURCE:TARGET` or `DATA/DOMAIN`, where several domains are joined by `+`.

    A source `+` stands for all domains of the dataset but the targets: `DATA/+` learns all together. Behind the target,
    `@N` says that N target rows of each class have labels, and `@N+M` that M more have some for validation. Settings of
    the dataset stand in brackets behind its name, `varieties[shift=0.3]/stall:studio`, where tables shall tell them.

    Raises:
        ConfigError: The text is malformed, a name is unknown, or a domain is named twice.
    """
    name, at, amount = text.strip().partition("@")
    data, slash, domains = name.partition("/")
    dataset_name, told = _told(data, text)
    source, colon, target = domains.partition(":")
    labels = FEW.fullmatch(amount)
    if at and (labels is None or not colon):
        what = "only a target's labels are counted" if labels else "not a number of labelled rows of each class"
        raise ConfigError("split", what, text, "Write DATA/SOURCE:TARGET@10, or @10+5 with 5 more for validation.")
    targets = tuple(target.split("+")) if colon else ()
    sources = ("all",) if source == EVERY else tuple(source.split("+"))
    labelled, held = (int(labels[1]), int(labels[2] or 0)) if labels else (None, 0)
    split = Split(dataset_name, sources, targets, labelled, held, told)
    if not slash or ":" in target or not all((dataset_name, *split.sources, *split.targets)):
        raise ConfigError("split", "not a split", text, FORM)
    known = plugins(Dataset)
    if dataset_name not in known:
        raise ConfigError("split", "no dataset has this name", dataset_name, suggestion(dataset_name, known))
    if source == EVERY:
        split = replace(split, sources=tuple(own for own in known[dataset_name].domains if own not in targets))
    check_domains(known[dataset_name], split.sources, split.targets)
    return split


def _told(data: str, split: str) -> tuple[str, str]:
    """The dataset's name, and the settings in brackets behind it.

    Raises:
        ConfigError: What stands in brackets are no settings.
    """
    if "[" not in data and "]" not in data:
        return data, ""
    found = VARIED.fullmatch(data)
    if found is None:
        fix = "Write DATA[key=value,key=value]/SOURCE:TARGET, in quotes for a shell."
        raise ConfigError("split", "no settings of a dataset in brackets", split, fix)
    return found["name"], found["settings"].replace(" ", "")


def check_domains(dataset: Dataset | type[Dataset], sources: tuple[str, ...], targets: tuple[str, ...]) -> None:
    """Raise `ConfigError` unless all domains exist and none is named twice or on both sides; no target is one."""
    name = str(Split(dataset.name, sources, targets))
    where = f"split {name if len(name) <= LONG else f'{name[:LONG]}...'}"
    if not sources:
        raise ConfigError(where, "a split needs a source", fix=FORM)
    for domain in (*sources, *targets):
        if domain not in dataset.domains:
            raise ConfigError(where, "no domain has this name", domain, suggestion(domain, dataset.domains))
    for domain in sources:
        if domain in targets:
            raise ConfigError(where, "a domain is both source and target", domain, "Choose another target.")
    for side in (sources, targets):
        if len(set(side)) < len(side):
            raise ConfigError(where, "a domain is named twice", "+".join(side), "Name each domain once.")


def make_split(
    dataset: Dataset, sources: tuple[str, ...], targets: tuple[str, ...], seed: int, protocol: Protocol = "inductive"
) -> SplitData:
    """The rows that one run may see, chosen by (seed, dataset, domain) alone, and the sealed target labels.

    Source rows are cut 80/20 into train and validation, by class. `inductive` cuts target train rows 80/20 into
    unlabelled train and validation rows and keeps the official test rows, or a keyed 40 % where a domain has none.
    Where a domain has official validation rows, they are the validation rows of both cuts.
    `paper` trains and validates on all target train rows and tests on the official test rows, or on all target rows
    where a domain has none. `transductive` trains and validates without labels on all target rows, the test rows of
    `paper` among them; labelled target streams still read official train rows alone where there are test rows.
    `supervised` has no target: it tests on the domains' own official test rows, or on the keyed 40 % that `inductive`
    would test on, and cuts the rest 80/20 into train and validation, by class.

    Args:
        dataset: The dataset with its settings.
        sources: Names of the source domains.
        targets: Names of the target domains; none for `supervised`.
        seed: The run's seed.
        protocol: `inductive`, `paper`, `transductive` or `supervised`.

    Raises:
        ConfigError: A domain is unknown or named twice, or the protocol wants a target that is not there.
        DataError: Files are missing, or rows or labels are not usable.
    """
    from dareps.data._split import build_split

    check_domains(dataset, sources, targets)
    if (protocol == "supervised") == bool(targets):
        where = f"split {Split(dataset.name, sources, targets)}"
        what = "the protocol supervised has no target" if targets else f"the protocol {protocol} needs a target"
        raise ConfigError(where, what, "+".join(targets), FORM)
    return build_split(dataset, sources, targets, seed, protocol)
