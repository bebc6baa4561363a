"""The table of routes, and the recipes and commands that it names."""

import itertools
import shlex

import pytest

from dareps.errors import ConfigError
from dareps.recipe.bind import bind_run, shipped
from dareps.recipe.overrides import parse_override
from dareps.transfer.routes import ROUTES, command, fitting, route_named, route_of

NAMES = {
    ("same", "same", "sequential"): "task_fine_tuning",
    ("same", "different", "sequential"): "domain_adaptation",
    ("different", "same", "sequential"): "task_adaptation",
    ("different", "different", "sequential"): "modality_transfer",
    ("same", "same", "simultaneous"): "dataset_merging",
    ("same", "different", "simultaneous"): "weight_sharing",
    ("different", "same", "simultaneous"): "multi_task_learning",
    ("different", "different", "simultaneous"): "parallel_training",
}


@pytest.mark.parametrize(
    "answers", list(itertools.product(("same", "different"), ("same", "different"), ("sequential", "simultaneous")))
)
def test_every_combination_of_answers_has_its_route(answers):
    route = route_of(*answers)
    assert route.name == NAMES[answers]
    assert route_named(route.name) is route
    assert (route.task, route.domain, route.order) == answers


def test_both_routes_of_a_relation_differ_in_order_alone():
    for route in ROUTES:
        pair = fitting(route.task, route.domain)
        assert [own.order for own in pair] == ["sequential", "simultaneous"]
        assert route in pair


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_a_route_says_what_it_is(route):
    assert len(set(route.lines)) == 3
    assert route.kind.startswith(("Inductive: ", "Transductive: "))
    assert ("source and target at once" in route.tasks or "source task and target task at once" in route.tasks) == (
        route.order == "simultaneous"
    )
    assert route.shared.startswith("Shared ")


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_its_recipe_is_shipped_and_its_command_binds(route):
    assert route.name in shipped("recipes")
    words = shlex.split(command(route, route.split, route.changes))
    assert words[:3] == ["dareps", "train", route.name]
    run = bind_run(route.name, words[4], overrides=[parse_override(text) for text in words[5:]])
    assert len(run.method.phases) == (2 if route.order == "sequential" else 1)
    assert type(run.data).embedded


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_on_a_split_with_a_target_all_but_adaptation_read_its_labels(route):
    words = shlex.split(command(route, "digits8/fonts:scans"))
    run = bind_run(route.name, words[4], overrides=[parse_override(text) for text in words[5:]])
    read = [phase.streams.target for phase in run.method.phases]
    assert read[-1] == ("unlabelled" if route.name == "domain_adaptation" else "labelled")
    assert run.method.phases[0].streams.source == "labelled"


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        (("sam", "same", "sequential"), "--task: expected same or different, got 'sam'. Did you mean 'same'?"),
        (("same", "other", "sequential"), "--domain: expected same or different, got 'other'. Known: different, same."),
        (("same", "same", "sequentially"), "Did you mean 'sequential'?"),
    ],
)
def test_wrong_words_are_refused(answers, told):
    with pytest.raises(ConfigError, match="expected") as caught:
        route_of(*answers)
    assert told in str(caught.value)


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'task_adaptation'"):
        route_named("task_adaption")
