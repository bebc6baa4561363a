"""Watching for tasks that sharing harms."""

from dareps.guarding._base import SIGN, Guard

__all__ = ["SIGN", "Guard"]
