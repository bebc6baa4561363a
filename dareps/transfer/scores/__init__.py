"""Transferability scores: how well a source model suits a target's labels, before any training; one file each."""

from dareps.transfer.scores._base import Transferability
from dareps.transfer.scores.h_score import HScore
from dareps.transfer.scores.leep import LEEP
from dareps.transfer.scores.logme import LogME
from dareps.transfer.scores.nce import NCE

__all__ = ["LEEP", "NCE", "HScore", "LogME", "Transferability"]
