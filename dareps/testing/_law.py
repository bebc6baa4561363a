"""A law: what it says, what it is tried on, and how two numbers are compared fairly."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor

from dareps.errors import LawViolation
from dareps.testing._draws import Case, pattern
from dareps.testing._subject import Subject

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from dareps.testing._draws import Space

_RELATIVE = 1e-9
_ROUNDING = 1e-7
_CONSTANTS = 1e-15


class Shown(Protocol):
    """A case that a violation can show."""

    def shown(self) -> dict[str, Any]:
        """Its parts by name."""


class Broken(AssertionError):
    """A law does not hold; the message says by how much."""


@dataclass(frozen=True)
class Law:
    """One law of the kit.

    Attributes:
        name: What `LawViolation.law` says.
        line: What it demands, in one line.
        hint: What to look at in a loss that breaks it.
        draws: Strategy of cases over a space.
        check: Raises `Broken`, or whatever the loss raises.
        claim: The claim that makes a loss subject to it; empty for all losses.
        needs: Which losses it concerns at all.
        most: The most trials it is worth.
        still: Whether it compares rows in different places, so that built losses are in evaluation mode.
    """

    name: str
    line: str
    hint: str
    draws: Callable[[Space], SearchStrategy[Case]]
    check: Callable[[Subject, Case], None]
    claim: str = ""
    needs: Callable[[Subject], bool] = lambda subject: True
    most: int = 10**6
    still: bool = False

    def holds_for(self, subject: Subject) -> bool:
        """Whether the loss is subject to this law."""
        claimed = subject.claims[self.claim] if self.claim else True
        return claimed is not None and claimed is not False and self.needs(subject)


def reported(name: str, hint: str, tried: Sequence[Shown], trials: Callable[[], None]) -> None:
    """Carry out a law's trials; what breaks one becomes a `LawViolation` with the last case tried."""
    try:
        trials()
    except Exception as error:
        if not tried:
            raise
        detail = str(error) if isinstance(error, Broken) else f"{type(error).__name__}: {error}"
        raise LawViolation(name, tried[0].shown(), f"{detail.rstrip('.')}. {hint}") from error


def stays_on_device(subject: Subject) -> bool:
    """Whether the loss promises not to compute on the host."""
    return not subject.host


def demand(holds: bool, message: str) -> None:
    """Raise `Broken` with the message unless the law holds."""
    if not holds:
        raise Broken(message)


def tensors(*samples: np.ndarray, dtype: torch.dtype = torch.float64, grad: bool = False) -> tuple[Tensor, ...]:
    """Arrays as fresh tensors."""
    return tuple(torch.tensor(sample, dtype=dtype, requires_grad=grad) for sample in samples)


def value_of(subject: Subject, source: np.ndarray, target: np.ndarray) -> float:
    """The loss as a number, in float64."""
    with torch.no_grad():
        return float(subject.value(*tensors(source, target)))


def gradients(subject: Subject, source: np.ndarray, target: np.ndarray) -> list[Tensor]:
    """The gradient on each side that the loss reads."""
    leaves = tensors(source, target, grad=True)
    value = subject.value(*leaves)
    demand(value.requires_grad, "the value carries no gradient at all")
    found = torch.autograd.grad(value, [leaves[index] for index in subject.indices], allow_unused=True)
    for side, gradient in zip(subject.sides, found, strict=True):
        demand(gradient is not None, f"no gradient reaches the {side}")
    return list(found)


def features_of(subject: Subject, rows: np.ndarray | Tensor) -> np.ndarray | Tensor:
    """The columns that hold features."""
    return rows[..., : rows.shape[-1] - subject.beside]


def on_features(
    subject: Subject, change: Callable[[np.ndarray], np.ndarray], *samples: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Samples whose features are changed, and what lies beside them is not."""
    split = [samples_.shape[-1] - subject.beside for samples_ in samples]
    return tuple(
        np.concatenate((change(rows[..., :at]), rows[..., at:]), -1) for rows, at in zip(samples, split, strict=True)
    )


def demand_same(subject: Subject, first: Tensor, second: Tensor, side: str, *samples: np.ndarray) -> None:
    """Demand equal gradients (n, d) up to rounding: a millionth of their largest entry, and what the value may lose."""
    spread = max(float(np.ptp(sample)) for sample in samples) or 1.0
    allowed = 1e-6 * float(torch.maximum(first.abs(), second.abs()).max()) + 10 * rounding(subject, *samples) / spread
    gap = float((first - second).abs().max())
    demand(gap <= allowed, f"gradients on the {side} differ by {gap:.3g}, more than {allowed:.2g}")


def demand_equal(subject: Subject, first: float, second: float, *samples: np.ndarray) -> None:
    """Demand equality up to the rounding error that numbers of this size bring about."""
    allowed = _RELATIVE * (abs(first) + abs(second)) + rounding(subject, *samples)
    demand(abs(first - second) <= allowed, f"{first!r} and {second!r} differ by more than {allowed:.2g}")


def rounding(subject: Subject, *samples: np.ndarray) -> float:
    """What rounding may cost: 1e-7 of the loss's own magnitude at the samples' largest entry.

    The magnitude is that of the loss on spread-out samples of the same reach, so a loss that grows like the k-th power
    of its input is judged by that power. 1e-7 covers a square root of the rounding error itself. Samples of zeros leave
    what a loss's own constants round to: 1e-15.
    """
    width, reach = samples[0].shape[-1], max(float(np.abs(sample).max()) for sample in samples)
    return _ROUNDING * _known_magnitude(subject, width, 2.0 ** math.frexp(reach)[1] if reach else 0.0) + _CONSTANTS


def _known_magnitude(subject: Subject, width: int, reach: float) -> float:
    key = (width, reach)
    if key not in subject.magnitudes:
        subject.magnitudes[key] = _magnitude(subject, *key)
    return subject.magnitudes[key]


def _magnitude(subject: Subject, width: int, reach: float) -> float:
    low, high = max(subject.domain.low, -reach), min(subject.domain.high, reach)
    far = tuple(low + (high - low) * pattern(6, width, key) ** power for key, power in ((1, 1), (2, 4)))
    values = (value_of(subject, far[0], far[1]), value_of(subject, far[1], far[0]))
    return max((abs(value) for value in values if math.isfinite(value)), default=0.0)
