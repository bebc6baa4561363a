"""The README's picture: accuracy of every recipe on a suite that has been run, drawn as in its report."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks._measure import RESULTS
from dareps.report._page import build_page
from dareps.report._plots import accuracy_plot
from dareps.report._style import looks, styled
from dareps.suite.store import Store


def main() -> None:
    """Write `benchmarks/results/SUITE.png` from an output folder."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.picture", description=__doc__)
    parser.add_argument("folder", type=Path, help="an output folder of dareps bench, for instance runs/quick")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the picture")
    options = parser.parse_args()
    section = build_page(Store(options.folder, create=False)).blocks[0].section
    with styled():
        figure = accuracy_plot(section, looks(section.recipes))
        if figure is None:
            parser.error(f"{options.folder} holds no finished run to draw")
        figure.savefig(options.out / f"{options.folder.resolve().name}.png", dpi=110, facecolor="white")


if __name__ == "__main__":
    main()
