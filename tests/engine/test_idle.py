"""Warnings of what a run has and never uses."""

from __future__ import annotations

import warnings

import pytest
import torch

from dareps.engine.building import split_of
from dareps.engine.loop import Trainer
from dareps.errors import ConfigError
from dareps.recipe.bind import bind_run

BARE = ("encoder", {"name": "mlp", "width": 8, "norm": False})


def told(recipe: str, split: str, *changes: tuple[str, object]) -> list[str]:
    """What setting up a run warns of."""
    run = bind_run(recipe, split, overrides=[("phases.*.steps", 1), *changes])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Trainer([run], [split_of(run).restricted(run.tasks)], torch.device("cpu"))
    return [str(each.message) for each in caught]


def test_a_stem_that_no_phase_trains_is_told() -> None:
    text = "stem: no phase reads the target, so that of paths stays as it was drawn."
    assert text in told("source_only", "strokes/images:paths")
    assert text not in told("modality_transfer", "strokes/images:paths@5")
    assert text not in told("dan", "strokes/images:paths")


def test_adabn_without_layers_is_told() -> None:
    text = "normalise adabn: the method has no normalisation layers, so that nothing is adapted."
    assert text in told("adabn", "digits8/fonts:scans", BARE)
    assert told("adabn", "digits8/fonts:scans") == []
    assert told("source_only", "digits8/fonts:scans", BARE) == []


def test_adapters_that_are_not_there_are_refused_with_how_to_get_them() -> None:
    with pytest.raises(ConfigError, match=r"adapters: \{rank: 4\}"):
        told("source_only", "digits8/fonts:scans", ("phases.0.trains", ["adapters"]))
