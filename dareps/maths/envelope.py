"""Gradients by the envelope theorem: known in closed form, so the solver behind a value is never differentiated."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dareps.errors import ContractError


class _FirstOrder(torch.autograd.Function):
    """`value` forward, `slope` as its gradient with respect to `tensor`."""

    generate_vmap_rule = True

    @staticmethod
    def forward(value: Tensor, tensor: Tensor, slope: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[1:])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        tensor, slope = ctx.saved_tensors
        return gradient, _Last.apply(gradient * slope, tensor), None


class _Last(torch.autograd.Function):
    """The identity on a gradient that must not be differentiated again."""

    generate_vmap_rule = True

    @staticmethod
    def forward(gradient: Tensor, tensor: Tensor) -> Tensor:
        return gradient.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        """Nothing is kept."""

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> None:
        fix = "Use a loss whose second derivatives exist, MMD for instance."
        raise ContractError("envelope gradient", "a second derivative was asked of a loss that has the first", fix=fix)


def with_gradient(value: Tensor, tensor: Tensor, slope: Tensor) -> Tensor:
    """`value` with `slope` added to its gradient with respect to `tensor`; second derivatives are refused.

    Args:
        value: 0-d, detached or the result of another `with_gradient`.
        tensor: Of any shape.
        slope: d value / d tensor, same shape, detached.

    Raises:
        ContractError: From a second backward pass, whose result would be wrong.
    """
    result: Tensor = _FirstOrder.apply(value, tensor, slope)
    return result
