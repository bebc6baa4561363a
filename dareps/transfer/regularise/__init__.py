"""Regularised fine-tuning: penalties that hold a phase near what it began with; one file each."""

from dareps.transfer._regulariser import Penalty, Regulariser
from dareps.transfer.regularise.bss import BatchSpectralShrinkage
from dareps.transfer.regularise.co_tuning import CoTuning
from dareps.transfer.regularise.delta import Delta
from dareps.transfer.regularise.l2_sp import L2SP
from dareps.transfer.regularise.lwf import LearningWithoutForgetting
from dareps.transfer.regularise.successive import Successive

__all__ = [
    "L2SP",
    "BatchSpectralShrinkage",
    "CoTuning",
    "Delta",
    "LearningWithoutForgetting",
    "Penalty",
    "Regulariser",
    "Successive",
]
