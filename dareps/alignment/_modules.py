"""Alignments as modules of a method: which domains meet which."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from dareps.alignment._settings import AlignmentSettings
from dareps.types import Step, SubStep, View


class AlignmentModule(nn.Module):
    """A built alignment. Subclasses compute `forward`; the hooks have defaults.

    Args:
        settings: The alignment that built this module.

    Attributes:
        refresh_every: Steps between two calls of `refresh`; 0 for never.
    """

    refresh_every: int = 0

    def __init__(self, settings: AlignmentSettings) -> None:
        super().__init__()
        self.settings = settings

    def forward(self, views: Sequence[View], strength: Tensor, step: Step) -> Tensor:
        """The unweighted value, 0-d; `strength` (0-d, weight times schedule) is for gradient reversal alone."""
        raise NotImplementedError

    def steps(self) -> tuple[SubStep, ...]:
        """Sub-steps that this alignment asks for; none means the default one."""
        return ()

    def after_step(self, progress: Tensor) -> None:
        """Update buffers from parameters after the optimizer step."""

    def refresh(self, features: Tensor, logits: Tensor) -> None:
        """Take in one pass over a target stream: features (n, d), logits (n, c)."""

    def read(self, views: Sequence[View], role: str) -> list[Tensor]:
        """The representations of all streams of a role that this loss reads."""
        return [getattr(view, self.settings.reads) for view in views if view.role == role]


class Pairwise(AlignmentModule):
    """A stateless two-sample loss, averaged over source-target pairs or computed on pooled rows."""

    def forward(self, views: Sequence[View], strength: Tensor, step: Step) -> Tensor:
        """The mean over pairs, 0-d."""
        sources, targets = self.read(views, "source"), self.read(views, "target")
        if len(sources) == len(targets) == 1:
            return self.settings(sources[0], targets[0])
        if self.settings.pairs == "pooled":
            return self.settings(torch.cat(sources), torch.cat(targets))
        return torch.stack([self.settings(source, target) for source in sources for target in targets]).mean()


class OnTargets(AlignmentModule):
    """A stateless target-side loss, averaged over target domains."""

    def forward(self, views: Sequence[View], strength: Tensor, step: Step) -> Tensor:
        """The mean over targets, 0-d."""
        loss = cast("Callable[[Tensor], Tensor]", self.settings)
        return torch.stack([loss(target) for target in self.read(views, "target")]).mean()
