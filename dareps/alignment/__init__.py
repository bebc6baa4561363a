"""Alignments: losses between the representations of domains, one file each.

Their classes are imported when they are first asked for: a command that needs one of them does not wait for all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dareps.alignment._base import Alignment, TargetTerm
from dareps.plugin import plugins

if TYPE_CHECKING:
    from dareps.alignment.adversarial import Adversarial
    from dareps.alignment.afn import FeatureNorm
    from dareps.alignment.bnm import BatchNuclearNorm
    from dareps.alignment.centroid_pseudo_labels import CentroidPseudoLabels
    from dareps.alignment.class_alignment import ClassAlignment
    from dareps.alignment.classifier_discrepancy import ClassifierDiscrepancy
    from dareps.alignment.cmd import CMD
    from dareps.alignment.conditional_adversarial import ConditionalAdversarial
    from dareps.alignment.consistency_training import ConsistencyTraining
    from dareps.alignment.coral import CORAL
    from dareps.alignment.domain_confusion import DomainConfusion
    from dareps.alignment.energy_distance import EnergyDistance
    from dareps.alignment.entropy_minimisation import EntropyMinimisation
    from dareps.alignment.homm import HigherOrderMoments
    from dareps.alignment.information_maximisation import InformationMaximisation
    from dareps.alignment.inverse_gram import InverseGram
    from dareps.alignment.joint_mmd import JointMMD
    from dareps.alignment.joint_ot import JointOT
    from dareps.alignment.local_mmd import LocalMMD
    from dareps.alignment.margin_disparity import MarginDisparity
    from dareps.alignment.mcc import MinimumClassConfusion
    from dareps.alignment.mean_difference import MeanDifference
    from dareps.alignment.mmd import MMD
    from dareps.alignment.self_training import SelfTraining
    from dareps.alignment.sinkhorn import SinkhornDivergence
    from dareps.alignment.sliced import MaxSlicedWasserstein, SlicedWasserstein
    from dareps.alignment.untied_adversarial import UntiedAdversarial
    from dareps.alignment.virtual_adversarial import VirtualAdversarial
    from dareps.alignment.wasserstein_critic import WassersteinCritic

__all__ = [
    "CMD",
    "CORAL",
    "MMD",
    "Adversarial",
    "Alignment",
    "BatchNuclearNorm",
    "CentroidPseudoLabels",
    "ClassAlignment",
    "ClassifierDiscrepancy",
    "ConditionalAdversarial",
    "ConsistencyTraining",
    "DomainConfusion",
    "EnergyDistance",
    "EntropyMinimisation",
    "FeatureNorm",
    "HigherOrderMoments",
    "InformationMaximisation",
    "InverseGram",
    "JointMMD",
    "JointOT",
    "LocalMMD",
    "MarginDisparity",
    "MaxSlicedWasserstein",
    "MeanDifference",
    "MinimumClassConfusion",
    "SelfTraining",
    "SinkhornDivergence",
    "SlicedWasserstein",
    "TargetTerm",
    "UntiedAdversarial",
    "VirtualAdversarial",
    "WassersteinCritic",
]


def __getattr__(name: str) -> type[Alignment]:
    """A class by its name."""
    if name in __all__:
        found = {kind.__name__: kind for kind in plugins(Alignment).values()}
        globals().update({own: found[own] for own in __all__ if own in found})
    if name not in globals():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    kind: type[Alignment] = globals()[name]
    return kind
