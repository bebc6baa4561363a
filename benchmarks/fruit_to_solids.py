"""Fruit to solids: what was learned together on fruit is carried over to few labelled solids, 3 seeds, with a plot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks._transfers import benchmark
from dareps.report._amounts import amounts_plot
from dareps.report._page import build_page
from dareps.report._style import looks, styled
from dareps.suite.store import Store

SUITE, RULE, MINUTES = "fruit_to_solids", "last", 10.0
SHOWN = "attributes/kind"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the suite, publish its figures and draw accuracy by labelled rows as the report does."""
    options = benchmark(SUITE, __doc__, RULE, MINUTES, arguments)
    draw(options.out / SUITE, options.results / f"{SUITE}.png")


def draw(folder: Path, path: Path) -> None:
    """Accuracy on kinds of solids by labelled rows of each kind."""
    blocks = build_page(Store(folder, create=False), selection=RULE).blocks
    section = next(block.section for block in blocks if block.name == SHOWN)
    with styled():
        figure = amounts_plot(section, looks(section.recipes))
        if figure is not None:
            figure.savefig(path, dpi=110, facecolor="white")


if __name__ == "__main__":
    main()
