"""The domain discriminator behind gradient reversal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from dareps.alignment._modules import AlignmentModule, mean_of
from dareps.alignment._settings import AlignmentSettings
from dareps.maths.layers import ZeroLinear
from dareps.maths.precision import wide
from dareps.maths.reversal import reverse
from dareps.types import Shapes, Step, View


def discriminator(features: int, hidden: Iterable[int], outputs: int) -> nn.Sequential:
    """A ReLU network (n, features) -> (n, outputs) whose last layer starts at 0."""
    widths = [features, *hidden]
    layers = [layer for width in pairwise(widths) for layer in (nn.Linear(*width), nn.ReLU())]
    return nn.Sequential(*layers, ZeroLinear(widths[-1], outputs))


class DomainAdversary(AlignmentModule):
    """Mean over domains of the discriminator's mean logistic loss on reversed features.

    Args:
        settings: The alignment that built this module.
        shapes: Number of features and the domains, one class each.
        hidden: Widths of the hidden layers.
    """

    least = 0  # A domain without rows is left out of the mean.

    def __init__(self, settings: AlignmentSettings, shapes: Shapes, hidden: Iterable[int]) -> None:
        super().__init__(settings, shapes)
        self.domains = shapes.domains
        outputs = 1 if len(self.domains) == 2 else len(self.domains)
        self.discriminator = discriminator(shapes.features, hidden, outputs)

    def forward(self, views: Sequence[View], strength: Tensor, step: Step) -> Tensor:
        """The unweighted value, 0-d; `strength` multiplies the reversed gradient alone."""
        ordered, sizes = in_order(views, self.domains)
        rows = torch.cat([getattr(view, self.settings.reads) for view in ordered])
        return domain_loss(self.discriminator(reverse(rows, strength)), sizes)


def in_order(views: Sequence[View], domains: Sequence[str]) -> tuple[list[View], list[int]]:
    """The streams in order of their domains, and the number of rows of each domain."""
    ordered = sorted(views, key=lambda view: domains.index(view.domain))
    return ordered, [sum(len(view.shared) for view in ordered if view.domain == domain) for domain in domains]


def domain_loss(logits: Tensor, sizes: Sequence[int]) -> Tensor:
    """Mean over domains of the mean logistic loss, 0-d; rows of `logits` stand in order of domains.

    Args:
        logits: (n, 1) for two domains, the log-odds of the first, else (n, domains).
        sizes: Rows of each domain; domains without rows are left out of the mean.
    """
    if logits.shape[1] == 1:
        return _two_domains(wide(logits), *sizes)
    return mean_of([rows.mean() for rows in row_losses(logits, sizes) if len(rows)])


def row_losses(logits: Tensor, sizes: Sequence[int]) -> list[Tensor]:
    """The logistic loss of each row, (n_i,) per domain, empty where a domain has no rows."""
    parts = torch.split(wide(logits), list(sizes))
    if logits.shape[1] == 1:
        return [functional.softplus(-parts[0][:, 0]), functional.softplus(parts[1][:, 0])]
    return [-part.log_softmax(1)[:, label] for label, part in enumerate(parts)]


def _two_domains(logits: Tensor, first: int, second: int) -> Tensor:
    """The same for the log-odds (first + second, 1) of the first domain: one kernel, weighted where sizes differ."""
    labels = torch.cat((logits.new_ones(first, 1), logits.new_zeros(second, 1)))
    if first == second or not (first and second):
        return functional.binary_cross_entropy_with_logits(logits, labels)
    weights = torch.cat((logits.new_full((first, 1), 0.5 / first), logits.new_full((second, 1), 0.5 / second)))
    return functional.binary_cross_entropy_with_logits(logits, labels, weights, reduction="sum")
