"""Confusion matrices on the target, and what a recipe changes in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dareps.report._clouds import MOST_CLASSES, class_name
from dareps.report._plots import WIDTH
from dareps.report._section import Section
from dareps.report._style import SOURCE_COLOUR, TARGET_COLOUR
from dareps.suite._results import CHOSEN

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NUMBERED_CLASSES = 12
SATURATION = 25.0
"""Points from which on a difference has its full colour: a few points must not look like a landslide."""
BETTER, WORSE = SOURCE_COLOUR, TARGET_COLOUR
CAPTION = (
    "Percent of each true class of the target test rows, over all splits and seeds. Difference, in points: blue is "
    f"better (more on the diagonal, fewer off it), orange is worse; full colour from {SATURATION:.0f} points on."
)


def confusion_plot(section: Section) -> Figure | None:
    """Confusion matrices of the reference and of the recipe shown against it, and their difference, in percent."""
    from matplotlib.figure import Figure

    (recipe, role), base = section.shown, section.reference
    chosen = {result.recipe for result in section.choices.values()}
    recipe = chosen.pop() if recipe == CHOSEN and len(chosen) == 1 else recipe
    other = recipe if recipe in (role, base) else f"{recipe} ({role})"
    names = {base: base, recipe: other} if recipe else {base: base}
    found = [(title, table) for name, title in names.items() if (table := _confusion(section, name)) is not None]
    if not found or len({len(table) for _, table in found}) > 1 or len(found[0][1]) > MOST_CLASSES:
        return None
    panels = [(title, table, False) for title, table in found]
    if len(found) == 2:
        panels.append((f"{recipe} minus {base}", found[1][1] - found[0][1], True))
    classes = [class_name(section.classes, label) for label in range(len(found[0][1]))]
    figure = Figure(figsize=(WIDTH, _height(classes)), layout="compressed")
    for axes, (title, table, signed) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        _matrix(axes, table, signed)
        _name_classes(axes, classes, first=axes is figure.axes[0])
        axes.set_title(title)
    return figure


def _height(classes: Sequence[str]) -> float:
    """Inches: small matrices stay small, long names take their room."""
    slanted = 0.05 * max(map(len, classes)) if len(classes) > 3 else 0.0
    return min(3.9, 1.5 + 0.5 * len(classes)) + slanted


def _confusion(section: Section, recipe: str) -> np.ndarray | None:
    """Counts of all splits and seeds, as percent of each true class (c, c); None without counts of one shape."""
    import numpy as np

    rows = [own for run in section.runs(recipe) if (own := section.selected(run)) is not None]
    tables = [np.array(own.confusion, dtype=float) for own in rows if own.confusion]
    if not tables or len({table.shape for table in tables}) > 1:
        return None
    counts = np.sum(tables, axis=0)
    return np.asarray(100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))


def _matrix(axes: Axes, table: np.ndarray, signed: bool) -> None:
    """Shares in one colour of changing opacity, which works on light and dark; gains and losses in two."""
    axes.imshow(shades(table, signed), interpolation="nearest", aspect="equal")
    if len(table) <= NUMBERED_CLASSES:
        _numbers(axes, table, signed)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def shades(table: np.ndarray, signed: bool) -> np.ndarray:
    """Colours (c, c, 4): of a difference by whether it is good, more on the diagonal and fewer off it."""
    import numpy as np
    from matplotlib.colors import to_rgb

    image = np.zeros((*table.shape, 4))
    good = np.where(np.eye(len(table), dtype=bool), table, -table) >= 0 if signed else np.ones(table.shape, bool)
    image[..., :3] = np.where(good[..., None], to_rgb(BETTER), to_rgb(WORSE))
    image[..., 3] = 0.6 * np.minimum(np.abs(table) / (SATURATION if signed else 100.0), 1.0)
    return image


def _name_classes(axes: Axes, classes: Sequence[str], first: bool) -> None:
    ticks = range(0, len(classes), 1 if len(classes) <= NUMBERED_CLASSES else 5)
    shown = [classes[place] for place in ticks]
    slanted = len(classes) > 3 and max(map(len, shown)) > 3
    axes.set_xticks(ticks, shown, rotation=40 if slanted else 0, ha="right" if slanted else "center")
    axes.set_yticks(ticks, shown if first else [])
    axes.set_xlabel("predicted class")
    if first:
        axes.set_ylabel("true class")


def _numbers(axes: Axes, table: np.ndarray, signed: bool) -> None:
    import numpy as np

    for (row, column), value in np.ndenumerate(table):
        if abs(value) >= 0.5:
            text = f"{value:+.0f}".replace("-", "\u2212") if signed else f"{value:.0f}"
            size = 11 if len(table) <= 6 else 8
            axes.text(column, row, text, ha="center", va="center", fontsize=size)
