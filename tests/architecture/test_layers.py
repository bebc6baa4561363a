from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

import pytest

from ._source import PACKAGE, import_graph, sources

LAYERS = (
    ("errors", "plugin"),
    ("types", "maths", "schedules"),
    ("tasks", "sampling"),
    ("encoders", "sharing", "alignment", "balancing", "transfer", "data", "selection", "tracking"),
    ("guarding",),
    ("recipe",),
    ("engine",),
    ("suite",),
    ("report", "sklearn"),
    ("commands", "cli", "__main__"),
)
LAYER = {part: number for number, parts in enumerate(LAYERS) for part in parts} | {"testing": 7}
# Siblings that do meet: everything may raise the errors, and the command line is made of its commands.
ALLOWED = {("plugin", "errors"), ("cli", "commands"), ("__main__", "cli")}
# The package itself holds the version and forwards `dareps.load`: it has no layer, but the test of cycles includes it.
FACADE = PACKAGE


def part_of(module: str) -> str:
    return module.split(".")[1]


def crossings() -> set[tuple[str, str, str, str]]:
    """Imports from one part of the package to another, as (importing part, imported part, module, module)."""
    return {
        (part_of(module), part_of(imported), module, imported)
        for module, targets in import_graph().items()
        for imported in targets
        if FACADE not in (module, imported) and part_of(module) != part_of(imported)
    }


def test_every_part_has_a_layer() -> None:
    parts = {part_of(source.module) for source in sources(PACKAGE) if source.module != FACADE}
    assert parts <= set(LAYER)


def test_imports_go_down_only() -> None:
    wrong = [
        f"{module} (layer {LAYER[part]}) imports {imported} (layer {LAYER[other]})"
        for part, other, module, imported in sorted(crossings())
        if LAYER[part] <= LAYER[other] and (part, other) not in ALLOWED
    ]
    assert not wrong, "\n".join(wrong)


def test_nothing_below_the_suite_imports_the_law_kit() -> None:
    assert not [module for part, other, module, _ in crossings() if other == "testing"]


def test_the_imports_are_seen_at_all() -> None:
    """Guards the tests above against an analysis that finds nothing."""
    pairs = {(part, other) for part, other, _, _ in crossings()}
    assert {("plugin", "errors"), ("recipe", "alignment"), ("engine", "recipe"), ("suite", "engine")} <= pairs


def import_cycles(graph: dict[str, set[str]]) -> list[str]:
    """Cycles of a graph, found by opening one after the other; the graph is left without them."""
    found = []
    while True:
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            cycle = error.args[1]
            found.append(" <- ".join(cycle))
            graph[cycle[1]].discard(cycle[0])
        else:
            return found


def test_there_are_no_import_cycles() -> None:
    found = import_cycles(import_graph())
    assert not found, "\n".join(found)


def test_a_cycle_would_be_found() -> None:
    assert import_cycles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})


@pytest.mark.parametrize("folder", ["benchmarks", "tests"])
def test_the_package_imports_neither_benchmarks_nor_tests(folder: str) -> None:
    modules = frozenset(source.module for source in sources(folder)) | {folder}
    assert not [source.name for source in sources(PACKAGE) if source.imported(modules)]


def test_the_facade_is_short() -> None:
    assert len((sources(PACKAGE)[0].path.parent / "__init__.py").read_text(encoding="utf-8").splitlines()) < 30
