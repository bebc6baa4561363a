"""The public law kit: what losses, sharing schemes and encoders owe their users, on inputs that Hypothesis draws."""

from dareps.errors import LawViolation
from dareps.testing._check import alignment_laws, check_alignment, parametrize_alignments
from dareps.testing._sharing_check import check_sharing, sharing_laws
from dareps.testing._transfer_check import check_transfer, transfer_laws
from dareps.types import Interval

__all__ = [
    "Interval",
    "LawViolation",
    "alignment_laws",
    "check_alignment",
    "check_sharing",
    "check_transfer",
    "parametrize_alignments",
    "sharing_laws",
    "transfer_laws",
]
