"""What is measured of a pretrained model: stages, scores, and nothing that the split does not declare."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dareps.data._base import SplitData
from dareps.engine.building import build_method, split_of
from dareps.engine.execute import Surroundings, execute
from dareps.errors import ConfigError, DataError
from dareps.recipe.bind import bind_run
from dareps.recipe.method import Method
from dareps.recipe.settings import Run
from dareps.sharing._modules import Group
from dareps.suite.advise import labelled_rows, measure, predictions, pretrained, stage_outputs, stored
from dareps.transfer import LEEP, NCE, HScore, LogME
from dareps.types import Task
from tests.routes.test_relate import unsealed

Case = tuple[Run, SplitData, Method]


@pytest.fixture(scope="module")
def case() -> Case:
    """A model of a few steps on `fonts`, and a split with 6 labelled scans of each class."""
    run = bind_run("source_only", "digits8/fonts:scans@6", overrides=[("phases.0.steps", 40)])
    data = split_of(run)
    return run, data, pretrained(run, data)


def test_the_numbers_are_those_of_the_definitions(case: Case):
    run, data, method = case
    [task] = run.tasks
    found = measure(run, data, method, task)
    assert (found.rows, found.classes, found.per_class) == (60, 10, 6)
    assert found.entropy == pytest.approx(math.log(10))
    assert [(stage.name, stage.width) for stage in found.stages] == [("conv1", 256), ("conv2", 128), ("dense", 64)]
    rows, labels = labelled_rows(run, data, task)
    theta = predictions(method, rows, "scans", task)
    assert (found.leep, found.nce) == (LEEP()(theta, labels), NCE()(theta, labels))
    features = stage_outputs(method, rows, "scans", task)["conv2"]
    with_constant = np.hstack([features, np.ones((len(rows), 1))])
    assert found.stages[1].logme == LogME()(with_constant, labels)
    assert found.stages[1].h_score == HScore(shrinkage="ledoit_wolf")(features, labels)
    assert 0 <= found.explained <= 1
    assert all(0 <= stage.distance <= 2 for stage in found.stages)


def test_measuring_again_gives_the_same_and_leaves_the_model_alone(case: Case):
    run, data, method = case
    before = {name: value.clone() for name, value in method.state_dict().items()}
    assert measure(run, data, method, run.tasks[0]) == measure(run, data, method, run.tasks[0])
    assert all(torch.equal(value, before[name]) for name, value in method.state_dict().items())


def test_the_last_stage_is_what_the_head_reads(case: Case):
    _, data, method = case
    x = data.target_train[0].x[:50]
    outputs = stage_outputs(method, x, "scans", method.tasks[0])
    with torch.no_grad():
        [found] = method.represent(torch.from_numpy(x), [Group(50, "scans", ("digit",))])
    assert list(outputs) == ["conv1", "conv2", "dense"]
    assert np.array_equal(outputs["dense"], found["digit"].task.double().numpy())


def test_undeclared_labels_change_nothing_and_declared_ones_do(case: Case):
    run, data, method = case
    assert data.chosen is not None
    labels = data.sealed.open_for_scorer("train", "scans")["digit"]
    hidden = np.setdiff1d(np.arange(len(labels)), data.chosen[0])
    garbled, turned = labels.copy(), labels.copy()
    garbled[hidden], turned[data.chosen[0]] = 3, np.roll(labels[data.chosen[0]], 7)
    whole = measure(run, data, method, run.tasks[0])
    assert measure(run, unsealed(data, "digit", garbled), method, run.tasks[0]) == whole
    assert measure(run, unsealed(data, "digit", turned), method, run.tasks[0]) != whole


def test_a_task_that_the_source_does_not_teach_is_read_from_the_lead_head():
    run = bind_run("source_only", "attributes/fruit:solids@4", overrides=[("phases.0.steps", 5)])
    data = split_of(run)
    [part] = data.source_train
    bare = replace(part, y={**part.y, "colour": np.full_like(part.y["colour"], -1)})
    method = build_method(run, data)
    colour = next(task for task in run.tasks if task.name == "colour")
    rows, labels = labelled_rows(run, data, colour)
    expected = LEEP()(predictions(method, rows, "solids", method.lead), labels)
    assert measure(run, replace(data, source_train=(bare,)), method, colour).leep == expected


@pytest.mark.parametrize("recipe", ["dsn", "source_only"])
def test_schemes_with_several_encoders_are_measured_too(recipe: str):
    run = bind_run(recipe, "digits8/fonts:scans@3")
    data = split_of(run)
    found = measure(run, data, build_method(run, data), run.tasks[0])
    assert [stage.name for stage in found.stages] == ["conv1", "conv2", "dense"]


def test_a_stored_model_gives_the_numbers_of_the_trained_one(tmp_path: Path):
    settings = [("phases.0.steps", 20), ("engine.selection", ["last"]), ("engine.keep", "last")]
    run = bind_run("source_only", "digits8/fonts:scans@6", overrides=settings)
    [outcome] = execute([run], Surroundings(tmp_path, torch.device("cpu")))
    data = split_of(run)
    again = stored(tmp_path / outcome.folder, run, data)
    assert measure(run, data, again, run.tasks[0]) == measure(run, data, pretrained(run, data), run.tasks[0])
    other = bind_run("source_only", "attributes/fruit:solids@6")
    with pytest.raises(ConfigError, match="the split is on attributes, the model was trained on"):
        stored(tmp_path / outcome.folder, other, split_of(other))


def test_rows_of_one_class_are_refused(case: Case):
    run, data, _ = case
    labels = np.zeros(len(data.target_train[0].x), dtype=np.int64)
    with pytest.raises(DataError, match="the labelled target rows of digit are of fewer than two classes"):
        labelled_rows(run, unsealed(data, "digit", labels), run.tasks[0])


def test_a_task_without_classes_and_a_split_without_labels_are_refused(case: Case):
    run, data, _ = case
    with pytest.raises(ConfigError, match="the task age has no classes"):
        labelled_rows(run, data, Task("age", "regression", 1))
    bare = bind_run("source_only", "digits8/fonts:scans")
    with pytest.raises(ConfigError, match="declares no labelled target rows, got 'digits8/fonts:scans'"):
        labelled_rows(bare, split_of(bare), bare.tasks[0])
