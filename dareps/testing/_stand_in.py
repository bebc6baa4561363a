"""What stands in for a method where losses that run it are tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from dareps.types import View


class Doubling:
    """Stands in for a method: outputs are twice the inputs, those of other networks the inputs; no augmentation."""

    def __call__(self, views: Sequence[View], place: str = "", networks: torch.nn.Module | None = None) -> list[View]:
        factor = 2 if networks is None else 1
        rows = [factor * view.x for view in views if view.x is not None]
        return [replace(view, shared=x, logits=x) for view, x in zip(views, rows, strict=True)]

    def augmented(self, view: View, place: str, rounds: int = 1, mask: float = 0.0) -> Tensor:
        """The rows as they are."""
        assert view.plain is not None
        return view.plain

    def normal(self, view: View, place: str) -> Tensor:
        """A fixed direction (n, d)."""
        # The same for every row, so that the order of rows keeps making no difference.
        return torch.arange(1, view.shared.shape[-1] + 1).to(view.shared).sin().expand_as(view.shared)
