"""Alignments: losses between the representations of domains, one file each."""

from dareps.alignment._base import Alignment, TargetTerm
from dareps.alignment.adversarial import Adversarial
from dareps.alignment.cmd import CMD
from dareps.alignment.coral import CORAL
from dareps.alignment.joint_mmd import JointMMD
from dareps.alignment.local_mmd import LocalMMD
from dareps.alignment.mcc import MinimumClassConfusion
from dareps.alignment.mmd import MMD

__all__ = [
    "CMD",
    "CORAL",
    "MMD",
    "Adversarial",
    "Alignment",
    "JointMMD",
    "LocalMMD",
    "MinimumClassConfusion",
    "TargetTerm",
]
