"""Batch spectral shrinkage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from dareps.transfer._regulariser import TUNED, Penalty
from dareps.types import Task

if TYPE_CHECKING:
    from dareps.transfer.regularise._modules import RegulariserModule


class BatchSpectralShrinkage(Penalty):
    """The squares of the smallest singular values of the batch's features (BSS): what transfers badly is suppressed.

    sum over i = 1..k of sigma_{-i}^2, sigma_{-i} the i-th smallest of the min(n, d) singular values of F (n, d), what
    heads read of a stream's rows, not centred; all of them where k is larger. The mean over streams and, where tasks
    read different features, over tasks. Found through the Gram matrix of the smaller side, with a finite gradient at
    repeated and vanishing singular values. The decomposition makes the host wait, so steps are not captured.

    Chen et al., NeurIPS 2019, eq. 5 and 6; there k = 1 and the weight is 0.001.
    """

    name: ClassVar[str] = "bss"
    host: ClassVar[bool] = True
    weight: Annotated[float, TUNED] = Field(0.001, ge=0)
    k: int = Field(1, ge=1)
    """How many singular values are penalised."""

    def build(self, tasks: Sequence[Task], trained: Sequence[str]) -> RegulariserModule:
        """The smallest singular values of the streams' features."""
        from dareps.transfer.regularise._features import SpectralShrinkage

        return SpectralShrinkage(self, self.k)
