"""The public law kit: what every loss of the field owes its users, checked on inputs that Hypothesis draws."""

from dareps.errors import LawViolation
from dareps.testing._check import alignment_laws, check_alignment, parametrize_alignments
from dareps.types import Interval

__all__ = ["Interval", "LawViolation", "alignment_laws", "check_alignment", "parametrize_alignments"]
