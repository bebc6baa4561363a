from __future__ import annotations

import ast
import io
import statistics
import tokenize
from collections import defaultdict

import pytest

from ._source import Function, Source, sources

FOLDERS = ("dareps", "benchmarks", "tests")
LONGEST_FUNCTION, MEDIAN_FUNCTION, LONGEST_FILE, REPEATED_LINES = 50, 8, 300, 6


def length(function: Function) -> int:
    """Lines of a function without its docstring."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function) is not None:
        doc = function.body[0]
        lines -= (doc.end_lineno or doc.lineno) - doc.lineno + 1
    return lines


def is_annotated(function: Function) -> bool:
    """True when every argument but self and cls, and the result, have a type."""
    spec = function.args
    arguments = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs, spec.vararg, spec.kwarg]
    typed = all(each.annotation for each in arguments if each is not None and each.arg not in ("self", "cls"))
    return typed and (function.returns is not None or function.name == "__init__")


def undocumented(source: Source) -> list[str]:
    """Public functions, classes and methods without a docstring."""
    found = [("module", source.tree)] if ast.get_docstring(source.tree) is None and source.text.strip() else []
    for node in source.tree.body:
        if not isinstance(node, Function | ast.ClassDef) or node.name.startswith("_"):
            continue
        members = node.body if isinstance(node, ast.ClassDef) else []
        methods = [each for each in members if isinstance(each, Function) and not each.name.startswith("_")]
        found += [(each.name, each) for each in (node, *methods) if ast.get_docstring(each) is None]
    return [f"{source.name}: {name}" for name, _ in found]


def code_lines(source: Source) -> list[tuple[int, str]]:
    """Lines with more than a bracket on them, without docstrings, comments and imports, as (number, text)."""
    skipped: set[int] = set()
    for node in ast.walk(source.tree):
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if is_text or isinstance(node, ast.Import | ast.ImportFrom):
            skipped |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    words = defaultdict(list)
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        if token.string.strip() and token.type != tokenize.COMMENT and token.start[0] not in skipped:
            words[token.start[0]].append(token.string)
    return [(number, " ".join(line)) for number, line in sorted(words.items()) if any(map(str.isalnum, "".join(line)))]


def repeated_blocks(files: tuple[Source, ...]) -> list[str]:
    """Blocks of lines that stand in two places, each with both."""
    seen: dict[tuple[str, ...], str] = {}
    found = []
    for source in files:
        lines = code_lines(source)
        for start in range(len(lines) - REPEATED_LINES + 1):
            window = lines[start : start + REPEATED_LINES]
            place = f"{source.name}:{window[0][0]}"
            first = seen.setdefault(tuple(text for _, text in window), place)
            if first != place:
                found.append(f"{place} repeats {first}")
    return found


@pytest.mark.parametrize("folder", FOLDERS)
def test_functions_are_short(folder: str) -> None:
    found = [(length(each), f"{source.name}:{each.lineno}") for source in sources(folder) for each in source.functions]
    assert not [(lines, place) for lines, place in found if lines > LONGEST_FUNCTION]
    assert statistics.median(lines for lines, _ in found) <= MEDIAN_FUNCTION


@pytest.mark.parametrize("folder", FOLDERS)
def test_files_are_short(folder: str) -> None:
    counted = {source.name: source.text.count("\n") for source in sources(folder)}
    assert not {name: lines for name, lines in counted.items() if lines > LONGEST_FILE}


@pytest.mark.parametrize("folder", ["dareps", "benchmarks"])
def test_everything_has_types(folder: str) -> None:
    found = [(source, function) for source in sources(folder) for function in source.functions]
    assert found
    assert not [f"{source.name}:{each.lineno} {each.name}" for source, each in found if not is_annotated(each)]


def test_everything_public_has_a_docstring() -> None:
    assert not [place for source in sources("dareps") for place in undocumented(source)]


def test_no_code_stands_twice() -> None:
    found = repeated_blocks(sources("dareps") + sources("benchmarks"))
    assert not found, "\n".join(found)


@pytest.mark.parametrize("folder", FOLDERS)
def test_code_is_ascii(folder: str) -> None:
    assert not [source.name for source in sources(folder) if not source.text.isascii()]
