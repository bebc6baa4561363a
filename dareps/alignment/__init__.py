"""Alignments: losses between the representations of domains, one file each."""

from dareps.alignment._base import Alignment, TargetTerm
from dareps.alignment.adversarial import Adversarial
from dareps.alignment.cmd import CMD
from dareps.alignment.coral import CORAL
from dareps.alignment.energy_distance import EnergyDistance
from dareps.alignment.homm import HigherOrderMoments
from dareps.alignment.joint_ot import JointOT
from dareps.alignment.mcc import MinimumClassConfusion
from dareps.alignment.mean_difference import MeanDifference
from dareps.alignment.mmd import MMD
from dareps.alignment.sinkhorn import SinkhornDivergence
from dareps.alignment.sliced import MaxSlicedWasserstein, SlicedWasserstein

__all__ = [
    "CMD",
    "CORAL",
    "MMD",
    "Adversarial",
    "Alignment",
    "EnergyDistance",
    "HigherOrderMoments",
    "JointOT",
    "MaxSlicedWasserstein",
    "MeanDifference",
    "MinimumClassConfusion",
    "SinkhornDivergence",
    "SlicedWasserstein",
    "TargetTerm",
]
