"""The figures of a dataset in their order, each with its title and caption."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dareps.report._amounts import amounts_plot
from dareps.report._clouds import scatter_plot
from dareps.report._confusion import CAPTION, confusion_plot
from dareps.report._format import listed
from dareps.report._plots import accuracy_plot, curves_plot, uncurved
from dareps.report._section import Section
from dareps.report._style import Look

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_SCATTERS = 2
ACCURACY, BY_AMOUNT = "Accuracy", "Accuracy by labelled target rows"
TOP = (ACCURACY, BY_AMOUNT)
"""Figures that stand above the tables."""
AMOUNTS = "Bands: 95 % intervals over seeds. Differences are paired by seed."
Drawn = tuple[str, str, "Figure | None"]
"""Title, caption and figure; None where there is nothing to draw."""


def drawn(section: Section, look: dict[str, Look]) -> list[Drawn]:
    """All figures of a dataset."""
    return [
        (ACCURACY, _accuracy_caption(section), accuracy_plot(section, look)),
        (BY_AMOUNT, AMOUNTS, amounts_plot(section, look)),
        ("Learning curves", _curves_caption(section), curves_plot(section, look)),
        *_scatters(section),
        ("Confusion on the target", CAPTION, confusion_plot(section)),
    ]


def _accuracy_caption(section: Section) -> str:
    bounds = [entry for entry in section.board() if entry.recipe in section.bounds and entry.mean is not None]
    bands = "; bands: their intervals" if any(entry.low is not None for entry in bounds) else ""
    return f"Lines: the bounds{bands}." if bounds else ""


def _curves_caption(section: Section) -> str:
    how = "Mean over splits" if len(section.splits) > 1 else "One run a recipe"
    if len(section.seeds) > 1:
        how = "Mean over splits and seeds, band of one standard deviation over seeds"
    without = uncurved(section)
    lacking = f" Without curves: {listed(without)}." if without else ""
    return f"{how}. The target's {section.measure} is for looking at: it chose no headline checkpoint.{lacking}"


def _scatters(section: Section) -> list[Drawn]:
    splits = section.splits if len(section.splits) <= MOST_SCATTERS else section.splits[:1]
    only = "" if len(splits) == len(section.splits) else f", the first of {len(section.splits)} splits"
    caption = (
        "First two principal components of validation features, one seed. Each column has components and axes of its "
        "own, the same above and below: shapes compare, places do not. Target points by predicted class."
    )
    return [(f"Features, {split}{only}", caption, scatter_plot(section, split)) for split in splits]
