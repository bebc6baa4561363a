"""Phases of training, the optimizers they use, and scores of what a source model is worth to a target."""

from dareps.transfer._moving import Patience, Unfreeze, members_of, rate_factors, stages_below
from dareps.transfer._optimizer import Optimizer
from dareps.transfer._phase import Phase
from dareps.transfer._report import MappingReport, read_report
from dareps.transfer.fit_svm import LinearSVM
from dareps.transfer.low_rank import LowRank
from dareps.transfer.pretrained import Pretrained
from dareps.transfer.regularise import (
    L2SP,
    BatchSpectralShrinkage,
    CoTuning,
    Delta,
    LearningWithoutForgetting,
    Regulariser,
    Successive,
)
from dareps.transfer.scores import LEEP, NCE, HScore, LogME, Transferability
from dareps.transfer.similarity import proxy_a_distance
from dareps.transfer.train import Streams, Train

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
