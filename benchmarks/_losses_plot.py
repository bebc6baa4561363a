"""How the cost of the losses grows with rows, features and kernels."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks._cells import OURS, PLAIN, Cell
from dareps.report._style import GREY, Look, looks, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH, _ROWS = 256, 512
_PAPER = {"text.color": "#222222", "axes.labelcolor": "#222222", "axes.titlecolor": "#222222"}
_PAPER |= {"xtick.labelcolor": "#444444", "ytick.labelcolor": "#444444", "legend.labelcolor": "#222222"}
_PAPER |= {"axes.edgecolor": "#999999", "grid.color": "#CCCCCC", "xtick.color": "#999999", "ytick.color": "#999999"}
Line = list[tuple[int, float]]


def draw(cells: Sequence[Cell], path: Path) -> None:
    """Write the picture: a panel each for rows, features and kernels, both axes logarithmic."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    with styled(), mpl.rc_context(_PAPER):  # type: ignore[arg-type]
        figure, axes = plt.subplots(1, 3, figsize=(13, 4.6), sharey=True, layout="constrained")
        names = list(dict.fromkeys(cell.loss for cell in cells if not cell.loss.startswith("mmd_")))
        look = looks(names)
        _grown(axes[0], [cell for cell in cells if cell.d == _WIDTH], "n", look)
        _grown(axes[1], [cell for cell in cells if cell.n == _ROWS], "d", look)
        _kernels(axes[2], cells)
        axes[0].set(xlabel=f"rows a side n  (d = {_WIDTH})", ylabel="milliseconds, forward and backward")
        axes[1].set(xlabel=f"features d  (n = {_ROWS})")
        axes[2].set(xlabel=f"kernels of MMD  (n = {_ROWS}, d = {_WIDTH})")
        handles, labels = axes[0].get_legend_handles_labels()
        if axes[2].lines:
            axes[2].legend(loc="lower right")
        figure.legend(handles, labels, loc="outside lower center", ncols=6)
        figure.savefig(path, dpi=130, facecolor="white")
        plt.close(figure)


def _line(cells: Sequence[Cell], by: str, side: str = OURS) -> Line:
    """(n or d, milliseconds) where there is a number."""
    known = [(getattr(cell, by), cell.samples.values.get(side)) for cell in cells]
    return sorted((x, 1e3 * statistics.median(times)) for x, times in known if times)


def _grown(axes: Axes, cells: Sequence[Cell], by: str, look: dict[str, Look]) -> None:
    """One line per loss, and the plain form of MMD."""
    for loss in dict.fromkeys(cell.loss for cell in cells):
        if loss in look:
            line = _line([cell for cell in cells if cell.loss == loss], by)
            own = look[loss]
            again = own.colour in {look[other].colour for other in list(look)[: list(look).index(loss)]}
            _plot(axes, line, own.colour, own.marker, loss.replace("_", " "), ":" if again else "-")
    plain = _line([cell for cell in cells if cell.loss == "mmd"], by, PLAIN)
    _plot(axes, plain, GREY, "x", "mmd, plain PyTorch", "--")
    axes.set(xscale="log", yscale="log")
    ticks = sorted({getattr(cell, by) for cell in cells})
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.minorticks_off()
    axes.grid(visible=True)


def _kernels(axes: Axes, cells: Sequence[Cell]) -> None:
    chosen = {int(cell.loss.split("_")[1]): cell for cell in cells if cell.loss.startswith("mmd_")}
    for side, colour, marker, label in ((OURS, "#0072B2", "o", "dareps"), (PLAIN, GREY, "x", "plain PyTorch")):
        line = [(count, 1e3 * statistics.median(cell.samples.values[side])) for count, cell in chosen.items()
                if cell.samples.values.get(side)]  # fmt: skip
        _plot(axes, sorted(line), colour, marker, label, "-" if side == OURS else "--")
    axes.set(xscale="log")
    axes.set_xticks(sorted(chosen), [str(count) for count in sorted(chosen)])
    axes.minorticks_off()
    axes.grid(visible=True)


def _plot(axes: Axes, line: Line, colour: str, marker: str, label: str, style: str = "-") -> None:
    if line:
        axes.plot(*zip(*line, strict=True), style, color=colour, marker=marker, ms=4.5, lw=1.4, label=label)
