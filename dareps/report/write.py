"""Writing the report: exports, Markdown and one self-contained HTML page."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from dareps import __version__
from dareps.report._markdown import markdown
from dareps.report._page import FILES, Block, Page, build_page
from dareps.report._section import HEADLINE
from dareps.report._style import Look, looks, page_colours, styled, svg
from dareps.suite._files import write_whole
from dareps.suite.exports import write_exports
from dareps.suite.store import Store

if TYPE_CHECKING:
    from markupsafe import Markup


def write_report(folder: Path, *, title: str = "", notes: Iterable[str] = (), selection: str = HEADLINE) -> Path:
    """Write `runs.csv`, `leaderboard.csv`, the other exports, `report.md` and `report.html` from the folder's store.

    Args:
        folder: An output folder with `results.sqlite`.
        title: Heading of the page; by default it names the folder.
        notes: Sentences to open with.
        selection: The rule whose checkpoints make the headline figures; another is used, and named, for datasets
            without results under it.

    Returns:
        The path of the HTML page.

    Raises:
        ConfigError: `selection` is the oracle, which sees target labels.
        StoreError: There are no results in the folder, or the files cannot be written.
    """
    store = Store(folder, create=False)
    page = build_page(store, title, notes, selection)
    write_exports(store, page.seeds)
    write_whole(store.folder / "report.md", markdown(page))
    path = store.folder / "report.html"
    write_whole(path, html(page))
    return path


def html(page: Page) -> str:
    """The page as HTML without any outside resource."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    environment.filters.update(code=_code, colour=page_colours, breakable=_breakable)
    template = environment.from_string((resources.files("dareps.report") / "report.html").read_text(encoding="utf-8"))
    look = looks([name for block in page.blocks for name in block.section.recipes])
    figures = [_figures(block, f"f{place}", look) for place, block in enumerate(page.blocks)]
    return template.render(page=page, figures=figures, looks=look, version=__version__, files=FILES)


def _figures(block: Block, name: str, look: dict[str, Look]) -> list[dict[str, str | Markup]]:
    """The block's figures in order, each with its place, a title, a caption and its SVG."""
    from markupsafe import Markup

    from dareps.report._figures import TOP, drawn

    with styled():
        return [
            {
                "place": "top" if title in TOP else "below",
                "title": title,
                "caption": caption,
                "svg": Markup(svg(figure, f"{name}-{place}")),
            }
            for place, (title, caption, figure) in enumerate(drawn(block.section, look))
            if figure is not None
        ]


def _code(sentence: str) -> Markup:
    """A sentence with what stands between backticks set as code."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(sentence))))


def _breakable(name: str) -> Markup:
    """A name that may go on in the next line after each underscore."""
    from markupsafe import Markup, escape

    return Markup("_<wbr>").join(escape(part) for part in name.split("_"))
