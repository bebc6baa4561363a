"""Phases of training and the optimizers they use."""

from dareps.transfer._optimizer import Optimizer
from dareps.transfer._phase import Phase
from dareps.transfer.fit_svm import LinearSVM
from dareps.transfer.train import Streams, Train

__all__ = ["LinearSVM", "Optimizer", "Phase", "Streams", "Train"]
