"""`dareps route`: pages of routes, routes for data, advice, and mistakes in one line."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from dareps.recipe.bind import bind_run, shipped
from dareps.recipe.overrides import parse_override
from dareps.transfer.routes import ROUTES
from tests.cli._ask import ask, refused


def commands(text: str) -> list[list[str]]:
    """The words of every command line that was printed."""
    return [shlex.split(line[line.index("dareps train") :]) for line in text.splitlines() if "dareps train " in line]


def bound_split(words: list[str]) -> str:
    """The split of a command, which must bind."""
    run = bind_run(words[2], words[4], overrides=[parse_override(text) for text in words[5:]])
    return f"{run.data.name}/{run.split}"


def test_all_routes_are_listed():
    found = ask("route")
    assert [line.split()[0] for line in found.stdout.splitlines()[:8]] == [route.name for route in ROUTES]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_name_and_answers_lead_to_one_page(route):
    named = ask("route", route.name)
    answers = ("--task", route.task, "--domain", route.domain, "--order", route.order)
    assert ask("route", *answers).stdout == named.stdout
    assert named.exit_code == 0
    assert all(f"  {line}\n" in named.stdout for line in route.lines)
    for line in shipped("recipes")[route.name].read_text(encoding="utf-8").splitlines():
        assert line in named.stdout
    assert commands(named.stdout)[0][2:5] == [route.name, "--split", route.split]


def test_a_split_gets_its_two_routes_with_numbers_and_commands():
    found = ask("route", "digits8/fonts:scans")
    assert found.exit_code == 0, found.stderr
    assert "domain: different; fonts against scans" in found.stdout
    assert "p = 0.005 by permutation, different up to 0.01" in found.stdout
    lines = commands(found.stdout)
    assert [words[2] for words in lines] == ["domain_adaptation", "weight_sharing"]
    assert {bound_split(words) for words in lines} == {"digits8/fonts:scans"}


def test_tasks_that_differ_get_routes_of_their_own():
    found = ask("route", "attributes/fruit:solids@20", "data.limit=900")
    lines = commands(found.stdout)
    assert [words[2] for words in lines] == [
        "domain_adaptation",
        "weight_sharing",
        "modality_transfer",
        "parallel_training",
    ]
    assert all("data.limit=900" in words for words in lines)
    assert all("tasks=[colour]" in words for words in lines[:2])
    assert {bound_split(words) for words in lines} == {"attributes/fruit:solids@20"}


def test_one_domain_with_several_tasks_leads_from_one_to_the_other():
    lines = commands(ask("route", "attributes/fruit", "data.rows_per_domain=90").stdout)
    assert [words[2] for words in lines[2:]] == ["task_adaptation", "multi_task_learning"]
    assert {bound_split(words) for words in lines} == {"attributes/fruit"}


def test_advice_trains_measures_and_ends_in_a_command():
    found = ask("route", "digits8/fonts:scans@5", "--advise", "--steps", 10)
    assert found.exit_code == 0, found.stderr
    assert "50 labelled target rows, 5 for each of 10 classes" in found.stdout
    for word in ("conv1", "LogME", "H-score", "LEEP", "NCE", "case: small target", "advice: "):
        assert word in found.stdout
    [words] = commands(found.stdout)
    assert bound_split(words) == "digits8/fonts:scans@5"


def test_advice_takes_a_stored_model(trained: Path):
    model = next((trained / "train" / "models").iterdir())
    found = ask("route", "digits8/fonts:scans@5", "--advise", "--model", model)
    assert found.exit_code == 0, found.stderr
    assert "Training" not in found.stderr
    [words] = commands(found.stdout)
    assert bound_split(words) == "digits8/fonts:scans@5"
    assert {f"pretrained.file={model}", "phases.0.steps=0"} <= set(words)
    assert ask(*words[1:], "phases.1.steps=5").exit_code == 0
    other = refused("route", "attributes/fruit:solids@5", "--advise", "--model", model, "data.rows_per_domain=90")
    assert "the split is on attributes, the model was trained on, got 'digits8'" in other


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["task_adaption"], "Did you mean 'task_adaptation'?"),
        (["--task", "sam", "--domain", "same", "--order", "sequential"], "Did you mean 'same'?"),
        (["--task", "same", "--domain", "same"], "--order: the three answers go together"),
        (["digits8/fonts:scans", "--task", "same"], "answers do not go with a name or split"),
        (["digits9/fonts:scans"], "Did you mean 'digits'?"),
        (["digits8/fonts:skans"], "Did you mean 'scans'?"),
        (["digits8/fonts:scans@x"], "not a number of labelled rows"),
        (["digits8/fonts:scans", "--advise"], "declares no labelled target rows"),
        (["digits8/fonts:scans@0", "--advise"], "declares no labelled target rows"),
        (["digits8/fonts", "--advise"], "declares no labelled target rows"),
        (["domain_adaptation", "--advise"], "advice and settings need a split"),
        (["digits8/fonts:scans", "--steps", "3"], "--model and --steps go with --advise"),
        (["digits8/fonts:scans@5", "--advise", "--model", "a", "--steps", 3], "a stored model is trained already"),
        (["digits8/fonts:scans@5", "--advise", "--model", "absent"], "there is no saved model here"),
        (["digits8/fonts:scans", "data.limt=3"], "Did you mean 'limit'?"),
    ],
)
def test_mistakes_are_told_in_a_line(words: list[str], told: str):
    assert told in refused("route", *words)
