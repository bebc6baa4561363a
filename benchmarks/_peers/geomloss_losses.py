"""The losses of geomloss on plain tensors; its transport anneals in about as many steps as ours iterates, 50."""

from __future__ import annotations

from collections.abc import Mapping

from geomloss import SamplesLoss
from torch import Tensor

from benchmarks._loss_work import Inputs, Loss, regularisation

_energy = SamplesLoss("energy", backend="tensorized")


def _sinkhorn(rows: Inputs) -> Tensor:
    # Its cost is |x - y|^2 / 2 and its regularisation the square of `blur`.
    blur = (regularisation(rows) / 2) ** 0.5
    loss = SamplesLoss("sinkhorn", p=2, blur=blur, scaling=0.96, backend="tensorized")
    value: Tensor = loss(rows.source, rows.target)
    return value


LOSSES: Mapping[str, Loss] = {
    "energy": lambda rows: _energy(rows.source, rows.target),
    "sinkhorn": _sinkhorn,
}
