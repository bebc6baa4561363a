"""Which device a name means here."""

from __future__ import annotations

import torch

from dareps.errors import ConfigError


def device_of(name: str) -> torch.device:
    """The device called `auto`, `cpu`, `cuda` or `cuda:N`.

    Raises:
        ConfigError: There is no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigError("--device", "no such device", name, "Use auto, cpu, cuda or cuda:0.") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device", "this machine has no usable CUDA device", name, "Use cpu or auto.")
    return device
