"""The change of each input that moves its prediction most, and how far it does."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

import torch
from torch import Tensor

from dareps.alignment._checks import check_rows, needed, present
from dareps.alignment._modules import AlignmentModule, mean_of, of_role
from dareps.alignment._settings import AlignmentSettings
from dareps.maths.norms import safe_norm
from dareps.maths.precision import wide
from dareps.types import Role, Step, View

Outputs = Callable[[Tensor], Tensor]
"""Inputs (n, *shape) -> logits (n, c)."""


class Smooth(AlignmentModule):
    """The divergence of predictions under the worst small change of the inputs.

    Args:
        settings: The alignment that built this module.
        rows: The role whose streams are changed.
        radius: Length of the change.
        relative: Whether that is a share of the rows' mean length.
        iterations: Steps of the power iteration.
    """

    def __init__(self, settings: AlignmentSettings, rows: Role, radius: float, relative: bool, iterations: int) -> None:
        super().__init__(settings)
        self.rows = rows
        self.radius, self.relative, self.iterations = radius, relative, iterations

    def forward(self, views: Sequence[View], strength: Tensor, step: Step) -> Tensor:
        """The mean over the streams of the role, 0-d."""
        return mean_of([self._stream(view, step) for view in of_role(views, self.rows)])

    def _stream(self, view: View, step: Step) -> Tensor:
        name = type(self.settings).name
        model = needed(name, step.model)
        check_rows(name, view.role, present(name, "logits", view.logits))

        def outputs(x: Tensor) -> Tensor:
            (seen,) = model([replace(view, x=x)], f"virtual.{view.domain}")
            return wide(present(name, "logits", seen.logits))

        x = present(name, "inputs", view.x)
        # Half precision would drown the small change; forward derivatives do not go through its casts, either.
        with torch.autocast(x.device.type, enabled=False):
            logits, direction = leading(outputs, x.detach(), model.normal(view, "virtual"), self.iterations)
            return divergence(logits, outputs(x + self._length(x) * direction))

    def _length(self, x: Tensor) -> Tensor | float:
        return self.radius * safe_norm(x.detach().flatten(1)).mean() if self.relative else self.radius


@cache
def _load_forward_derivatives() -> None:
    """Load torch's rules for them, which announces a deprecation of torch's own, before a user could see that."""
    zero = torch.zeros(())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        torch.func.jvp(torch.neg, (zero,), (zero,))


@torch.no_grad()
def leading(outputs: Outputs, x: Tensor, start: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
    """The logits (n, c) at x (n, *shape), and directions of length 1 per row by power iteration, 0 where H is 0."""
    _load_forward_derivatives()
    logits, pull = torch.func.vjp(outputs, x)[:2]
    p = logits.softmax(1)
    direction = unit(start)
    for _ in range(iterations):
        change = torch.func.jvp(outputs, (x,), (direction,))[1]
        # A shift that classes share changes nothing but the rounding, which would drown the class of a sure row.
        change = change - change.gather(1, p.argmax(1, keepdim=True))
        weighed = p * (change - (p * change).sum(1, keepdim=True))
        direction = unit(pull(weighed)[0])
    return logits, direction


def unit(rows: Tensor) -> Tensor:
    """Rows (n, *shape) scaled to length 1, those of length 0 left at 0."""
    flat = rows.flatten(1)
    length = safe_norm(flat).unsqueeze(1)
    return (flat / length.masked_fill(length == 0, 1)).view_as(rows)


def divergence(fixed: Tensor, moved: Tensor) -> Tensor:
    """The mean over rows of KL(softmax(fixed) || softmax(moved)) of logits (n, c), 0-d; no gradient through `fixed`."""
    log_p, log_q = fixed.detach().log_softmax(1), moved.log_softmax(1)
    return (log_p.exp() * (log_p - log_q)).sum(1).mean()
