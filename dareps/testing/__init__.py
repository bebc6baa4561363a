"""The public law kit: what losses and sharing schemes owe their users, on inputs that Hypothesis draws."""

from dareps.errors import LawViolation
from dareps.testing._check import alignment_laws, check_alignment, parametrize_alignments
from dareps.testing._sharing_check import check_sharing, sharing_laws
from dareps.types import Interval

__all__ = [
    "Interval",
    "LawViolation",
    "alignment_laws",
    "check_alignment",
    "check_sharing",
    "parametrize_alignments",
    "sharing_laws",
]
