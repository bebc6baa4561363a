"""The regulariser family: what keeps a phase near the weights or responses that it began with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field

from dareps.errors import ContractError
from dareps.plugin import Tune
from dareps.transfer._regulariser_settings import RegulariserSettings
from dareps.types import Task

if TYPE_CHECKING:
    from dareps.transfer.regularise._modules import RegulariserModule

TUNED: Final = Tune(0.1, 10.0, log=True, relative=True)


class Regulariser(RegulariserSettings, family="regulariser"):
    """A penalty of one phase of training, on weights, features or outputs.

    With several streams and branches, the encoder means all parameters of the sharing scheme, and a loss on rows is
    their mean over all rows of the step unless the regulariser says otherwise.
    """

    def build(self, tasks: Sequence[Task], trained: Sequence[str]) -> RegulariserModule:
        """The module that acts in the phase.

        Args:
            tasks: What is predicted.
            trained: The tasks that the phase trains.
        """
        raise ContractError(f"regulariser {type(self).name}", "it has no build()", fix="Define build(tasks, trained).")


class Penalty(Regulariser, abstract=True):
    """A regulariser that is one penalty."""

    weight: Annotated[float, TUNED] = Field(1.0, ge=0)
    """Factor on the penalty."""

    def terms(self) -> Mapping[str, float]:
        """The penalty, unless its weight is 0."""
        return {type(self).name: self.weight} if self.weight > 0 else {}
