"""The names of transforms and row norms, apart so that settings know them without numpy."""

from __future__ import annotations

from typing import Literal

Transform = Literal["counts", "log", "binary", "tfidf"]
RowNorm = Literal["none", "l1", "l2"]
Auto = Literal["auto"]
