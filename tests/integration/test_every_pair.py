"""Every recipe on every dataset, as shipped: a few steps end well, and every figure is a number."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from dareps.engine.execute import Surroundings, execute
from dareps.recipe.bind import bind_run, shipped
from dareps.suite.expand import read_suite
from dareps.suite.parts import adapting
from dareps.transfer import Train

RECIPES = tuple(sorted(shipped("recipes")))
ADAPTING = (*adapting(), "fine_tuning")
"""Recipes for data from files: of those that read target labels one."""
FEW = (("data.limit", 200), ("engine.evaluations", 1), ("engine.validation_rows", 100))
DIGITS8 = ("digits8/fonts:scans", "digits8/scans:fonts")
FILES = (
    *("amazon_reviews/books:dvd", "amazon_reviews/books+dvd:kitchen", "office_caltech10_surf/caltech:amazon"),
    *("office_caltech10_surf/amazon+dslr:webcam", "digits/mnist+mnist_m:usps"),
)
LARGE = ("digits/usps:mnist", "digits/mnist:mnist_m")


def protocol_of(dataset: str) -> str:
    """The protocol of the shipped suite on a dataset."""
    return str(read_suite(dataset)[1].set.get("protocol", "inductive")) if dataset in shipped("suites") else "inductive"


def ends_well(recipe: str, split: str, folder: Path) -> None:
    steps = (("data.limit", 50),) if recipe == "linear_svm" else (("phases.*.steps", 5),)
    settings = {"protocol": protocol_of(split.partition("/")[0])}
    run = bind_run(recipe, split, 0, (*FEW, *steps), settings)
    [outcome] = execute([run], Surroundings(folder, torch.device("cpu")))
    assert (outcome.status, outcome.error) == ("ok", "")
    figures = [
        value for row in outcome.selected for value in (row.target_metric, row.source_metric, *row.metrics.values())
    ]
    figures += [value for curve in outcome.curves.values() for _, value in curve]
    assert figures
    assert all(map(math.isfinite, figures))
    streams = [phase.streams for phase in run.method.phases if isinstance(phase, Train)]
    assert (outcome.target_labels > 0) == any(own.target == "labelled" for own in streams)


@pytest.mark.parametrize("split", DIGITS8)
@pytest.mark.parametrize("recipe", RECIPES)
def test_on_the_embedded_digits(recipe: str, split: str, tmp_path: Path):
    ends_well(recipe, split, tmp_path)


@pytest.mark.data
@pytest.mark.usefixtures("public_data")
@pytest.mark.parametrize("split", FILES)
@pytest.mark.parametrize("recipe", ADAPTING)
def test_on_data_from_files(recipe: str, split: str, tmp_path: Path):
    ends_well(recipe, split, tmp_path)


@pytest.mark.data
@pytest.mark.usefixtures("public_data")
@pytest.mark.parametrize("split", LARGE)
@pytest.mark.parametrize(
    "recipe", [recipe if recipe == "dann" else pytest.param(recipe, marks=pytest.mark.slow) for recipe in RECIPES]
)
def test_with_ten_thousand_test_images(recipe: str, split: str, tmp_path: Path):
    ends_well(recipe, split, tmp_path)
