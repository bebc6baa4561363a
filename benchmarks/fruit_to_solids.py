"""Fruit to solids: what was learned together on fruit is carried over to few labelled solids, 3 seeds, with a plot."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks._measure import RESULTS, ROOT, publish
from benchmarks._transfers import carried_out, means, told, wall_time
from dareps.report._amounts import amounts_plot
from dareps.report._page import build_page
from dareps.report._style import looks, styled
from dareps.suite.store import Store

SUITE, RULE, MINUTES = "fruit_to_solids", "last", 10.0
SHOWN = "attributes/kind"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the suite, publish its figures and draw accuracy by labelled rows as the report does."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{SUITE}", description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "runs", help="where the suite's results are kept")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results file and the plot")
    options = parser.parse_args(arguments)
    minutes = carried_out(SUITE, options.out)
    publish(SUITE, [*told(means(options.out / SUITE, RULE)), wall_time(minutes, MINUTES)], options.results)
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
