"""A pair of tables with three columns of categories, two of numbers, gaps, and categories that one side lacks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

TOWNS = ("Bern", "Chur", "Genf", "Thun", "Zug")
KINDS = ("a", "b", "c")
COLOURS = ("red", "green", "blue", "grey")


def lines(n: int, seed: int, target: bool = False) -> list[tuple[str, ...]]:
    """Rows of age, income, town, kind, colour and label; targets have a town and a colour of their own."""
    draw = np.random.default_rng(seed)
    towns, colours = (TOWNS[1:], COLOURS) if target else (TOWNS[:-1], COLOURS[:-1])
    found = []
    for number in range(n):
        town, kind, colour = draw.choice(towns), draw.choice(KINDS), draw.choice(colours)
        age, income = round(float(draw.normal(40, 9)), 1), round(float(draw.lognormal(3, 1)), 2)
        label = "yes" if (TOWNS.index(town) + KINDS.index(kind)) % 3 > 0 and age > 30 else "no"
        gaps = [number % 7 == 1, number % 11 == 2, number % 13 == 3, number % 5 == 4]
        cells = zip((town, kind, colour, str(income)), gaps, strict=True)
        town, kind, colour, income_ = ("" if gap else str(cell) for cell, gap in cells)
        found.append((str(age), income_, town, kind, colour, label))
    return found


def write(folder: Path, source: int = 120, target: int = 90) -> tuple[Path, Path]:
    """The two files; only the source has labels."""
    paths = folder / "old.csv", folder / "new.csv"
    head = ("age", "income", "town", "kind", "colour", "bought")
    paths[0].write_text("\n".join(map(",".join, [head, *lines(source, 0)])))
    paths[1].write_text("\n".join(",".join(row[:-1]) for row in [head, *lines(target, 1, target=True)]))
    return paths


def describe(folder: Path, more: str = "") -> Path:
    """The files and their description, called `shop`."""
    write(folder)
    path = folder / "shop.yaml"
    path.write_text(f"domains:\n  old: {{file: old.csv}}\n  new: {{file: new.csv}}\n{more}")
    return path
