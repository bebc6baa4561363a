"""Names that encoders and their settings have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

Shape = tuple[int, ...]
Norm = Callable[[int], "nn.Module"]
