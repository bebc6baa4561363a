"""A discriminator between a frozen encoder's source features and an adapting encoder's target features."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from dareps.alignment._checks import check_rows, needed
from dareps.alignment._discriminator import discriminator, domain_loss, in_order
from dareps.alignment._modules import mean_of, of_role
from dareps.alignment._opponent import Opponent, held_still
from dareps.alignment._settings import AlignmentSettings
from dareps.maths.networks import Copy, Networks
from dareps.maths.precision import wide
from dareps.types import Shapes, Step, View


class Impostor(Opponent):
    """Target features that learn to be taken for the source features of a copy.

    Args:
        settings: The alignment that built this module.
        shapes: Number of features, and the domains.
        hidden: Widths of the discriminator's hidden layers.
        repeat: Steps of the discriminator before each ordinary one.
    """

    def __init__(self, settings: AlignmentSettings, shapes: Shapes, hidden: Iterable[int], repeat: int) -> None:
        super().__init__(settings, shapes, repeat)
        self.domains, self.sources = shapes.domains, len(shapes.sources)
        self.discriminator = discriminator(shapes.features, hidden, len(self.domains))

    def attach(self, student: Networks) -> None:
        """Make the copy."""
        self.reference = Copy(student, still=False)

    def begin(self, student: Networks) -> None:
        """Keep the networks as they are now."""
        self.reference.take(student)

    def learns(self, views: Sequence[View], step: Step) -> Tensor:
        """Mean over domains of the logistic loss, 0-d."""
        model = needed(type(self.settings).name, step.model)
        frozen = model(of_role(views, "source"), networks=self.reference)
        ordered, sizes = in_order([*frozen, *of_role(views, "target")], self.domains)
        rows = torch.cat([view.shared for view in ordered]).detach()
        return domain_loss(self.discriminator(rows), sizes)

    def teaches(self, views: Sequence[View], strength: Tensor) -> Tensor:
        """-log of the probability of the source domains, 0-d, the mean over target domains."""
        return mean_of([self._inverted(view.shared, strength) for view in of_role(views, "target")])

    def _inverted(self, rows: Tensor, strength: Tensor) -> Tensor:
        check_rows(type(self.settings).name, "target", rows)
        log_p = wide(held_still(self.discriminator, rows, strength)).log_softmax(1)
        return -log_p[:, : self.sources].logsumexp(1).mean()
