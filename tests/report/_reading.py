"""Writing reports of synthetic runs and reading them back."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

from dareps.engine.outcome import Outcome
from dareps.report import write_report
from dareps.report._markdown import markdown
from dareps.report._page import build_page
from dareps.report._section import HEADLINE
from dareps.suite.store import Store

VOID = {"meta", "br", "wbr", "img", "input", "link", "hr", "col"}


class Page(HTMLParser):
    """Checks nesting and gathers ids, references, text and tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert not self.stack, f"left open: {self.stack}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.stack.append(tag)
        self._note(attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._note(attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.stack or self.stack[-1] != "style":
            self.words.append(data)

    def _note(self, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src", "xlink:href", "srcset", "action"):
                self.references.append(value or "")

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


def write(folder: Path, runs: list[Outcome], **settings: str) -> tuple[Page, str]:
    store = Store(folder)
    for run in runs:
        store.save(run)
    path = write_report(folder, **settings)
    return Page(path.read_text(encoding="utf-8")), (folder / "report.md").read_text(encoding="utf-8")


def report_text(folder: Path, runs: list[Outcome], selection: str = HEADLINE) -> str:
    """The sentences and tables alone, without drawing figures."""
    store = Store(folder)
    for run in runs:
        store.save(run)
    return markdown(build_page(store, selection=selection))
