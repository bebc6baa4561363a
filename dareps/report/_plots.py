"""Accuracy with intervals, and learning curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dareps.engine.outcome import Outcome
from dareps.report._section import Section
from dareps.report._style import GREY, INK, Look
from dareps.suite._results import BOUNDS, SOURCE_ONLY, TARGET_ONLY
from dareps.suite.exports import Entry

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

Curve = Sequence[tuple[int, float]]
TARGET_CURVES = ("target_metric", "target_accuracy", "score.oracle")
"""Where a run keeps the target's accuracy over steps; the oracle's score is the one on target validation rows."""
SOURCE_CURVES = ("source_metric", "source_accuracy")
WIDTH = 11.0


def accuracy_plot(section: Section, look: dict[str, Look]) -> Figure:
    """Accuracy with 95 % intervals beside the paired differences to `source_only` by split."""
    from matplotlib.figure import Figure

    rows = [entry for entry in section.board() if entry.mean is not None and entry.recipe not in BOUNDS][::-1]
    figure = Figure(figsize=(WIDTH, 1.7 + 0.36 * max(len(rows), 2)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1.15, 1))
    for place, entry in enumerate(rows):
        _accuracy_row(left, place, entry, look[entry.recipe])
        _difference_row(right, place, section, entry, look[entry.recipe])
    _bound_lines(left, section)
    left.set_yticks(range(len(rows)), [entry.recipe for entry in rows])
    left.set_ylim(-0.6, max(len(rows), 1) - 0.4)
    left.set(xlabel="target accuracy %", title="Accuracy, average over splits, 95 % interval over seeds")
    right.axvline(0, color=GREY, linewidth=1.2)
    right.set(xlabel=f"points against {SOURCE_ONLY}", title="Paired difference: mean (large) and each split (small)")
    for axes in (left, right):
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)
    handles, labels = left.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower left", ncols=2)
    return figure


def curves_plot(section: Section, look: dict[str, Look]) -> Figure | None:
    """Accuracy over steps on target and source, a panel per recipe: mean over runs, band of one standard deviation."""
    from matplotlib.figure import Figure

    drawn = [(name, found) for name in section.recipes if (found := _recipe_curves(section, name))]
    if not drawn:
        return None
    columns = min(4, len(drawn))
    lines = math.ceil(len(drawn) / columns)
    figure = Figure(figsize=(WIDTH, 0.5 + 2.15 * lines), layout="constrained")
    grid = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    reference = next((found.get("target") for name, found in drawn if name == SOURCE_ONLY), None)
    for axes, (name, found) in zip(grid.flat, drawn, strict=False):
        _curve_panel(axes, name, found, look[name], None if name == SOURCE_ONLY else reference)
    for axes in list(grid.flat)[len(drawn) :]:
        axes.set_visible(False)
    figure.supylabel("accuracy %", fontsize=10)
    figure.legend(handles=_curve_keys(section), loc="outside lower center", ncols=3)
    return figure


def target_curve_name(outcomes: Sequence[Outcome]) -> str:
    """The name under which these runs keep the target's accuracy over steps, or an empty text."""
    return next((name for name in TARGET_CURVES if any(run.curves.get(name) for run in outcomes)), "")


def _accuracy_row(axes: Axes, place: int, entry: Entry, look: Look) -> None:
    value = 100 * (entry.mean or 0.0)
    if entry.low is not None and entry.high is not None:
        axes.plot([100 * entry.low, 100 * entry.high], [place, place], color=look.colour, linewidth=2.4, alpha=0.75)
    _dot(axes, value, place, look)


def _difference_row(axes: Axes, place: int, section: Section, entry: Entry, look: Look) -> None:
    splits = [section.entry(entry.recipe, split) for split in section.splits]
    small = [100 * own.difference for own in splits if own is not None and own.difference is not None]
    axes.scatter(small, [place] * len(small), s=16, color=look.colour, alpha=0.45, linewidths=0, zorder=2)
    if entry.difference is not None:
        _dot(axes, 100 * entry.difference, place, look)


def _dot(axes: Axes, value: float, place: float, look: Look) -> None:
    size = 150 if look.marker == "*" else 64
    axes.scatter([value], [place], s=size, marker=look.marker, color=look.colour, linewidths=0, zorder=3)


def _bound_lines(axes: Axes, section: Section) -> None:
    """Both bounds as lines with their intervals as bands; the legend names them, where names cannot overlap."""
    for name, style in ((SOURCE_ONLY, "--"), (TARGET_ONLY, ":")):
        entry = section.entry(name)
        if entry is None or entry.mean is None:
            continue
        value = 100 * entry.mean
        axes.axvline(value, color=INK, linestyle=style, linewidth=1.4, label=f"{name} {value:.1f}", zorder=1)
        if entry.low is not None and entry.high is not None:
            axes.axvspan(100 * entry.low, 100 * entry.high, color=GREY, alpha=0.16, linewidth=0, zorder=0)


def _recipe_curves(section: Section, recipe: str) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """`target` and `source` -> (steps, mean, standard deviation over runs), where there are two steps or more."""
    runs = section.runs(recipe)
    found = {}
    for side, names in (("target", TARGET_CURVES), ("source", SOURCE_CURVES)):
        curves = [next((run.curves[name] for name in names if run.curves.get(name)), ()) for run in runs]
        band = _band(section, runs, curves)
        if band is not None:
            found[side] = band
    return found


def _band(
    section: Section, runs: Sequence[Outcome], curves: Sequence[Curve]
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
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


def _curve_keys(section: Section) -> list[Line2D]:
    from matplotlib.lines import Line2D

    target = "target validation" if target_curve_name(section.finished) == "score.oracle" else "target"
    keys = [
        Line2D([], [], color=INK, linewidth=2.2, label=target),
        Line2D([], [], color=INK, linewidth=1.4, linestyle=(0, (4, 2)), label="source validation"),
    ]
    grey = Line2D([], [], color=GREY, linewidth=1.2, label=f"{target}, {SOURCE_ONLY}")
    return [*keys, grey] if SOURCE_ONLY in section.recipes else keys


def _curve_panel(
    axes: Axes,
    name: str,
    found: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]],
    look: Look,
    reference: tuple[np.ndarray, np.ndarray, np.ndarray] | None,
) -> None:
    if reference is not None:
        axes.plot(reference[0], reference[1], color=GREY, linewidth=1.2, alpha=0.9)
    for side, style, width in (("source", (0, (4, 2)), 1.4), ("target", "solid", 2.2)):
        if side in found:
            steps, middle, spread = found[side]
            axes.fill_between(steps, middle - spread, middle + spread, color=look.colour, alpha=0.18, linewidth=0)
            axes.plot(steps, middle, color=look.colour, linestyle=style, linewidth=width)
    axes.set_title(name)
    axes.grid(axis="y")
