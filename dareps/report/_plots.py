"""Accuracy with intervals, and learning curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from dareps.engine.outcome import Outcome
from dareps.report._format import capital, within
from dareps.report._section import Section
from dareps.report._style import FAINT, GREY, INK, Look
from dareps.suite._results import CHOSEN, TARGET_ONLY
from dareps.suite.exports import Entry

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

Curve = Sequence[tuple[int, float]]
Band = tuple["np.ndarray", "np.ndarray", "np.ndarray"]
"""Steps, mean and standard deviation."""
TARGET_CURVES = ("target_metric", "target_accuracy", "score.oracle")
"""Where a run keeps the target's accuracy over steps; the oracle's score is the one on target validation rows."""
SOURCE_CURVES = ("source_metric", "source_accuracy")
WIDTH = 11.0


def accuracy_plot(section: Section, look: dict[str, Look]) -> Figure | None:
    """Accuracy with intervals beside the paired differences to the reference by split, in the order of the tables.

    None without a recipe besides the bounds; the differences are left out where there is none.
    """
    from matplotlib.figure import Figure

    rows = _rows(section)
    if all(entry.recipe == CHOSEN for entry in rows):
        return None
    paired = any(entry.difference is not None for entry in rows if entry.recipe != CHOSEN)
    figure = Figure(figsize=(WIDTH, 1.7 + 0.36 * max(len(rows), 2)), layout="constrained")
    left, *others = figure.subplots(
        1, 1 + paired, sharey=True, squeeze=False, width_ratios=(1.15, 1) if paired else (1,)
    )[0]
    for place, entry in enumerate(rows):
        _accuracy_row(left, place, entry, look[entry.recipe], section.kind.share)
        for right in others:
            _difference_row(right, place, section, entry, look[entry.recipe])
    _bound_lines(left, section)
    left.set_yticks(range(len(rows)), [entry.recipe for entry in rows])
    left.set_ylim(-0.6, len(rows) - 0.4)
    side = "" if section.protocols == ["supervised"] else "target "
    left.set(xlabel=f"{side}{section.measure} %", title=_accuracy_title(section, rows))
    for right in others:
        right.axvline(0, color=GREY, linewidth=1.2)
        right.set(xlabel=f"points against {section.reference}", title=_difference_title(section))
    for axes in (left, *others):
        _row_style(axes, rows)
    handles, labels = left.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower left", ncols=2)
    return figure


def _rows(section: Section) -> list[Entry]:
    """The recipes drawn, lowest first, as axes count; what was chosen stands on top."""
    rows = [entry for entry in section.board() if entry.mean is not None and entry.recipe not in section.bounds]
    return sorted(rows, key=lambda entry: entry.recipe != CHOSEN)[::-1]


def _row_style(axes: Axes, rows: Sequence[Entry]) -> None:
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
    if rows[-1].recipe == CHOSEN:
        axes.axhline(len(rows) - 1.5, color=FAINT, linewidth=0.8)


def _accuracy_title(section: Section, rows: Sequence[Entry]) -> str:
    measure = capital(section.measure)
    average = measure if len(section.splits) == 1 else f"{measure}, average over splits"
    return f"{average}, 95 % interval over seeds" if any(entry.low is not None for entry in rows) else average


def _difference_title(section: Section) -> str:
    one = "Paired difference"
    return one if len(section.splits) == 1 else f"{one}: mean (large) and each split (small, below)"


def curves_plot(section: Section, look: dict[str, Look]) -> Figure | None:
    """Accuracy over steps on target and source, a panel per recipe: mean over runs, band of one standard deviation."""
    from matplotlib.figure import Figure

    drawn = [(name, found) for name in section.ordered if (found := _recipe_curves(section, name))]
    if not drawn:
        return None
    columns = min(4, len(drawn))
    lines = math.ceil(len(drawn) / columns)
    figure = Figure(figsize=(WIDTH, 0.5 + 2.15 * lines), layout="constrained")
    grid = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    bounds = {name: found["target"] for name, found in drawn if name in section.bounds and "target" in found}
    references = bounds if len(drawn) > 1 else {}
    for place, (axes, (name, found)) in enumerate(zip(grid.flat, drawn, strict=False)):
        _references(axes, {own: curve for own, curve in references.items() if own != name}, look)
        _curve_panel(axes, name, found, look[name])
        _step_axis(axes, lowest=place + columns >= len(drawn))
    for axes in list(grid.flat)[len(drawn) :]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel(f"{section.measure} %")
    figure.legend(handles=_curve_keys(section, references, look), loc="outside lower center", ncols=4)
    return figure


def uncurved(section: Section) -> list[str]:
    """Recipes that leave no curve, such as those fitted in one go."""
    return [name for name in section.ordered if not _recipe_curves(section, name)]


def target_curve_name(outcomes: Sequence[Outcome]) -> str:
    """The name under which these runs keep the target's accuracy over steps, or an empty text."""
    return next((name for name in TARGET_CURVES if any(run.curves.get(name) for run in outcomes)), "")


