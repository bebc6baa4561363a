"""What the augmentations of series share: the check of the rows' shape, and values between times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dareps.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor


def need_series(name: str, x: Tensor) -> None:
    """Raise `ConfigError` unless x is (n, channels, length)."""
    if x.ndim != 3:
        fix = "Use it on series, or drop it from 'augment'."
        raise ConfigError(f"augmentation {name}", "it needs series (n, c, length)", tuple(x.shape), fix)


def between_times(x: Tensor, times: Tensor) -> Tensor:
    """Values of x (n, c, length) at times (n, m) from 0 to length - 1, linear in between: (n, c, m)."""
    before = times.floor().clamp(0, max(x.shape[-1] - 2, 0)).long()
    share = (times - before).to(x.dtype)[:, None]
    shape = (x.shape[0], x.shape[1], times.shape[1])
    first, second = (
        x.gather(2, place.clamp(max=x.shape[-1] - 1)[:, None].expand(shape)) for place in (before, before + 1)
    )
    # In this form either end is exact.
    return first * (1 - share) + second * share
