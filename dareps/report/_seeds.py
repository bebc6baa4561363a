"""The table that keeps three readings of a recipe's seeds apart: their mean, one chosen seed, their ensemble."""

from __future__ import annotations

from collections.abc import Iterable

from dareps.report._format import NONE, percent
from dareps.report._section import Section
from dareps.report._tables import Cell, Row, Table, grouped, role_of
from dareps.suite._results import AVERAGE, ORACLE
from dareps.suite.exports import Entry
from dareps.suite.seeds import SeedEntry

COLUMNS = ("recipe", "mean of seeds", "seed chosen by the rule", "ensemble of seeds", "members", "n")


def seeds_table(section: Section, entries: Iterable[SeedEntry]) -> Table | None:
    """Averages over splits under the headline's rule; None where there is one seed."""
    here = [own for own in entries if (own.dataset, own.selection) == (section.name, section.rule)]
    found = {own.recipe: own for own in here if own.split == AVERAGE}
    if len(section.seeds) < 2 or not found:
        return None

    def row(entry: Entry) -> Row:
        own = found[entry.recipe]
        members = str(own.members) if own.members else NONE
        figures = (percent(own.mean), percent(own.chosen), percent(own.ensemble), members, str(own.n))
        return Row((Cell(entry.recipe), *map(Cell, figures)), role_of(section, entry))

    return Table("Mean, choice and ensemble of seeds", COLUMNS, grouped(section, AVERAGE, row), _note(section, here))


def _note(section: Section, entries: Iterable[SeedEntry]) -> str:
    how = "by target validation labels" if section.rule == ORACLE else "without target labels"
    ensembles = (
        "Ensemble: the average of all seeds' predicted probabilities; one number each, so it has no interval."
        if any(own.ensemble is not None for own in entries)
        else "No ensembles: the seeds were tested on rows of their own, or left no predictions."
    )
    return (
        "Accuracy %, average over splits. Only the first column is what a single run may expect. "
        f"Seed chosen: at each split the one whose checkpoint {section.rule} scores highest, {how}. {ensembles}"
    )
