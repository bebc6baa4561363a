"""The report as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dareps.report._page import FILES, Block, Page
from dareps.report._tables import Row, Table

_NUMERIC = frozenset("0123456789+-\u2212\u2013[].,<% ")


def markdown(page: Page) -> str:
    """The page's sentences and tables; figures are in the HTML page."""
    parts = [f"# {page.title}", *_bullets(page.opening)]
    parts += [_table(table) for table in page.delta]
    for block in page.blocks:
        parts += _block(block)
    if page.reading:
        parts += ["## How to read the tables", *_bullets(page.reading)]
    parts.append(f"All figures: {', '.join(f'[{name}]({name})' for name in FILES)}.")
    parts += [_table(table) for table in page.lists]
    return "\n\n".join(part for part in parts if part) + "\n"


def _block(block: Block) -> list[str]:
    return [
        f"## {block.name}",
        *(f"**{remark}**" for remark in block.remarks),
        f"**{block.verdict}**",
        *_bullets(block.summary),
        *map(_table, (*block.tables, block.made, *block.details)),
    ]


def _bullets(sentences: Sequence[str]) -> list[str]:
    return ["\n".join(f"- {sentence}" for sentence in sentences)] if sentences else []


def _table(table: Table) -> str:
    rows = [row for group in table.groups for row in group]
    lines = [f"### {table.title}", "", _line(table.columns), _line(_rules(table.columns, rows))]
    lines += [_line([_text(cell.text, row.role) for cell in row.cells]) for row in rows]
    return "\n".join([*lines, "", table.note] if table.note else lines)


def _rules(columns: Sequence[str], rows: Sequence[Row]) -> list[str]:
    numeric = [all(set(row.cells[place].text) <= _NUMERIC for row in rows) for place in range(len(columns))]
    return ["--:" if right else ":--" for right in numeric]


def _text(text: str, role: str) -> str:
    # A pipe or line break in an error message must not break the table.
    clean = " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|")
    return f"**{clean}**" if role == "chosen" and clean else f"*{clean}*" if role == "bound" and clean else clean


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
