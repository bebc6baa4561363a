"""Wide arithmetic: pairwise sums and high moments lose everything in eight bits of mantissa."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

_NARROW = (torch.bfloat16, torch.float16)


def wide(tensor: Tensor) -> Tensor:
    """Half precisions as float32, others as they are."""
    return tensor.float() if tensor.dtype in _NARROW else tensor


def widened(function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """`function(*tensors)` computed in at least float32 and outside autocast, in the dtype of the first tensor.

    Autocast has to be off inside: it would send the float32 matrix products back to bfloat16.
    """
    first = tensors[0]
    if first.dtype not in _NARROW and not torch.is_autocast_enabled(first.device.type):
        return function(*tensors)
    with torch.autocast(first.device.type, enabled=False):
        return function(*(wide(tensor) for tensor in tensors)).to(first.dtype)
