"""Take the last checkpoint."""

from __future__ import annotations

from dareps.selection._base import ValidationView, Validator


class Last(Validator):
    """The last checkpoint: score = step."""

    def __call__(self, view: ValidationView) -> float:
        """The number of the step."""
        return float(view.step)
