"""Features of both domains before and after training, and confusion matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dareps.engine.outcome import Outcome
from dareps.report._plots import WIDTH
from dareps.report._section import Section
from dareps.report._style import GREY, PALETTE, PAPER, SOURCE_COLOUR, TARGET_COLOUR
from dareps.suite._results import SOURCE_ONLY

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_CLASSES = 40
NUMBERED_CLASSES = 12
LABEL_DISTANCE = 0.075
"""Between class labels in a scatter, as a part of its width."""


def scatter_plot(section: Section, split: str) -> Figure | None:
    """Features before and after training, coloured by domain above and by class below, for one split."""
    from matplotlib.figure import Figure

    panels = _scatter_panels(section, split)
    if not panels:
        return None
    figure = Figure(figsize=(WIDTH, 6.6), layout="constrained")
    grid = figure.subplots(2, len(panels), squeeze=False)
    for column, (title, cloud) in enumerate(panels):
        _by_domain(grid[0, column], cloud)
        _by_class(grid[1, column], cloud)
        grid[0, column].set_title(title)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        axes.set_box_aspect(0.78)
    grid[0, 0].set_ylabel("by domain")
    grid[1, 0].set_ylabel("by class")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, markerscale=2.5)
    return figure


def confusion_plot(section: Section) -> Figure | None:
    """Confusion matrices of `source_only` and of the recipe shown against it, and their difference, in percent."""
    from matplotlib.figure import Figure

    recipe, role = section.shown
    other = recipe if recipe == role else f"{recipe} ({role})"
    names = {SOURCE_ONLY: SOURCE_ONLY, recipe: other} if recipe else {SOURCE_ONLY: SOURCE_ONLY}
    found = [(title, table) for name, title in names.items() if (table := _confusion(section, name)) is not None]
    if not found or len({len(table) for _, table in found}) > 1 or len(found[0][1]) > MOST_CLASSES:
        return None
    panels = [(name, table, False) for name, table in found]
    if len(found) == 2:
        panels.append((f"{recipe} minus {SOURCE_ONLY}", found[1][1] - found[0][1], True))
    figure = Figure(figsize=(WIDTH, 4.1), layout="constrained")
    for axes, (title, table, signed) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        _matrix(axes, table, signed)
        axes.set_title(title)
        axes.set_xlabel("predicted class")
    figure.axes[0].set_ylabel("true class")
    return figure


def _scatter_panels(section: Section, split: str) -> list[tuple[str, dict[str, Any]]]:
    recipe, role = section.shown
    base, other = _with_scatter(section, SOURCE_ONLY, split), _with_scatter(section, recipe, split)
    first = base or other
    if first is None or first.scatter is None:
        return []
    panels = [("before training", first.scatter.get("before"))]
    panels += [(f"after: {SOURCE_ONLY}", base.scatter.get("after"))] if base is not None and base.scatter else []
    if other is not None and other.scatter and other.identity.recipe != SOURCE_ONLY:
        panels.append((f"after: {other.identity.recipe} ({role})", other.scatter.get("after")))
    return [(title, cloud) for title, cloud in panels if cloud and len(cloud["x"])]


def _with_scatter(section: Section, recipe: str, split: str) -> Outcome | None:
    return next((run for run in section.runs(recipe, split) if run.scatter), None)


def _by_domain(axes: Axes, cloud: dict[str, Any]) -> None:
    x, domains = _points(cloud), list(cloud["domain"])
    for place, name in enumerate(dict.fromkeys(domains)):
        colour, marker = (SOURCE_COLOUR, "o") if place == 0 else (TARGET_COLOUR, "^")
        own = x[[domain == name for domain in domains]]
        axes.scatter(own[:, 0], own[:, 1], s=11, c=colour, marker=marker, alpha=0.6, linewidths=0, label=name)


def _by_class(axes: Axes, cloud: dict[str, Any]) -> None:
    """Classes by colour, with the class at the middle of its points: colours repeat when there are many."""
    import numpy as np
    from matplotlib.patheffects import withStroke

    x, labels, domains = _points(cloud), np.array(cloud["label"]), np.array(cloud["domain"])
    first = domains == domains[0]
    classes = np.unique(labels)
    for place, label in enumerate(classes):
        for side, marker in ((first, "o"), (~first, "^")):
            own = x[(labels == label) & side]
            axes.scatter(own[:, 0], own[:, 1], s=11, c=_class_colour(place), marker=marker, alpha=0.7, linewidths=0)
    places = _apart(np.array([np.median(x[labels == label], axis=0) for label in classes]), np.ptp(x, axis=0))
    for (across, up), label in zip(places, classes, strict=True):
        name = axes.text(across, up, str(label), ha="center", va="center", fontsize=10, fontweight="bold")
        name.set_path_effects([withStroke(linewidth=2.5, foreground=PAPER)])


def _apart(places: np.ndarray, extent: np.ndarray) -> np.ndarray:
    """Places (c, 2) pushed away from each other until no two labels overlap, as far as there is room."""
    import numpy as np

    if len(places) > MOST_CLASSES:
        return places
    unit = np.maximum(extent, 1e-12)
    # A spiral of tiny offsets gives coinciding labels a direction to part in.
    angle = np.arange(len(places)) * 2.4
    moved = places / unit + 1e-6 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    for _ in range(100):
        between = moved[:, None] - moved[None]
        distance = np.linalg.norm(between, axis=2) + np.eye(len(moved))
        lacking = np.maximum(LABEL_DISTANCE - distance, 0) / distance
        moved = moved + 0.5 * (between * lacking[..., None]).sum(axis=1)
    return np.asarray(moved * unit)


def _class_colour(place: int) -> str:
    colours = (*PALETTE, GREY, "#44AA99")
    return colours[place % len(colours)]


def _points(cloud: dict[str, Any]) -> np.ndarray:
    import numpy as np

    return np.asarray(cloud["x"], dtype=float).reshape(-1, 2)


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
    """The matrix in one colour of changing opacity, which works on light and dark; a second colour for losses."""
    import numpy as np
    from matplotlib.colors import to_rgb

    top = max(float(np.abs(table).max()), 1e-9)
    image = np.zeros((*table.shape, 4))
    image[..., :3] = np.where((table < 0)[..., None], to_rgb(TARGET_COLOUR), to_rgb(SOURCE_COLOUR))
    image[..., 3] = 0.6 * np.abs(table) / top
    axes.imshow(image, interpolation="nearest", aspect="equal")
    ticks: Sequence[int] = range(len(table))
    if len(table) > NUMBERED_CLASSES:
        ticks = range(0, len(table), 5)
    else:
        _numbers(axes, table, signed)
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _numbers(axes: Axes, table: np.ndarray, signed: bool) -> None:
    import numpy as np

    for (row, column), value in np.ndenumerate(table):
        if abs(value) >= 0.5:
            text = f"{value:+.0f}".replace("-", "\u2212") if signed else f"{value:.0f}"
            size = 9 if len(table) <= 6 else 7.5
            axes.text(column, row, text, ha="center", va="center", fontsize=size)
