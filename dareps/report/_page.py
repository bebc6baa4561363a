"""The whole report as data: sentences, tables and figures, free of any output format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dareps.report._advice import advice_notes, advice_tables
from dareps.report._amounts import told
from dareps.report._delta import delta_notes, delta_tables
from dareps.report._forgetting import forgetting_tables
from dareps.report._format import interval, percent
from dareps.report._made import made_table, remarks, stale_told
from dareps.report._section import HEADLINE, Section, preferred, sections
from dareps.report._seeds import seeds_table
from dareps.report._tables import (
    Table,
    board_table,
    failed_table,
    figures_table,
    rule_table,
    split_table,
    stale_table,
    warnings_table,
)
from dareps.report._words import overall, reading, summary, verdict
from dareps.suite._results import AVERAGE, CHOSEN, TARGET_ONLY
from dareps.suite.apart import Comparison, standing
from dareps.suite.delta import delta_board
from dareps.suite.exports import Entry
from dareps.suite.forgetting import forgetting_board
from dareps.suite.hindsight import cases, told_in
from dareps.suite.seeds import SeedEntry, seed_board
from dareps.suite.store import Store

FILES = ("leaderboard.csv", "runs.csv", "ensembles.csv", "domains.csv", "delta.csv", "forgetting.csv", "advice.csv")
"""What lies beside the page."""
FEW_SPLITS = 4
"""Up to this many splits have a table each in the open; beyond, a heat table stands for them."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One of the large figures at the top of a dataset."""

    label: str
    value: str
    note: str
    role: str


@dataclass(frozen=True, slots=True)
class Block:
    """One dataset.

    Attributes:
        remarks: What makes the comparison uneven.
        tables: Those in the open; `details` are folded away.
        made: How the runs were made.
    """

    name: str
    section: Section
    remarks: tuple[str, ...]
    summary: tuple[str, ...]
    verdict: str
    tiles: tuple[Tile, ...]
    tables: tuple[Table, ...]
    details: tuple[Table, ...]
    made: Table


@dataclass(frozen=True, slots=True)
class Page:
    """The report: `opening` sentences, a block per dataset, how to read their tables, and lists of what went wrong.

    `seeds` is what `ensembles.csv` holds; `delta` sets advice against what was reached, recipes against the single-task
    baseline, and what they know at the end against what they knew before.
    """

    title: str
    opening: tuple[str, ...]
    blocks: tuple[Block, ...]
    reading: tuple[str, ...]
    lists: tuple[Table, ...]
    seeds: tuple[SeedEntry, ...] = ()
    delta: tuple[Table, ...] = ()


def build_page(store: Store, title: str = "", notes: Iterable[str] = (), selection: str = HEADLINE) -> Page:
    """Read the store and make up the page.

    Raises:
        ConfigError: `selection` is the oracle.
        StoreError: The store cannot be read.
    """
    outcomes, stale = standing(store), store.outcomes(stale=True)
    comparison = Comparison.of(store)
    found, seeds = sections(outcomes, selection, stale, comparison.reference), seed_board(outcomes, store.folder)
    failed = sum(outcome.status == "failed" for outcome in outcomes)
    opening = (*overall(found, failed, stale_told(stale, outcomes), len(store.missing())), *notes)
    gains = delta_board(outcomes, comparison.baseline)
    advised = cases(outcomes, told_in(store), preferred(selection), comparison.reference)
    opening = (*opening, *advice_notes(advised), *delta_notes(gains))
    lists = (failed_table(outcomes), warnings_table(outcomes), stale_table(stale))
    return Page(
        title=f"{title or store.folder.resolve().name}: dareps report",
        opening=opening,
        blocks=tuple(_block(section, selection, seeds) for section in found),
        reading=reading(comparison.reference) if found else (),
        lists=tuple(table for table in lists if table is not None),
        seeds=tuple(seeds),
        delta=(
            *advice_tables(advised),
            *delta_tables(gains, preferred(selection)),
            *forgetting_tables(forgetting_board(outcomes)),
        ),
    )


def _block(section: Section, asked: str, entries: Sequence[SeedEntry]) -> Block:
    splits = section.splits if len(section.splits) > 1 else []
    each = [board_table(section, split) for split in splits]
    few = len(splits) <= FEW_SPLITS
    heat = [split_table(section)] if splits else []
    seeds = seeds_table(section, entries)
    return Block(
        name=section.name,
        section=section,
        remarks=tuple(remarks(section)),
        summary=(*summary(section, asked), *told(section)),
        verdict=verdict(section),
        tiles=tuple(_tiles(section)),
        tables=(board_table(section), *([] if seeds is None else [seeds]), *(each if few else heat)),
        details=(rule_table(section), figures_table(section), *([] if few else each)),
        made=made_table(section),
    )


def _tiles(section: Section) -> list[Tile]:
    best = next((entry for entry in section.board() if entry.oracle_recipe), None)
    lower = "lower bound: no adaptation" if section.role == "lower bound" else section.role
    wanted: Sequence[tuple[str, Entry | None, str]] = (
        (lower, section.entry(section.reference, AVERAGE), "bound"),
        (f"chosen {section.blindly}", section.entry(CHOSEN, AVERAGE), "chosen"),
        ("oracle recipe: best in hindsight", best, "best"),
        ("upper bound: target labels", section.entry(TARGET_ONLY, AVERAGE), "bound"),
    )
    return [
        Tile(label, percent(entry.mean), f"{_named(section, entry)} {_bracket(section, entry)}".strip(), role)
        for label, entry, role in wanted
        if entry is not None and entry.mean is not None
    ]


def _named(section: Section, entry: Entry) -> str:
    """The recipe; for the choice, the recipe chosen most often."""
    if entry.recipe != CHOSEN:
        return entry.recipe
    (name, count), *others = Counter(result.recipe for result in section.choices.values()).most_common()
    return f"{name}, {count} of {len(section.choices)} times" if others else name


def _bracket(section: Section, entry: Entry) -> str:
    return interval(entry.low, entry.high, section.kind.share) if entry.low is not None else ""
