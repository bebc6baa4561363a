"""Features of both domains before and after training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dareps.engine.outcome import Outcome
from dareps.report._plots import WIDTH
from dareps.report._section import Section
from dareps.report._style import GREY, INK, PALETTE, PAPER, SOURCE_COLOUR, TARGET_COLOUR

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

MOST_CLASSES = 40
_CLASS_COLOURS = (*PALETTE, GREY, "#44AA99")
COLOURS = len(_CLASS_COLOURS)
SHORT = 3
"""Letters of a class name that fit between points."""
LABEL_DISTANCE = 0.075
"""Between class labels in a scatter, as a part of its width."""


def scatter_plot(section: Section, split: str) -> Figure | None:
    """Features before and after training, coloured by domain above and by class below, for one split."""
    from matplotlib.figure import Figure

    panels = _scatter_panels(section, split)
    if not panels:
        return None
    figure = Figure(figsize=(WIDTH, 7.2), layout="constrained")
    above, below = figure.subfigures(2, 1, squeeze=False)[:, 0]
    for part, word in ((above, "by domain"), (below, "by class")):
        grid = part.subplots(1, len(panels), squeeze=False)[0]
        for axes, (title, cloud) in zip(grid, panels, strict=True):
            _by_domain(axes, cloud) if part is above else _by_class(axes, cloud, section.classes)
            axes.set(xticks=[], yticks=[], title=title if part is above else "")
            axes.set_box_aspect(0.78)
        grid[0].set_ylabel(word)
    handles, labels = above.axes[0].get_legend_handles_labels()
    above.legend(handles, labels, loc="outside lower center", ncols=2, markerscale=2.5)
    below.legend(handles=_class_keys(panels, section.classes), loc="outside lower center", ncols=6)
    return figure


def _scatter_panels(section: Section, split: str) -> list[tuple[str, dict[str, Any]]]:
    recipe, role = section.shown
    base, other = _with_scatter(section, section.reference, split), _with_scatter(section, recipe, split)
    first = base or other
    if first is None or first.scatter is None:
        return []
    panels = [("before training", first.scatter.get("before"))]
    panels += [(f"after: {section.reference}", base.scatter.get("after"))] if base is not None and base.scatter else []
    if other is not None and other.scatter and other.identity.recipe != section.reference:
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


def _by_class(axes: Axes, cloud: dict[str, Any], names: Sequence[str]) -> None:
    """Classes by colour; a short name, or the number when colours repeat, stands at the middle of its points."""
    import numpy as np
    from matplotlib.patheffects import withStroke

    x, labels, domains = _points(cloud), np.array(cloud["label"]), np.array(cloud["domain"])
    first = domains == domains[0]
    classes = np.unique(labels)
    for label in classes:
        for side, marker in ((first, "o"), (~first, "^")):
            own = x[(labels == label) & side]
            axes.scatter(own[:, 0], own[:, 1], s=11, c=_class_colour(label), marker=marker, alpha=0.7, linewidths=0)
    if max(len(class_name(names, label)) for label in classes) > SHORT and classes.max() < COLOURS:
        return
    places = _apart(np.array([np.median(x[labels == label], axis=0) for label in classes]), np.ptp(x, axis=0))
    for (across, up), label in zip(places, classes, strict=True):
        text = class_name(names, label)
        name = axes.text(
            across,
            up,
            text if len(text) <= SHORT else str(label),
            ha="center",
            va="center",
            fontsize=10,
            fontweight="bold",
        )
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


def class_name(names: Sequence[str], label: int) -> str:
    """What a class is called, or its number."""
    return names[label] if label < len(names) else str(label)


def _class_keys(panels: Sequence[tuple[str, dict[str, Any]]], names: Sequence[str]) -> list[Line2D]:
    """A key per class, as long as each has a colour of its own, and the marks of both domains."""
    from matplotlib.lines import Line2D

    def key(colour: str, marker: str, label: str) -> Line2D:
        return Line2D([], [], color=colour, marker=marker, linestyle="", markersize=6, label=label)

    labels = sorted({int(label) for _, cloud in panels for label in cloud["label"]})
    domains = dict.fromkeys(domain for _, cloud in panels for domain in cloud["domain"])
    shapes = [key(INK, marker, name) for marker, name in zip("o^", domains, strict=False)]
    if labels[-1] >= COLOURS:
        return shapes
    return [*(key(_class_colour(label), "s", class_name(names, label)) for label in labels), *shapes]


def _class_colour(label: int) -> str:
    return _CLASS_COLOURS[label % COLOURS]


def _points(cloud: dict[str, Any]) -> np.ndarray:
    import numpy as np

    return np.asarray(cloud["x"], dtype=float).reshape(-1, 2)
