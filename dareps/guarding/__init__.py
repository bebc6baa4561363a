"""Watching for tasks that sharing harms."""

from dareps.guarding._base import Guard

__all__ = ["Guard"]