def _accuracy_row(axes: Axes, place: int, entry: Entry, look: Look, share: bool) -> None:
    value = 100 * (entry.mean or 0.0)
    if entry.low is not None and entry.high is not None:
        ends = [100 * within(entry.low, share), 100 * within(entry.high, share)]
        axes.plot(ends, [place, place], color=look.colour, linewidth=2.4, alpha=0.75)
    _dot(axes, value, place, look)


def _difference_row(axes: Axes, place: int, section: Section, entry: Entry, look: Look) -> None:
    splits = [section.entry(entry.recipe, split) for split in section.splits]
    small = [100 * own.difference for own in splits if own is not None and own.difference is not None]
    if len(small) > 1:
        # Below the mean's marker, which would hide them.
        axes.scatter(small, [place - 0.3] * len(small), s=15, color=look.colour, alpha=0.65, linewidths=0, zorder=4)
    if entry.difference is not None:
        _dot(axes, 100 * entry.difference, place, look)


def _dot(axes: Axes, value: float, place: float, look: Look) -> None:
    size = 150 if look.marker == "*" else 64
    axes.scatter([value], [place], s=size, marker=look.marker, color=look.colour, linewidths=0, zorder=3)


def _line_style(bound: str) -> Literal["solid", "dotted"]:
    """How a bound is drawn in the panels of other recipes."""
    return "dotted" if bound == TARGET_ONLY else "solid"


def _bound_lines(axes: Axes, section: Section) -> None:
    """Both bounds as lines with their intervals as bands; the legend names them, where names cannot overlap."""
    for name, style in zip(section.bounds, ("--", ":"), strict=True):
        entry = section.entry(name)
        if entry is None or entry.mean is None:
            continue
        value = 100 * entry.mean
        axes.axvline(value, color=INK, linestyle=style, linewidth=1.4, label=f"{name} {value:.1f}", zorder=1)
        if entry.low is not None and entry.high is not None:
            axes.axvspan(
                *(100 * within(end, section.kind.share) for end in (entry.low, entry.high)),
                color=GREY,
                alpha=0.16,
                linewidth=0,
                zorder=0,
            )


def _recipe_curves(section: Section, recipe: str) -> dict[str, Band]:
    """`target` and `source` -> (steps, mean, standard deviation over runs), where there are two steps or more."""
    runs = section.runs(recipe)
    found = {}
    for side, names in (("target", TARGET_CURVES), ("source", SOURCE_CURVES)):
        curves = [next((run.curves[name] for name in names if run.curves.get(name)), ()) for run in runs]
        band = _band(section, runs, curves)
        if band is not None:
            found[side] = band
    return found


def _band(section: Section, runs: Sequence[Outcome], curves: Sequence[Curve]) -> Band | None:
    """Curves on one grid of steps: averaged over splits by seed, then mean and deviation over seeds."""
    import numpy as np

    long = [(run.identity.seed, np.array(curve)) for run, curve in zip(runs, curves, strict=True) if len(curve) > 1]
    if not long:
        return None
    steps = np.unique(np.concatenate([curve[:, 0] for _, curve in long]))
    steps = steps[(steps >= max(c[0, 0] for _, c in long)) & (steps <= min(c[-1, 0] for _, c in long))]
    if len(steps) < 2:
        return None
    seeds = sorted({seed for seed, _ in long})
    rows = [np.mean([np.interp(steps, c[:, 0], c[:, 1]) for own, c in long if own == seed], axis=0) for seed in seeds]
    table = 100 * np.array(rows)
    return steps, table.mean(axis=0), table.std(axis=0, ddof=1) if len(table) > 1 else np.zeros(len(steps))


def _curve_keys(section: Section, references: dict[str, Band], look: dict[str, Look]) -> list[Line2D]:
    from matplotlib.lines import Line2D

    target = "target validation" if target_curve_name(section.finished) == "score.oracle" else "target"
    keys = [
        Line2D([], [], color=INK, linewidth=2.2, label=target),
        Line2D([], [], color=INK, linewidth=1.4, linestyle=(0, (4, 2)), label="source validation"),
    ]
    return keys + [
        Line2D([], [], color=look[name].colour, linewidth=1.4, linestyle=_line_style(name), label=f"{target}, {name}")
        for name in references
    ]


def _references(axes: Axes, references: dict[str, Band], look: dict[str, Look]) -> None:
    for name, (steps, middle, _) in references.items():
        axes.plot(steps, middle, color=look[name].colour, linestyle=_line_style(name), linewidth=1.4)


def _curve_panel(axes: Axes, name: str, found: dict[str, Band], look: Look) -> None:
    for side, style, width in (("source", (0, (4, 2)), 1.4), ("target", "solid", 2.2)):
        if side in found:
            steps, middle, spread = found[side]
            axes.fill_between(steps, middle - spread, middle + spread, color=look.colour, alpha=0.18, linewidth=0)
            axes.plot(steps, middle, color=look.colour, linestyle=style, linewidth=width)
    axes.set_title(name)
    axes.grid(axis="y")


def _step_axis(axes: Axes, lowest: bool) -> None:
    """Whole steps, numbered and named where no panel follows below."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    axes.tick_params(axis="x", labelbottom=lowest)
    if lowest:
        axes.set_xlabel("training step")
