"""The losses of skada.deep; MMD with five given bandwidths, so that it sums as many kernels as ours."""

from __future__ import annotations

from collections.abc import Mapping

from skada.deep.losses import dan_loss, deepcoral_loss  # type: ignore[import-not-found]

from benchmarks._loss_work import Loss

LOSSES: Mapping[str, Loss] = {
    "mmd": lambda rows: dan_loss(rows.source, rows.target, sigmas=[0.5, 1.0, 2.0, 4.0, 8.0]),
    "coral": lambda rows: deepcoral_loss(rows.source, rows.target),
}
