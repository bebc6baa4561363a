"""The commands of the routes have labels of every task that they train."""

from __future__ import annotations

import shlex

import pytest

from dareps.engine.building import split_of
from dareps.engine.phases import unlabelled_tasks
from dareps.recipe.bind import bind_run
from dareps.recipe.overrides import parse_override
from dareps.recipe.settings import Run
from dareps.transfer import Train
from dareps.transfer.routes import ROUTES, Route, command
from tests.cli._ask import ask


def bound(words: list[str]) -> Run:
    """The run of a command."""
    return bind_run(words[2], words[4], overrides=[parse_override(text) for text in words[5:]])


def lacking(run: Run) -> dict[str, list[str]]:
    """Tasks that lack labels in some stream; a task without any is an error."""
    phases = [phase for phase in run.method.phases if isinstance(phase, Train)]
    return dict(unlabelled_tasks(phases, split_of(run).restricted(run.tasks), run.tasks))


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_a_route_on_its_own_data(route: Route):
    assert lacking(bound(shlex.split(command(route, route.split, route.changes)))) == {}


def test_routes_found_for_data_of_three_tasks():
    found = ask("route", "varieties/stall")
    lines = [shlex.split(line[line.index("dareps") :]) for line in found.stdout.splitlines() if "dareps train" in line]
    assert len(lines) == 4
    assert all(lacking(bound(words)) == {} for words in lines)
    assert lines[2][2:6] == ["task_fine_tuning", "--split", "varieties/stall", "tasks=[fruit,variety]"]
