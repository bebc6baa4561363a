"""The discriminator of features joined with predictions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from dareps.alignment._checks import present
from dareps.alignment._discriminator import DomainAdversary, domain_loss, in_order, row_losses
from dareps.alignment._modules import mean_of
from dareps.alignment._settings import AlignmentSettings
from dareps.maths.precision import wide
from dareps.maths.reversal import reverse
from dareps.types import Shapes, Step, View

_LARGEST_FULL = 4096


class FullMap(nn.Module):
    """The outer product, c blocks of d numbers: block k is the features times the probability of class k."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.width = features * classes

    def forward(self, features: Tensor, predictions: Tensor) -> Tensor:
        """(n, d) and (n, c) -> (n, c d)."""
        return (predictions.unsqueeze(2) * features.unsqueeze(1)).flatten(1)


class RandomMap(nn.Module):
    """An unbiased sketch of the outer product: <T, T'> has the mean <f, f'> <g, g'>.

    Args:
        features: d.
        classes: c.
        width: k.
    """

    of_features: Tensor
    of_predictions: Tensor

    def __init__(self, features: int, classes: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.register_buffer("of_features", torch.empty(features, width))
        self.register_buffer("of_predictions", torch.empty(classes, width))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw both matrices."""
        for matrix in (self.of_features, self.of_predictions):
            nn.init.normal_(matrix)

    def forward(self, features: Tensor, predictions: Tensor) -> Tensor:
        """(n, d) and (n, c) -> (n, k)."""
        products = (features @ self.of_features) * (predictions @ self.of_predictions)
        return products / math.sqrt(self.width)


def join_map(kind: str, shapes: Shapes, random_size: int) -> FullMap | RandomMap:
    """The map of the given kind; `auto` is full while the product is small."""
    if kind == "auto":
        kind = "full" if shapes.features * shapes.classes <= _LARGEST_FULL else "random"
    if kind == "full":
        return FullMap(shapes.features, shapes.classes)
    return RandomMap(shapes.features, shapes.classes, random_size)


class ConditionalAdversary(DomainAdversary):
    """The domain adversary on joined features and predictions.

    Args:
        settings: The alignment that built this module.
        shapes: Numbers of features and classes, and the domains.
        hidden: Widths of the hidden layers.
        join: The map of features and predictions.
        entropy: Whether certain rows count more.
    """

    def __init__(
        self,
        settings: AlignmentSettings,
        shapes: Shapes,
        hidden: Iterable[int],
        join: FullMap | RandomMap,
        entropy: bool,
    ) -> None:
        super().__init__(settings, replace(shapes, features=join.width), hidden)
        self.join, self.entropy, self.shapes = join, entropy, shapes

    def forward(self, views: Sequence[View], strength: Tensor, step: Step) -> Tensor:
        """The unweighted value, 0-d; `strength` multiplies the reversed gradient alone."""
        ordered, sizes = in_order(views, self.domains)
        features = torch.cat([view.shared for view in ordered])
        logits = wide(torch.cat([present(type(self.settings).name, "logits", view.logits) for view in ordered]))
        joined = self.join(reverse(features, strength), logits.detach().softmax(1).to(features.dtype))
        outputs = self.discriminator(joined)
        if not self.entropy:
            return domain_loss(outputs, sizes)
        return weighted_domain_loss(outputs, sizes, certainty(reverse(logits, strength)))


def certainty(logits: Tensor) -> Tensor:
    """1 + exp(-H(softmax(z))) of each row of logits (n, c), between 1 + 1 / c and 2: (n,)."""
    log_p = logits.log_softmax(1)
    return 1 + (log_p.exp() * log_p).sum(1).exp()


def weighted_domain_loss(logits: Tensor, sizes: Sequence[int], weights: Tensor) -> Tensor:
    """`domain_loss` with rows counted by `weights` (n,), whose sum in each domain is divided away, 0-d."""
    pairs = zip(row_losses(logits, sizes), torch.split(weights, list(sizes)), strict=True)
    return mean_of([(rows * own).sum() / own.detach().sum() for rows, own in pairs if len(rows)])
