"""The repository's Python as trees: files, functions, imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "dareps"
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One Python file."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def module(self) -> str:
        return self.name.removesuffix(".py").replace("/", ".").removesuffix(".__init__")

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def functions(self) -> Iterator[Function]:
        return (node for node in ast.walk(self.tree) if isinstance(node, Function))

    def imported(self, modules: frozenset[str]) -> set[str]:
        """Those of `modules` that this file imports anywhere: in functions and for type checking too."""
        found = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                base = self._absolute(node)
                inner = {f"{base}.{alias.name}" for alias in node.names}
                found |= inner if inner <= modules else inner | {base}
        return found & modules - {self.module}

    def _absolute(self, node: ast.ImportFrom) -> str:
        package = self.module.split(".")
        if self.path.name != "__init__.py":
            package.pop()
        start = package[: len(package) - node.level + 1] if node.level else []
        return ".".join([*start, *([node.module] if node.module else [])])


@cache
def sources(folder: str) -> tuple[Source, ...]:
    """All Python files below a folder of the repository."""
    return tuple(Source(path) for path in sorted((ROOT / folder).rglob("*.py")))


def import_graph() -> dict[str, set[str]]:
    """Module -> the package's modules that it imports."""
    modules = frozenset(source.module for source in sources(PACKAGE))
    return {source.module: source.imported(modules) for source in sources(PACKAGE)}
