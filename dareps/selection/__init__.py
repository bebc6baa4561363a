"""Validators: rules that choose a checkpoint, one class in one file each."""

from dareps.selection._base import Outputs, ValidationView, Validator
from dareps.selection.dev import DEV
from dareps.selection.domain_bound import DomainBound
from dareps.selection.entropy import Entropy
from dareps.selection.importance_weighted import ImportanceWeighted
from dareps.selection.information_maximisation import InformationMaximisation
from dareps.selection.last import Last
from dareps.selection.oracle import Oracle
from dareps.selection.reverse_validation import ReverseValidation
from dareps.selection.source_accuracy import SourceAccuracy
from dareps.selection.source_score import SourceScore

__all__ = [
    "DEV",
    "DomainBound",
    "Entropy",
    "ImportanceWeighted",
    "InformationMaximisation",
    "Last",
    "Oracle",
    "Outputs",
    "ReverseValidation",
    "SourceAccuracy",
    "SourceScore",
    "ValidationView",
    "Validator",
]
