"""Penalties on what heads answer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dareps.maths.precision import wide
from dareps.transfer._regulariser import Regulariser
from dareps.transfer.regularise._modules import RegulariserModule, Sight, total
from dareps.transfer.regularise._relation import relation, temperature_for
from dareps.types import Labelled


class Remembered(RegulariserModule):
    """The divergence of heads' answers from those at the start.

    Args:
        settings: The regulariser that built this module.
        tasks: Whose heads.
        temperature: What outputs are divided by.
    """

    keeps = True

    def __init__(self, settings: Regulariser, tasks: Sequence[str], temperature: float) -> None:
        super().__init__(settings)
        self.reads, self.temperature = tuple(tasks), temperature

    def forward(self, sight: Sight) -> dict[str, Tensor]:
        """The sum over tasks of the mean over rows."""
        before, found = sight.before(), []
        for task in self.reads:
            old, new = torch.cat(before.outputs(task)), torch.cat(sight.now.outputs(task))
            found.append(softened_divergence(old, new, self.temperature))
        return {type(self.settings).name: total(found, sight.streams[0].x)}


class Related(RegulariserModule):
    """The cross-entropy of one task's outputs against what another's labels say of them.

    Args:
        settings: The regulariser that built this module.
        source: The task of the outputs, and its number of classes.
        target: The task of the labels, and its number of classes.
        calibrated: Whether the source's probabilities are calibrated before the relation is learned.
    """

    def __init__(
        self, settings: Regulariser, source: tuple[str, int], target: tuple[str, int], calibrated: bool
    ) -> None:
        super().__init__(settings)
        self.source, self.labels, self.calibrated = source[0], target[0], calibrated
        self.reads = (source[0],)
        self.relation: Tensor
        self.register_buffer("relation", torch.full((target[1], source[1]), 1 / source[1]))

    def learn(self, outputs: Tensor, labels: Tensor, held: Tensor, held_labels: Tensor) -> None:
        """Estimate p(source class | target class) from the rows of the phase."""
        temperature = temperature_for(held, held_labels) if self.calibrated else 1.0
        self.relation.copy_(relation(outputs / temperature, labels, len(self.relation)))

    def forward(self, sight: Sight) -> dict[str, Tensor]:
        """The mean over the rows with a label, 0-d; 0 without any."""
        name, found = type(self.settings).name, []
        for rows, own in zip(sight.streams, sight.now.outputs(self.reads[0]), strict=True):
            said = rows.y.get(str(self.labels)) if isinstance(rows, Labelled) else None
            if said is not None:
                found.append((wide(own), said))
        if not found:
            return {name: sight.streams[0].x.new_zeros(())}
        outputs, labels = (torch.cat(blocks) for blocks in zip(*found, strict=True))
        return {name: related_entropy(outputs, labels, self.relation)}


def softened_divergence(old: Tensor, new: Tensor, temperature: float) -> Tensor:
    """T^2 times the mean over rows of KL(softmax(old / T) || softmax(new / T)), of logits (n, c), 0-d."""
    before, now = ((wide(logits) / temperature).log_softmax(1) for logits in (old, new))
    return temperature**2 * (before.exp() * (before - now)).sum(1).mean()


def related_entropy(outputs: Tensor, labels: Tensor, known: Tensor) -> Tensor:
    """The mean of -sum_s p(s | y) log softmax(outputs)_s over the rows whose label y is not negative, 0-d.

    Args:
        outputs: Logits (n, s).
        labels: Classes (n,), negative where missing.
        known: p(s | y), (t, s).
    """
    has = (labels >= 0).to(outputs.dtype)
    each = -(known.to(outputs.dtype)[labels.clamp_min(0)] * outputs.log_softmax(1)).sum(1)
    return (has * each).sum() / has.sum().clamp_min(1)
