"""dareps: domain adaptation and shared representations as recipes over one training loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = ["__version__", "load"]

if TYPE_CHECKING:
    from dareps.engine.predict import load


def __getattr__(name: str) -> object:
    """Import `load` only when it is asked for: it needs torch, and configuration does not."""
    if name == "load":
        from dareps.engine.predict import load

        return load
    raise AttributeError(f"module 'dareps' has no attribute {name!r}")
