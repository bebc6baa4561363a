"""The phase family."""

from __future__ import annotations

from typing import ClassVar

from dareps.plugin import Plugin


class Phase(Plugin, family="phase"):
    """A stretch of training; phases run in order and hand the weights on."""

    default: ClassVar[str] = "train"
