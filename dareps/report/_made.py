"""What to know before trusting a comparison: how runs were made, and in what they differ besides the recipe."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from dareps import __version__
from dareps.engine.outcome import Outcome
from dareps.report._facts import by_value
from dareps.report._format import counted, listed
from dareps.report._section import Section
from dareps.report._tables import Cell, Row, Table
from dareps.suite._results import CHOSEN, split_name
from dareps.suite._rows import setting

FAIR = {
    "steps": "steps differ",
    "batch": "batch sizes differ",
    "data": "data settings differ",
    "representation": "representations differ",
    "protocol": "protocols differ",
    "precision": "precisions differ",
}
"""What runs of one split share in a fair comparison."""
SHOWN = {
    "protocol": "protocol",
    "steps": "training steps",
    "batch": "batch of each stream",
    "optimizer": "optimizer",
    "encoder": "encoder",
    "normalise": "normalisation",
    "data": "data settings",
    "representation": "representation of the input",
    "precision": "precision",
    "evaluations": "checkpoints a run chooses from",
}
NAMED = 3


def remarks(section: Section) -> list[str]:
    """What makes the comparison on a dataset uneven, a sentence each."""
    return [text for text in (unfair(section), uneven(section)) if text]


def unfair(section: Section) -> str:
    """Whether runs of one split differ in more than the recipe, and in what."""
    told = []
    for split in section.splits:
        runs = [run for run in section.finished if split_name(run.identity) == split]
        for fact, words in FAIR.items():
            groups = by_value(runs, fact)
            told += [f"{words}: {_groups(groups)}"] if len(groups) > 1 else []
    return f"Not a fair comparison: {'; '.join(dict.fromkeys(told))}." if told else ""


def uneven(section: Section) -> str:
    """Whether recipes of the average's table have means over different numbers of seeds."""
    counts: dict[str, list[str]] = {}
    for entry in sorted(section.board(), key=lambda entry: entry.n):
        if entry.recipe != CHOSEN:
            counts.setdefault(counted(entry.n, "seed"), []).append(entry.recipe)
    whole = " (seeds that have every split)" if len(section.splits) > 1 else ""
    return f"n differs between recipes{whole}: {_groups(counts)}." if len(counts) > 1 else ""


def made_table(section: Section) -> Table:
    """How the runs of a dataset were made; where recipes differ, who has what."""
    groups = {words: by_value(section.finished, fact) for fact, words in SHOWN.items()}
    rows = [(words, _usual(found)) for words, found in groups.items() if found]
    minutes = sum(run.seconds for run in section.finished) / 60
    seeds = ", ".join(map(str, section.seeds))
    rows += [
        ("seeds", seeds),
        ("report written by", f"dareps {__version__}"),
        ("runs", f"{len(section.finished)} finished, {minutes:.1f} minutes of training in all"),
    ]
    cells = tuple(Row((Cell(name), Cell(value))) for name, value in rows)
    return Table("How these runs were made", ("setting", "value"), (cells,), kind="list")


def stale_reason(run: Outcome, current: Iterable[Outcome]) -> str:
    """Why a run no longer counts."""
    place = _place(run)
    settings = {setting(own.identity.config) for own in current if _place(own) == place}
    if not settings:
        return "with settings that are not asked for now"
    if setting(run.identity.config) in settings:
        return "with an older version of data or plug-ins"
    return "with other settings"


def stale_told(stale: Iterable[Outcome], current: Iterable[Outcome]) -> str:
    """How many runs were left out as stale, and why; an empty text without any."""
    by_place: dict[tuple[str, ...], list[Outcome]] = {}
    for own in current:
        by_place.setdefault(_place(own), []).append(own)
    reasons = Counter(stale_reason(run, by_place.get(_place(run), ())) for run in stale)
    several = len(reasons) > 1
    why = listed([f"{count} made {reason}" if several else f"made {reason}" for reason, count in reasons.most_common()])
    return f"{counted(reasons.total(), 'stale run')} left out: {why}." if reasons else ""


def _place(run: Outcome) -> tuple[str, ...]:
    own = run.identity
    return own.dataset, own.protocol, own.task, own.source, own.target, own.recipe


def _groups(groups: dict[str, list[str]]) -> str:
    return ", ".join(f"{value} ({listed(names, NAMED)})" for value, names in groups.items())


def _usual(groups: dict[str, list[str]]) -> str:
    """The value that most recipes have, and who has another; without such a value, who has which."""
    ranked = sorted(groups.items(), key=lambda item: -len(item[1]))
    (value, most), *others = ranked
    if len(most) <= sum(len(names) for _, names in others):
        return _groups(groups)
    return "; ".join([value, *(f"{other} ({listed(names, NAMED)})" for other, names in others)])
