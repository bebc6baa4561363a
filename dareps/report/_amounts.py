"""Accuracy by how many target rows of each class are labelled."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dareps.report._format import counted, listed, points
from dareps.report._section import Section
from dareps.report._style import GREY, Look
from dareps.suite.exports import Entry

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LABELLED = re.compile(r"(.*)@(\d+)(?:\+\d+)?")
WIDTH = 11.0


def amounts(section: Section) -> dict[str, dict[int, str]]:
    """Split without its number of labels -> number -> the split, for those that are there with several numbers."""
    found: dict[str, dict[int, str]] = {}
    for split in section.splits:
        match = LABELLED.fullmatch(split)
        if match:
            found.setdefault(match[1], {})[int(match[2])] = split
    return {name: dict(sorted(own.items())) for name, own in found.items() if len(own) > 1}


def amounts_plot(section: Section, look: dict[str, Look]) -> Figure | None:
    """The recipes' accuracy and their differences to the reference by number, a row per such split; None without."""
    from matplotlib.figure import Figure

    found = amounts(section)
    if not found:
        return None
    figure = Figure(figsize=(WIDTH, 4.0 * len(found)), layout="constrained")
    rows = figure.subplots(len(found), 2, squeeze=False)
    for (name, splits), (left, right) in zip(found.items(), rows, strict=True):
        for recipe in section.ordered:
            entries = {number: section.entry(recipe, split) for number, split in splits.items()}
            known = {number: own for number, own in entries.items() if own is not None}
            _line(left, known, "mean", look[recipe], recipe)
            _line(right, known, "difference", look[recipe], "")
        right.axhline(0, color=GREY, linewidth=1.2)
        for axes, title in ((left, f"{section.measure} %, {name}"), (right, f"points against {section.reference}")):
            axes.set(xscale="log", xlabel="labelled target rows of each class", title=title)
            axes.set_xticks(list(splits), [str(number) for number in splits])
            axes.minorticks_off()
            axes.grid()
    figure.legend(loc="outside right center", frameon=False)
    return figure


def _line(axes: Axes, found: dict[int, Entry], field: str, look: Look, label: str) -> None:
    """One recipe's line, with its interval where the figure is the mean."""
    known = {number: own for number, own in found.items() if getattr(own, field) is not None}
    if not known:
        return
    values = [100 * getattr(own, field) for own in known.values()]
    axes.plot(list(known), values, marker=look.marker, markersize=5, color=look.colour, label=label or None)
    low, high = ([getattr(own, side) for own in known.values()] for side in ("low", "high"))
    if field == "mean" and None not in (*low, *high):
        floor, ceiling = ([100 * value for value in side] for side in (low, high))
        axes.fill_between(list(known), floor, ceiling, color=look.colour, alpha=0.12, linewidth=0)


def told(section: Section) -> list[str]:
    """What transfer gained on the reference at each number of labels, and where it hurt, a sentence per number."""
    return [
        _sentence(section, number, split) for splits in amounts(section).values() for number, split in splits.items()
    ]


def _sentence(section: Section, number: int, split: str) -> str:
    entries = [own for own in section.board(split) if own.recipe in section.methods and own.difference is not None]
    if not entries:
        return f"With {number} labelled rows of each class nothing can be compared with `{section.reference}`."
    best = max(entries, key=lambda own: own.difference or 0.0)
    hurt = [f"`{own.recipe}` ({points(own.difference)})" for own in entries if (own.difference or 0.0) < 0]
    rest = f"; below it: {listed(hurt)}" if hurt else "; nothing is below it"
    many = counted(number, "labelled row")
    return f"With {many} of each class: best `{best.recipe}`, {points(best.difference)} on `{section.reference}`{rest}."
