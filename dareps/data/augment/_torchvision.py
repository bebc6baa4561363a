"""Torchvision's transforms by name, and images changed under generators that are set for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.transforms import v2

from dareps.errors import ConfigError
from dareps.plugin import suggestion

WHERE = "augmentation torchvision"


def made(name: str, arguments: Mapping[str, Any]) -> nn.Module:
    """The transform.

    Raises:
        ConfigError: There is none of this name, or it cannot be made of these arguments.
    """
    known = [own for own, found in vars(v2).items() if isinstance(found, type) and issubclass(found, v2.Transform)]
    if name not in known:
        raise ConfigError(f"{WHERE}.transform", "torchvision has none of this name", name, suggestion(name, known))
    try:
        transform: nn.Module = getattr(v2, name)(**arguments)
    except (TypeError, ValueError) as error:
        what = f"{name} cannot be made ({str(error).splitlines()[0]})"
        raise ConfigError(f"{WHERE}.arguments", what, dict(arguments), "Give what torchvision asks for.") from None
    return transform


def changed(transform: nn.Module, x: Tensor, seeds: Sequence[int]) -> Tensor:
    """Every image (c, h, w) of x under a generator of its own; global generators are as before afterwards.

    Raises:
        ConfigError: The transform fails on images, or gives something else.
    """
    devices = [x.device] if x.device.type == "cuda" else []
    rows = []
    with torch.random.fork_rng(devices=devices):
        for image, seed in zip(x, seeds, strict=True):
            torch.manual_seed(seed)
            try:
                rows.append(transform(image))
            except (TypeError, ValueError, RuntimeError) as error:
                what = f"{type(transform).__name__} fails on images ({str(error).splitlines()[0]})"
                raise ConfigError(WHERE, what, tuple(image.shape), "Choose another transform.") from None
    fit = [isinstance(row, Tensor) and row.dim() == 3 and row.shape == rows[0].shape for row in rows]
    if not all(fit):
        what = f"{type(transform).__name__} gives no images of one size"
        raise ConfigError(WHERE, what, fix="Give it a size, or choose another transform.")
    return torch.stack(rows).to(x.dtype)
