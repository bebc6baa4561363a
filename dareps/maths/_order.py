"""The order of numbers, from the fastest sort at hand."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def ascending(rows: Tensor) -> Tensor:
    """Places (p, n) that put each of rows (p, n) in ascending order, equal numbers in the order of their places."""
    if rows.device.type != "cpu" or rows.dtype != torch.float32:
        return rows.sort(stable=True).indices
    keys = _keys(rows)
    # NumPy sorts whole numbers with vector instructions, many times faster than PyTorch; memory is shared.
    with torch._C.DisableTorchFunction():  # A gate that sees the memory handed over cannot tell that rows are here.
        np.from_dlpack(keys).sort()
    return keys.bitwise_and_(0xFFFFFFFF)


def _keys(rows: Tensor) -> Tensor:
    """A whole number (p, n) for each float32, its order in the upper half and its place in the lower one.

    The bits of floating-point numbers are ordered as the numbers are, those of negative ones backwards.
    """
    bits = (rows + 0.0).view(torch.int32)  # -0 + 0 is 0
    upper = (bits ^ (bits >> 31).bitwise_and_(0x7FFFFFFF)).long() << 32
    return upper.bitwise_or_(torch.arange(rows.shape[1]))
