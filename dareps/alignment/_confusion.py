"""A domain classifier that features leave undecided."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from dareps.alignment._discriminator import discriminator, domain_loss, in_order
from dareps.alignment._modules import mean_of
from dareps.alignment._opponent import Opponent, held_still
from dareps.alignment._settings import AlignmentSettings
from dareps.maths.precision import wide
from dareps.types import Shapes, Step, View


class DomainClassifier(Opponent):
    """A classifier with one output per domain.

    Args:
        settings: The alignment that built this module.
        shapes: Number of features, and the domains.
        hidden: Widths of the hidden layers.
        repeat: Steps of the classifier before each ordinary one.
    """

    least = 0  # A domain without rows is left out of the mean.

    def __init__(self, settings: AlignmentSettings, shapes: Shapes, hidden: Iterable[int], repeat: int) -> None:
        super().__init__(settings, shapes, repeat)
        self.domains = shapes.domains
        self.classifier = discriminator(shapes.features, hidden, len(self.domains))

    def learns(self, views: Sequence[View], step: Step) -> Tensor:
        """Mean over domains of the cross-entropy, 0-d."""
        rows, sizes = self._rows(views)
        return domain_loss(self.classifier(rows.detach()), sizes)

    def teaches(self, views: Sequence[View], strength: Tensor) -> Tensor:
        """Mean over domains of the cross-entropy against the uniform distribution, 0-d."""
        rows, sizes = self._rows(views)
        losses = -wide(held_still(self.classifier, rows, strength)).log_softmax(1).mean(1)
        return mean_of([own.mean() for own in torch.split(losses, sizes) if len(own)])

    def _rows(self, views: Sequence[View]) -> tuple[Tensor, list[int]]:
        """Features (n, d) in order of domains, and the rows of each."""
        ordered, sizes = in_order(views, self.domains)
        return torch.cat([view.shared for view in ordered]), sizes
