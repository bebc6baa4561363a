"""One recipe as several models, one for each task or domain, and what such a suite is compared with."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

from dareps.data.split import parse_split
from dareps.engine.outcome import Outcome, Selected, UnitScore
from dareps.suite._results import SOURCE_ONLY
from dareps.suite.parts import Apart
from dareps.suite.store import Store
from dareps.suite.units import pooled

NOTE: Final = "comparison"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a suite sets against what; kept with its results, which do not tell by themselves.

    Attributes:
        baseline: The recipe that others are compared with; empty without one.
        joined: (recipe, dataset, domains joined by `+`): models of single domains that stand for one on all of them.
    """

    baseline: str = ""
    joined: tuple[tuple[str, str, str], ...] = ()

    @property
    def reference(self) -> str:
        """The recipe that leaderboards take differences to."""
        return self.baseline or SOURCE_ONLY

    def keep(self, store: Store) -> None:
        """Write it into the store, in place of an earlier one."""
        store.note(NOTE, json.dumps(asdict(self)))

    @classmethod
    def of(cls, store: Store) -> Comparison:
        """What the store says; nothing is compared or joined where it says nothing, as older ones do."""
        found = json.loads(store.noted(NOTE) or "{}")
        return cls(found.get("baseline", ""), tuple((own[0], own[1], own[2]) for own in found.get("joined", ())))


def standing(store: Store, *, details: bool = True) -> list[Outcome]:
    """The current runs, those of single domains that stand for one on all of them as that one."""
    return joined(store.outcomes(details=details), Comparison.of(store))


def joined(outcomes: Iterable[Outcome], comparison: Comparison) -> list[Outcome]:
    """Outcomes in which models of single domains have become one outcome on all of them, per seed.

    Figures are those of all test rows together, whichever model they were given to. One is failed where a part is, and
    there is none yet where a part has not been run.
    """
    outcomes = list(outcomes)
    sides: dict[tuple[str, str], list[str]] = {}
    for recipe, dataset, source in comparison.joined:
        sides.setdefault((recipe, dataset), []).append(source)
    parts = [
        own for own in outcomes if (own.identity.recipe, own.identity.dataset) in sides and not own.identity.target
    ]
    alone = {own.identity.key for own in parts if own.identity.source not in sides[_who(own)]}
    return [
        *(own for own in outcomes if own.identity.key not in alone),
        *(own for who, sources in sides.items() for source in sources for own in _joined(parts, who, source)),
    ]


def _who(outcome: Outcome) -> tuple[str, str]:
    return outcome.identity.recipe, outcome.identity.dataset


def _joined(parts: Sequence[Outcome], who: tuple[str, str], source: str) -> Iterator[Outcome]:
    """One outcome per seed that has all of the domains."""
    domains = source.split("+")
    by_seed: dict[int, dict[str, Outcome]] = {}
    for own in parts:
        if _who(own) == who and own.identity.source in domains:
            by_seed.setdefault(own.identity.seed, {})[own.identity.source] = own
    for found in by_seed.values():
        if len(domains) > 1 and len(found) == len(domains):
            yield _one([found[domain] for domain in domains], source)


def _one(parts: Sequence[Outcome], source: str) -> Outcome:
    first = parts[0]
    config = {**first.identity.config, "source": source.split("+")} if first.identity.config else {}
    key = hashlib.sha256("".join(own.identity.key for own in parts).encode()).hexdigest()[:32]
    failed = [f"{own.identity.source}: {own.error}" for own in parts if own.status == "failed"]
    whole = Outcome(
        replace(first.identity, key=key, source=source, config=config),
        "failed" if failed else "ok",
        target_labels=sum(own.target_labels for own in parts),
        seconds=math.fsum(own.seconds for own in parts),
        error="; ".join(failed),
        warnings=tuple(f"{own.identity.source}: {text}" for own in parts for text in own.warnings),
    )
    if failed:
        return whole
    units = tuple(unit for own in parts for unit in own.units)
    others = {task: _together([own.others[task] for own in parts], units, task) for task in first.others}
    selected = _together([own.selected for own in parts], units, first.identity.task)
    return replace(whole, selected=selected, others=others, units=units)


def _together(parts: Sequence[Sequence[Selected]], units: Sequence[UnitScore], task: str) -> tuple[Selected, ...]:
    """A task's figures on all rows, by rule."""
    found = []
    for rows in zip(*parts, strict=True):
        rule = rows[0].selection
        scores = pooled([unit for unit in units if (unit.task, unit.selection) == (task, rule)])
        # The mean of R^2 is not R^2 of all rows, and scores of other rules are about the rows of one domain.
        adds_up = bool(scores.confusion)
        found.append(
            Selected(
                selection=rule,
                step=round(sum(row.step for row in rows) / len(rows)),
                score=math.fsum(row.score for row in rows) / len(rows) if adds_up or rule == "last" else math.nan,
                source_metric=math.fsum(row.source_metric for row in rows) / len(rows) if adds_up else math.nan,
                target_metric=scores.primary,
                metrics=scores.metrics,
                confusion=scores.confusion,
            )
        )
    return tuple(found)


def comparison_of(baseline: str, apart: Mapping[str, Apart | None], splits: Iterable[str]) -> Comparison:
    """What a suite compares.

    Args:
        baseline: The baseline's name, or an empty text.
        apart: Entry -> what its models are apart by.
        splits: Splits of the suite.
    """
    found = [parse_split(split) for split in splits]
    names = [name for name, by in apart.items() if by == "domains"]
    sides = [(own.data, "+".join(own.sources)) for own in found if not own.targets]
    return Comparison(baseline, tuple((name, *side) for name in names for side in dict.fromkeys(sides)))
