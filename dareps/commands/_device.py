"""What the machine has, asked without torch where that is possible."""

from __future__ import annotations

import os
from pathlib import Path

SIGNS_OF_CUDA = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/nvhost-gpu", "/dev/dxg", "/dev/kfd")


def uses_cuda(device: str) -> bool:
    """Whether a device's name means CUDA here; torch is only asked where there is a sign of it.

    Raises:
        ConfigError: There is no such device.
    """
    if device == "cpu" or (device == "auto" and not any(Path(sign).exists() for sign in SIGNS_OF_CUDA)):
        return False
    from dareps.engine.device import device_of

    return device_of(device).type == "cuda"


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
