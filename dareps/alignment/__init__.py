"""Alignments: losses between the representations of domains, one file each."""

from dareps.alignment._base import Alignment, TargetTerm
from dareps.alignment.adversarial import Adversarial
from dareps.alignment.afn import FeatureNorm
from dareps.alignment.bnm import BatchNuclearNorm
from dareps.alignment.class_alignment import ClassAlignment
from dareps.alignment.cmd import CMD
from dareps.alignment.coral import CORAL
from dareps.alignment.entropy_minimisation import EntropyMinimisation
from dareps.alignment.information_maximisation import InformationMaximisation
from dareps.alignment.mcc import MinimumClassConfusion
from dareps.alignment.mmd import MMD

__all__ = [
    "CMD",
    "CORAL",
    "MMD",
    "Adversarial",
    "Alignment",
    "BatchNuclearNorm",
    "ClassAlignment",
    "EntropyMinimisation",
    "FeatureNorm",
    "InformationMaximisation",
    "MinimumClassConfusion",
    "TargetTerm",
]
