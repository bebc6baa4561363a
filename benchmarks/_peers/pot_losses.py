"""The losses of POT on tensors, with as many iterations and projections as ours."""

from __future__ import annotations

from collections.abc import Mapping

import ot
from torch import Tensor

from benchmarks._loss_work import Inputs, Loss, regularisation


def _sinkhorn(rows: Inputs) -> Tensor:
    value: Tensor = ot.bregman.empirical_sinkhorn_divergence(
        rows.source, rows.target, reg=regularisation(rows), numIterMax=50, warn=False
    )
    return value


LOSSES: Mapping[str, Loss] = {
    "sinkhorn": _sinkhorn,
    "sliced": lambda rows: ot.sliced_wasserstein_distance(rows.source, rows.target, n_projections=128) ** 2,
}
