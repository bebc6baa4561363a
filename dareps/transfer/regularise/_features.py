"""Penalties on features."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import torch
from torch import Tensor

from dareps.errors import ConfigError
from dareps.maths.networks import Networks
from dareps.maths.precision import wide, widened
from dareps.maths.staged import stages_in
from dareps.plugin import suggestion
from dareps.transfer._regulariser import Regulariser
from dareps.transfer.regularise._modules import RegulariserModule, Sight, total


class FeatureDistance(RegulariserModule):
    """The squared distance of stages' outputs from those at the start.

    Args:
        settings: The regulariser that built this module.
        wanted: Names of the stages; none for all.
    """

    keeps = True

    def __init__(self, settings: Regulariser, wanted: Sequence[str]) -> None:
        super().__init__(settings)
        self.wanted = tuple(wanted)

    def attach(self, networks: Networks) -> None:
        """Find the stages.

        Raises:
            ConfigError: There is no such stage.
        """
        every = stages_in(networks.encoder)
        names = list(dict.fromkeys(_stage(path) for path, _ in every))
        for stage in self.wanted:
            if stage not in names:
                where = f"regularise.{type(self.settings).name}.stages"
                raise ConfigError(where, "the encoder has no such stage", stage, suggestion(stage, names))
        self.stages = tuple(own for own in every if not self.wanted or _stage(own[0]) in self.wanted)

    def forward(self, sight: Sight) -> dict[str, Tensor]:
        """The sum over stages of the mean over branches."""
        before = sight.before().taps
        branches: dict[str, list[Tensor]] = {}
        for path, outputs in sight.now.taps.items():
            branches.setdefault(_stage(path), []).append(row_distance(outputs, before[path]))
        found = [torch.stack(values).mean() for values in branches.values()]
        return {type(self.settings).name: total(found, sight.streams[0].x)}


class SpectralShrinkage(RegulariserModule):
    """The smallest singular values of what heads read.

    Args:
        settings: The regulariser that built this module.
        k: How many.
    """

    def __init__(self, settings: Regulariser, k: int) -> None:
        super().__init__(settings)
        self.k = k

    def forward(self, sight: Sight) -> dict[str, Tensor]:
        """The mean over streams and over the different representations of each."""
        # Tasks that share all read one tensor, whose spectrum is taken once.
        read = [list({id(rep.task): rep.task for rep in own.values()}.values()) for own in sight.now.found]
        found = [torch.stack([smallest(x, self.k) for x in own]).mean() for own in read if own]
        return {type(self.settings).name: torch.stack(found).mean() if found else sight.streams[0].x.new_zeros(())}


def row_distance(outputs: Iterable[Tensor], others: Iterable[Tensor]) -> Tensor:
    """The mean over rows of the squared distance of two lists of outputs (n, ...), 0-d."""
    pairs = [(wide(one), wide(other)) for one, other in zip(outputs, others, strict=True)]
    summed = torch.stack([(one - other).square().sum() for one, other in pairs]).sum()
    return summed / sum(len(one) for one, _ in pairs)


def smallest(features: Tensor, k: int) -> Tensor:
    """The sum of the squares of the k smallest singular values of F (n, d), 0-d; of all of them where there are fewer.

    With V the eigenvectors of the smaller Gram matrix, F F' or F' F, that belong to its k smallest eigenvalues, it is
    |V' F|^2 or |F V|^2. Its gradient is that of this expression with V held, by the envelope theorem: finite whatever
    values repeat or vanish, and one of the subgradients where the k-th smallest repeats.
    """
    return widened(partial(_smallest, k=k), features)


def _smallest(features: Tensor, k: int) -> Tensor:
    rows = features if features.shape[0] <= features.shape[1] else features.T
    # What is not finite must reach the log as such instead of stopping the decomposition.
    fixed = rows.detach().double().nan_to_num(0.0, 0.0, 0.0)
    # Brought to unit size, so that the Gram matrix neither overflows nor vanishes.
    largest = fixed.abs().amax()
    fixed = fixed / largest.masked_fill(largest == 0, 1)
    vectors = torch.linalg.eigh(fixed @ fixed.T).eigenvectors[:, :k]
    value: Tensor = (vectors.to(rows.dtype).T @ rows).square().sum()
    return value


def _stage(path: str) -> str:
    return path.rpartition(".")[2]
