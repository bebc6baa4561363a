"""What numbers may be aligned by: every alignment has its place in a table, and so has every shipped recipe."""

import dataclasses
import math

import pytest
from pydantic import ValidationError

from dareps.alignment import Alignment
from dareps.engine.loop import Trainer
from dareps.errors import ConfigError, config_error
from dareps.plugin import plugins
from dareps.recipe.bind import read_recipe, shipped
from dareps.recipe.views import refuse_outputs
from dareps.types import Task
from tests.engine._make import CPU
from tests.engine._tasks import AGE, KIND, TAGS, dataset, run_on, split_of

BOTH = {"streams": {"source": "labelled", "target": "unlabelled"}, "steps": 3, "batch": 8}
ALIGNMENTS = {
    "adversarial": "works",
    "afn": "works",
    "bnm": "refuses",
    "centroid_pseudo_labels": "refuses",
    "class_alignment": "refuses",
    "classifier_discrepancy": "refuses",
    "cmd": "works",
    "conditional_adversarial": "refuses",
    "consistency_training": "refuses",
    "coral": "works",
    "domain_confusion": "works",
    "energy_distance": "works",
    "entropy_minimisation": "refuses",
    "higher_order_moments": "works",
    "information_maximisation": "refuses",
    "inverse_gram": "works",
    "joint_mmd": "works",
    "joint_ot": "refuses",
    "local_mmd": "refuses",
    "margin_disparity": "refuses",
    "max_sliced_wasserstein": "works",
    "mcc": "refuses",
    "mean_difference": "works",
    "mmd": "works",
    "self_training": "refuses",
    "sinkhorn_divergence": "works",
    "sliced_wasserstein": "works",
    "untied_adversarial": "works",
    "virtual_adversarial": "refuses",
    "wasserstein_critic": "works",
}
"""Name -> what becomes of a phase in which it acts, on a task of numbers."""


def aligned(names, tasks=(AGE,), **changes):
    method = {"align": list(names), "encoder": {"name": "mlp", "width": 16, "activation": "tanh"}, "phases": [BOTH]}
    return run_on(dataset(tasks=tasks), method, **changes)


def trained(run):
    """The curves of a run that has been trained."""
    trainer = Trainer([run], [split_of(run)], CPU)
    (ledger,) = trainer.train()
    return ledger


def refusal(make):
    with pytest.raises(ValidationError) as caught:
        make()
    return config_error(caught.value, "recipe toy")


def test_every_shipped_alignment_has_its_place():
    known = {name for name, part in plugins(Alignment).items() if part.__module__.startswith("dareps.")}
    assert set(ALIGNMENTS) == known


@pytest.mark.parametrize("name", [name for name, says in ALIGNMENTS.items() if says == "works"])
def test_an_alignment_of_features_trains_on_numbers(name):
    run = aligned([name], engine={"selection": ["last", "importance_weighted"], "keep": "importance_weighted"})
    ledger = trained(run)
    assert not ledger.failure
    assert math.isfinite(ledger.curves[f"align.0.{name}"][-1][1])
    assert math.isfinite(ledger.best["importance_weighted"].score)


@pytest.mark.parametrize(
    ("name", "task"),
    [(name, AGE) for name, says in ALIGNMENTS.items() if says == "refuses"]
    + [(name, TAGS) for name in ("joint_mmd", "mcc")],
)
def test_an_alignment_of_classes_is_refused_before_anything_is_trained(name, task):
    told = str(refusal(lambda: aligned(["coral", name], (task,))))
    assert told == (
        f"recipe toy.align.1: {name} reads outputs as classes, but the first task is one of {task.kind} ({task.name}). "
        "Align features, as coral, mmd and adversarial do, or add a task of classes."
    )


@pytest.mark.parametrize("name", ["mcc", "conditional_adversarial", "joint_mmd"])
def test_beside_numbers_a_task_of_classes_is_what_is_read(name):
    ledger = trained(aligned([name], (AGE, KIND)))
    assert not ledger.failure
    assert {"task.age", "task.kind", f"align.0.{name}"} <= set(ledger.curves)


def test_of_mixed_tasks_those_that_are_learned_count():
    method = {"align": ["mcc"], "phases": [BOTH], "tasks": ["age"]}
    told = refusal(lambda: run_on(dataset(), method))
    assert "align.0: mcc reads outputs as classes, but the first task is one of regression (age)" in str(told)


def test_a_method_of_ones_own_refuses_too():
    settings = [plugins(Alignment)["coral"](), plugins(Alignment)["bnm"]()]
    with pytest.raises(ConfigError, match=r"align\.5: bnm reads outputs as classes.*regression \(age\)\. Align"):
        refuse_outputs((2, 5), settings, AGE)


REFUSED = {
    name
    for name in shipped("recipes")
    if any(
        ALIGNMENTS[part if isinstance(part, str) else part["name"]] == "refuses"
        for part in read_recipe(name).get("align", [])
    )
}


def test_which_shipped_recipes_need_classes():
    assert {
        *("adamatch", "bnm", "can", "cdan", "cdan_e", "deepjdot", "dirt", "dsan", "entropy_minimisation"),
        *("fixmatch", "im", "mcc", "mcc_self_training", "mcd", "mdd", "self_training", "shot", "vada"),
    } == REFUSED


@pytest.mark.parametrize("name", sorted(set(shipped("recipes")) - {"linear_svm"}))
def test_a_shipped_recipe_binds_to_numbers_or_says_why_not(name):
    raw = read_recipe(name)
    raw = {**raw, "encoder": {"name": "mlp", "width": 8, "activation": "tanh"}}
    raw.pop("pretrained", None)
    phases = [{**phase, "steps": 2, "batch": 8} for phase in raw.get("phases", [{}])]
    make = lambda: run_on(dataset(tasks=(AGE,)), {**raw, "phases": phases})  # noqa: E731
    if name in REFUSED:
        assert "reads outputs as classes" in str(refusal(make))
    else:
        assert dataclasses.asdict(make().tasks[0])["kind"] == "regression"


@pytest.mark.parametrize("number", [0, 1])
def test_class_shares_of_numbers_are_refused(number):
    phases = [{}, {}]
    phases[number] = {"label_shift": "estimate"}
    tasks = (AGE, Task("weight", "regression", 1))
    told = str(refusal(lambda: run_on(dataset(tasks=tasks), {"phases": phases})))
    assert f"phases.{number}.label_shift: shares are those of classes" in told
    assert "age is one of regression, weight is one of regression" in told
