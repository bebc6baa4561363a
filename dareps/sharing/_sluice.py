"""Encoders that exchange subspaces and are read at all stages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor, nn

from dareps.errors import ConfigError
from dareps.maths.layers import ZeroLinear
from dareps.sharing._base import Blueprint
from dareps.sharing._branched import total
from dareps.sharing._cross_stitch import StitchedEncoders, mixture
from dareps.sharing._modules import Seen
from dareps.types import Along


@dataclass(frozen=True, slots=True)
class Gates:
    """How branches, subspaces and stages are mixed.

    Attributes:
        subspaces: K.
        own: Where the weight of a branch's own subspace starts.
        last: Where the weight of the last stage starts.
        rate: Multiple of the learning rate at which mixtures learn.
        orthogonal: Whether subspaces are penalised for reading the same.
    """

    subspaces: int
    own: float
    last: float
    rate: float
    orthogonal: bool


class SluiceUnit(nn.Module):
    """y_{t,k} = sum over u, j of alpha_{tk,uj} x_{u,j} for x (T, n, channels, ...) with channels in K equal parts.

    Args:
        branches: T.
        subspaces: K.
        own: Where the diagonal of alpha starts.
    """

    def __init__(self, branches: int, subspaces: int, own: float) -> None:
        super().__init__()
        count = branches * subspaces
        start = mixture(count, own) if count > 1 else torch.ones(1, 1)
        self.alpha = nn.Parameter(start.view(branches, subspaces, branches, subspaces))

    def forward(self, x: Tensor) -> Tensor:
        """The mixtures, same shape as x."""
        parts = x.view(*x.shape[:2], self.alpha.shape[1], -1, *x.shape[3:])
        return torch.einsum("tkuj,unjc...->tnkc...", self.alpha, parts).flatten(2, 3)


class SluiceEncoders(StitchedEncoders):
    """Stitched encoders whose units mix subspaces, with a mixture over stages on top.

    Args:
        gates: How everything is mixed.
        blueprint: What it is built from.
        along: What branches are.
        names: Their names.
    """

    def __init__(self, gates: Gates, blueprint: Blueprint, along: Along, names: Sequence[str]) -> None:
        def unit(stage: str, shape: tuple[int, ...]) -> nn.Module:
            _check_parts(stage, shape, gates.subspaces)
            return SluiceUnit(len(names), gates.subspaces, gates.own)

        super().__init__(unit, gates.rate, blueprint, along, names)
        self.gates, first = gates, self.staged(0)
        self.lower = [stage for stage in self.units if stage != self.stages[-1]]
        share = (1 - gates.last) / max(len(self.lower), 1)
        start = torch.tensor([*(share for _ in self.lower), gates.last if self.lower else 1.0])
        self.beta = nn.Parameter(start.repeat(len(names), 1))
        self.bridges = nn.ModuleList(
            nn.ModuleDict({stage: _bridge(first.shapes[stage], first.features) for stage in self.lower}) for _ in names
        )

    def read(self, branch: int, last: Tensor, mixed: Mapping[str, Tensor]) -> Tensor:
        """The mixture of a branch's stages, (n, d)."""
        bridges = self.bridges[branch]
        assert isinstance(bridges, nn.ModuleDict)
        *shares, share = self.beta[branch].unbind()
        features = share * last
        for weight, stage in zip(shares, self.lower, strict=True):
            rows = mixed[stage]
            features = features + weight * bridges[stage](rows.flatten(2).mean(2) if rows.dim() > 2 else rows)
        return features

    def faster(self) -> dict[str, float]:
        """The mixtures of subspaces and of stages."""
        return {**super().faster(), "beta": self.rate}

    def penalties(self, seen: Seen) -> dict[str, Tensor]:
        """How much the subspaces of a stage read the same, summed over branches and stages."""
        if not self.gates.orthogonal:
            return {}
        found = [_overlap(weight.chunk(self.gates.subspaces)) for weight in self._weights()]
        return {"orthogonality": total(found) if found else seen.joined.new_zeros(())}

    def _weights(self) -> Iterator[Tensor]:
        """The weights of every branch and stage that make its channels, as (channels, inputs)."""
        for branch in range(len(self.names)):
            encoder = self.staged(branch)
            for stage in self.units:
                for weight in encoder.chain[stage].parameters():
                    if weight.dim() > 1 and len(weight) == encoder.shapes[stage][0]:
                        yield weight.flatten(1)


def _bridge(shape: tuple[int, ...], features: int) -> nn.Module:
    """From what a stage gives to features: nothing to do, or a linear map that starts at 0."""
    return nn.Identity() if shape == (features,) else ZeroLinear(shape[0], features)


def _overlap(parts: Sequence[Tensor]) -> Tensor:
    return total((one @ other.T).square().sum() for one, other in combinations(parts, 2))


def _check_parts(stage: str, shape: tuple[int, ...], subspaces: int) -> None:
    """Refuse channels that do not fall into equal parts."""
    if shape[0] % subspaces:
        wanted = (shape[0] + subspaces - shape[0] % subspaces, *shape[1:])
        what = f"{subspaces} subspaces need stage {stage} to give {wanted} or another multiple"
        raise ConfigError("sharing sluice", what, shape, "Change the encoder's widths or sharing.subspaces.")
