"""Settings of the engine that change how a run is carried out but not what comes out; no key covers them."""

from __future__ import annotations

from typing import Final

ENGINE_NEUTRAL: Final = ("flush", "rows", "loaders", "checkpoint_seconds", "capture", "stack", "predictions")
