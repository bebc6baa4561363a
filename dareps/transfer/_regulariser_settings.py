"""What a regulariser is set to, as built modules read it; they cannot know how they are built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from dareps.errors import ContractError
from dareps.plugin import Plugin
from dareps.schedules import Constant, Schedule


class RegulariserSettings(Plugin, abstract=True):
    """The part of `Regulariser` that built modules read."""

    labelled: ClassVar[bool] = False
    """True when it reads labels, so that the phase needs a labelled stream."""

    schedule: Schedule = Constant()
    """Factor on the weight as a function of progress."""

    def terms(self) -> Mapping[str, float]:
        """The penalties that the built module returns, `name` or `name.PART`, each with its weight; not those of 0."""
        raise ContractError(f"regulariser {type(self).name}", "it has no terms()", fix="Define terms().")
