"""Features that stay near those of the start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from dareps.plugin import Many
from dareps.transfer._regulariser import TUNED, Penalty
from dareps.types import Task

if TYPE_CHECKING:
    from dareps.transfer.regularise._modules import RegulariserModule


class Delta(Penalty):
    """The squared distance of stages' outputs from those of the networks as the phase began (DELTA).

    sum over stages l of (1 / n) sum over rows i of |F_l(x_i; w) - F_l(x_i; w0)|^2, the squares summed over all values
    of a row's output. F_l(.; w0) runs under the same noise and normalises in the same way, so that the value starts at
    0 and measures the change of the weights alone. Of a stage that several branches have, it is the mean over branches
    that ran.

    This is the paper's penalty without its two attention steps: filters all weigh the same here, where the paper weighs
    each by what the loss loses without it. For the L2 decay of new heads add `l2_sp` with `weight: 0`.

    Li et al., ICLR 2019, eq. 4 and 5.

    Raises:
        ConfigError: The encoder has no such stage.
    """

    weight: Annotated[float, TUNED] = Field(0.01, ge=0)
    stages: Many[str] = ()
    """The stages whose outputs are compared; none named means all."""

    def build(self, tasks: Sequence[Task], trained: Sequence[str]) -> RegulariserModule:
        """The distance at these stages."""
        from dareps.transfer.regularise._features import FeatureDistance

        return FeatureDistance(self, self.stages)
