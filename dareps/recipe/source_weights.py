"""Weights of source domains, one set for each phase that weighs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from dareps.transfer import Phase, Train
from dareps.types import Batch, Labelled, Rows, Task, View

_START = "of_phase_"


class SourceWeights(nn.Module):
    """A buffer of weights (k,) that sum to 1 for each phase that weighs k sources; none where all count the same.

    Args:
        phases: The recipe's phases.
        sources: The source domains.

    Attributes:
        every: Steps of the current phase between two looks at the sources; 0 for none.
    """

    def __init__(self, phases: Sequence[Phase], sources: Sequence[str]) -> None:
        super().__init__()
        self.sources = tuple(sources)
        self._periods = [0] * len(phases)
        for number, phase in enumerate(phases):
            if isinstance(phase, Train) and phase.source_weights != "equal":
                self.register_buffer(f"{_START}{number}", _told(phase.source_weights, self.sources))
                self._periods[number] = phase.nearness_every if phase.source_weights == "nearness" else 0
        self.enter(0)

    def enter(self, phase: int) -> None:
        """Say which phase is current."""
        self.phase, self.every = phase, self._periods[phase]

    @property
    def acting(self) -> Tensor | None:
        """The current phase's weights (k,); None where all sources count the same."""
        found: Tensor | None = getattr(self, f"{_START}{self.phase}", None)
        return found

    @torch.no_grad()
    def put(self, weights: Tensor) -> None:
        """Set the current phase's weights (k,)."""
        acting = self.acting
        assert acting is not None
        acting.copy_(weights)

    def on(self, batch: Batch, tasks: Sequence[Task]) -> Batch:
        """The batch with every labelled source row's weights times k w, so that on average over sources they stay."""
        acting = self.acting
        if acting is None:
            return batch
        streams = tuple(self._weighed(rows, acting * len(acting), tasks) for rows in batch.streams)
        return replace(batch, streams=streams)

    def seen(self, views: list[View]) -> list[View]:
        """What alignments see of the streams, with the weight of each source."""
        acting = self.acting
        if acting is None:
            return views
        return [
            replace(view, weight=acting[self.sources.index(view.domain)]) if view.role == "source" else view
            for view in views
        ]

    def _weighed(self, rows: Rows, factors: Tensor, tasks: Sequence[Task]) -> Rows:
        if not isinstance(rows, Labelled) or rows.role != "source":
            return rows
        own = factors[self.sources.index(rows.domain)].expand(len(rows.x))
        found = {task.name: rows.weights.get(task.name, 1) * own for task in tasks if task.name in rows.y}
        return replace(rows, weights=found)


def _told(told: str | Mapping[str, float], sources: Sequence[str]) -> Tensor:
    """The weights that a phase begins with; those that are found later begin alike."""
    plain = dict.fromkeys(sources, 1.0) if isinstance(told, str) else told
    values = torch.tensor([plain.get(name, 0.0) for name in sources], dtype=torch.float64)
    return values / values.sum()
