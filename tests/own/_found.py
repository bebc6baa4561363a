"""What is found in two files, of which most are plain."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dareps.data.own.description import Description, described
from dareps.recipe.own_data import whole

from ._files import cells, save, text

SOURCE, TARGET = text(cells(80)), text(cells(60, 1), label=False)
KINDS = {"age": "number", "income": "number", "city": "category"}
Each = Callable[[int], object]


def found(folder: Path, source: str = "s.csv", target: str = "t.csv", **more: object) -> tuple[Description, list[str]]:
    """What is found in two files, of which those that are not there are plain ones."""
    for name, content in ((source, SOURCE), (target, TARGET)):
        if not (folder / name).exists():
            save(folder / name, content)
    places = {"s": {"file": str(folder / source)}, "t": {"file": str(folder / target)}}
    return whole(described({"name": "own", "domains": places, **more}, "own"))


def with_column(content: str, name: str, each: Each) -> str:
    """The table with a further column of what `each` says of a row's number from 1."""
    lines = content.splitlines()
    return "\n".join([f"{lines[0]},{name}", *(f"{line},{each(row)}" for row, line in enumerate(lines[1:], 1))])


def both(folder: Path, name: str, source: Each, target: Each | None = None) -> tuple[Description, list[str]]:
    """The same with a further column in both files."""
    save(folder / "s.csv", with_column(SOURCE, name, source))
    save(folder / "t.csv", with_column(TARGET, name, target or source))
    return found(folder)


def kinds(own: Description) -> dict[str, str | None]:
    return {name: column.kind for name, column in own.columns.items()}
