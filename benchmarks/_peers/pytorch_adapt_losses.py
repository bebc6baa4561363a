"""The losses of pytorch-adapt; its MMD takes all pairs and five kernels, as ours does."""

from __future__ import annotations

from collections.abc import Mapping

from pytorch_adapt.layers import CORALLoss, MMDLoss, SlicedWasserstein  # type: ignore[import-not-found]
from pytorch_adapt.layers.utils import get_kernel_scales  # type: ignore[import-not-found]
from torch import Tensor

from benchmarks._loss_work import Inputs, Loss

_mmd = MMDLoss(get_kernel_scales(-2, 2, num_kernels=5), mmd_type="quadratic")
_joint_mmd = MMDLoss(get_kernel_scales(-2, 2, num_kernels=5), mmd_type="quadratic")
_coral, _sliced = CORALLoss(), SlicedWasserstein(128)


def _joint(rows: Inputs) -> Tensor:
    sides = [rows.source, rows.source_logits.softmax(1)], [rows.target, rows.target_logits.softmax(1)]
    value: Tensor = _joint_mmd(*sides)
    return value


LOSSES: Mapping[str, Loss] = {
    "mmd": lambda rows: _mmd(rows.source, rows.target),
    "coral": lambda rows: _coral(rows.source, rows.target),
    "sliced": lambda rows: _sliced(rows.source, rows.target),
    "joint_mmd": _joint,
}
