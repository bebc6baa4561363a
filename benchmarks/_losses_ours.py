"""Our losses as `benchmarks.losses` calls them."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from benchmarks._loss_work import Inputs, Loss
from dareps.alignment import (
    CMD,
    CORAL,
    MMD,
    ClassAlignment,
    EnergyDistance,
    HigherOrderMoments,
    JointMMD,
    LocalMMD,
    SinkhornDivergence,
    SlicedWasserstein,
)
from dareps.maths.kernels import gaussian, mean_bandwidth
from dareps.maths.pairs import discrepancy


def _of_features(loss: MMD | CORAL | CMD | EnergyDistance | HigherOrderMoments) -> Loss:
    return lambda rows: loss(rows.source, rows.target)


def _labelled(loss: LocalMMD | ClassAlignment) -> Loss:
    return lambda rows: loss(rows.source, rows.target, rows.labels, rows.target_logits)


def _joint(rows: Inputs) -> Tensor:
    return JointMMD()(rows.source, rows.target, rows.source_logits, rows.target_logits)


def _kernels(octaves: int) -> Loss:
    kernel = gaussian(octaves)
    return lambda rows: discrepancy(rows.source, rows.target, kernel, mean_bandwidth)


_PLUGINS = {
    "mmd": MMD(),
    "coral": CORAL(),
    "cmd": CMD(),
    "sliced": SlicedWasserstein(),
    "energy": EnergyDistance(),
    "sinkhorn": SinkhornDivergence(),
    "homm": HigherOrderMoments(),
}

LOSSES: Mapping[str, Loss] = {
    **{name: _of_features(loss) for name, loss in _PLUGINS.items()},  # type: ignore[arg-type]
    "joint_mmd": _joint,
    "local_mmd": _labelled(LocalMMD()),
    "class_alignment": _labelled(ClassAlignment()),
    **{f"mmd_{2 * octaves + 1}": _kernels(octaves) for octaves in range(9)},
}
