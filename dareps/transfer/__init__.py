"""Phases of training, the optimizers they use, and scores of what a source model is worth to a target."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dareps.transfer._moving import Patience, Unfreeze, members_of, rate_factors, stages_below
from dareps.transfer._optimizer import Optimizer
from dareps.transfer._phase import Phase
from dareps.transfer._regulariser import Regulariser
from dareps.transfer.fit_svm import LinearSVM
from dareps.transfer.low_rank import LowRank
from dareps.transfer.pretrained import Pretrained
from dareps.transfer.train import Streams, Train

if TYPE_CHECKING:
    from dareps.transfer._report import MappingReport, read_report
    from dareps.transfer.regularise import (
        L2SP,
        BatchSpectralShrinkage,
        CoTuning,
        Delta,
        LearningWithoutForgetting,
        Successive,
    )
    from dareps.transfer.scores import LEEP, NCE, HScore, LogME, Transferability
    from dareps.transfer.similarity import proxy_a_distance

_LATER = {
    "regularise": ("L2SP", "BatchSpectralShrinkage", "CoTuning", "Delta", "LearningWithoutForgetting", "Successive"),
    "scores": ("LEEP", "NCE", "HScore", "LogME", "Transferability"),
    "similarity": ("proxy_a_distance",),
    "_report": ("MappingReport", "read_report"),
}
"""Module -> names that it gives when they are asked for: settings of recipes, and so every command, do without."""


def __getattr__(name: str) -> Any:
    for module, names in _LATER.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "L2SP",
    "LEEP",
    "NCE",
    "BatchSpectralShrinkage",
    "CoTuning",
    "Delta",
    "HScore",
    "LearningWithoutForgetting",
    "LinearSVM",
    "LogME",
    "LowRank",
    "MappingReport",
    "Optimizer",
    "Patience",
    "Phase",
    "Pretrained",
    "Regulariser",
    "Streams",
    "Successive",
    "Train",
    "Transferability",
    "Unfreeze",
    "members_of",
    "proxy_a_distance",
    "rate_factors",
    "read_report",
    "stages_below",
]
