"""Critics whose means differ by an estimate of the Wasserstein distance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from dareps.alignment._checks import check_samples
from dareps.alignment._discriminator import discriminator
from dareps.alignment._modules import mean_of, mean_of_pairs, paired
from dareps.alignment._opponent import Opponent, held_still
from dareps.alignment._settings import AlignmentSettings
from dareps.errors import ContractError
from dareps.maths.norms import safe_norm
from dareps.maths.precision import wide
from dareps.types import NoiseSource, Shapes, Step, View


class Critics(Opponent):
    """A critic for each pair of domains, or one for the pooled sides.

    Args:
        settings: The alignment that built this module.
        shapes: Number of features, and the domains.
        hidden: Widths of the hidden layers.
        repeat: Steps of the critics before each ordinary one.
        penalty: Factor on the gradient penalty.
    """

    def __init__(
        self, settings: AlignmentSettings, shapes: Shapes, hidden: Iterable[int], repeat: int, penalty: float
    ) -> None:
        super().__init__(settings, shapes, repeat)
        count = 1 if settings.pairs == "pooled" else len(shapes.sources) * len(shapes.targets)
        widths = tuple(hidden)
        self.critics = nn.ModuleList(discriminator(shapes.features, widths, 1) for _ in range(count))
        self.penalty = penalty

    def learns(self, views: Sequence[View], step: Step) -> Tensor:
        """The negative estimate plus the gradient penalty, 0-d, the mean over pairs."""
        losses = []
        for number, (critic, source, target) in enumerate(self._triples(views)):
            fixed = source.detach(), target.detach()
            penalty = gradient_penalty(critic, penalised_points(*fixed, step.noise, f"between/{number}"))
            losses.append(self.penalty * penalty - gap(critic(fixed[0]), critic(fixed[1])))
        return mean_of(losses)

    def teaches(self, views: Sequence[View], strength: Tensor) -> Tensor:
        """The estimate, 0-d, the mean over pairs."""
        values = [gap(*(held_still(critic, rows, strength) for rows in pair)) for critic, *pair in self._triples(views)]
        return mean_of_pairs(values, paired(views, self.settings.pairs))

    def _triples(self, views: Sequence[View]) -> list[tuple[nn.Module, Tensor, Tensor]]:
        """Each critic with the features (n, d) and (m, d) that it compares."""
        pairs = [(source.shared, target.shared) for source, target in paired(views, self.settings.pairs)]
        for pair in pairs:
            check_samples(type(self.settings).name, *pair)
        if len(pairs) != len(self.critics):
            what = f"{len(self.critics)} pair(s) of domains have critics"
            raise ContractError(f"alignment {type(self.settings).name}", what, len(pairs), "Pass every domain once.")
        return [(critic, *pair) for critic, pair in zip(self.critics, pairs, strict=True)]


def gap(source: Tensor, target: Tensor) -> Tensor:
    """The difference of the means of a critic's outputs (n, 1) and (m, 1), 0-d."""
    return wide(source).mean() - wide(target).mean()


def penalised_points(source: Tensor, target: Tensor, noise: NoiseSource, place: str) -> Tensor:
    """Both samples, and a uniform point on the line from row i of one to row i of the other, (n + m + min, d)."""
    rows = min(len(source), len(target))
    share = noise.uniform(place, (rows, 1)).to(source.dtype)
    between = target[:rows] + share * (source[:rows] - target[:rows])
    return torch.cat((source, target, between))


def gradient_penalty(critic: nn.Module, points: Tensor) -> Tensor:
    """The mean over points (k, d) of (|grad f| - 1)^2, 0-d."""
    # A sum over rows has each row's own slope as its gradient; torch.func works where seeds are stacked, too.
    slopes = torch.func.grad(lambda rows: wide(critic(rows)).sum())(points)
    return (safe_norm(wide(slopes)) - 1).square().mean()
