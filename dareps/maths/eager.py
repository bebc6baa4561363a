"""Scalars that make their gradients along with their value, where doing both at once saves time or memory.

Where the scalar also has a plain form, made of differentiable operations, that form serves whatever the gradients
cannot: second derivatives, and the transforms of torch.func, which it follows without being run copy by copy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Never

import torch
from torch import Tensor
from torch.autograd import Function

from dareps.errors import ContractError


@dataclass(frozen=True, slots=True)
class Eager:
    """A scalar function of tensors.

    Attributes:
        run: (wanted, tensors) -> (value, gradient by each moving tensor), gradients empty where they are not wanted.
        still: How many of the first tensors have no gradient.
        plain: The same value made of differentiable operations; without it a second derivative is refused.
        refusal: What the scalar is and how to get second derivatives, for the error.
    """

    run: Callable[[bool, tuple[Tensor, ...]], tuple[Tensor, ...]]
    still: int = 0
    plain: Callable[..., Tensor] | None = None
    refusal: tuple[str, str] = ("a loss with gradients made in advance", "Differentiate it once.")

    def __call__(self, *tensors: Tensor) -> Tensor:
        """The value, 0-d.

        Raises:
            ContractError: When it is differentiated twice and has no plain form.
        """
        tensors = (*(each.detach() for each in tensors[: self.still]), *tensors[self.still :])
        if self.plain is not None and transformed():
            return self.plain(*tensors)
        function = _Transformable if transformed() else _Lean
        value: Tensor = function.apply(self, self.wanted(tensors), *tensors)[0]
        return value

    def wanted(self, tensors: tuple[Tensor, ...]) -> bool:
        """Whether anyone can ask for a gradient."""
        return torch.is_grad_enabled() and any(each.requires_grad for each in tensors[self.still :])


def transformed() -> bool:
    """Whether a transform of torch.func is at work, which `autograd.Function` asks in the same way."""
    return torch._C._are_functorch_transforms_active()


class _Rules(Function):
    """How the value is differentiated; its gradients are outputs that are not differentiable."""

    @staticmethod
    def backward(ctx: Any, factor: Tensor | None, *_: Any) -> tuple[Tensor | None, ...]:
        task, still = ctx.task, ctx.task.still
        if factor is None:
            return (None,) * len(ctx.needs_input_grad)
        if task.plain is not None and torch.is_grad_enabled():
            return _twice(task, factor, ctx.saved_tensors, ctx.needs_input_grad[2:])
        moving, gradients = _kept(ctx)
        if torch.is_grad_enabled():
            pairs = zip(gradients, moving, strict=True)
            return (*(None,) * (2 + still), *(_FirstOrder.apply(task, factor, *pair) for pair in pairs))
        return (*(None,) * (2 + still), *(factor * gradient for gradient in gradients))

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> tuple[Tensor | None, ...]:
        moving, gradients = _kept(ctx)
        moves = zip(gradients, tangents[2 + ctx.task.still :], moving, strict=True)
        parts = [_FirstOrder.apply(ctx.task, move, *pair).sum() for pair, move in _met(moves)]
        return (torch.stack(parts).sum(), *(None for _ in moving))

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], task: Eager, wanted: bool, *tensors: Tensor) -> tuple[Any, Any]:
        # Copies take turns: the tiles of all of them at once would be as many times larger.
        wanted = wanted or task.wanted(tensors)
        moved = [x if dim is None else x.movedim(dim, 0) for x, dim in zip(tensors, in_dims[2:], strict=True)]
        found = []
        for copy in range(info.batch_size):
            own = [x if dim is None else x[copy] for x, dim in zip(moved, in_dims[2:], strict=True)]
            found.append(_Transformable.apply(task, wanted, *own))
        stacked = tuple(torch.stack(parts) for parts in zip(*found, strict=True))
        return stacked, (0,) * len(stacked)


class _Lean(_Rules):
    """For calls outside torch.func: binding arguments to `setup_context` takes longer than many a loss."""

    @staticmethod
    def forward(ctx: Any, task: Eager, wanted: bool, *tensors: Tensor) -> tuple[Tensor, ...]:
        output = task.run(wanted, tensors)
        _keep(ctx, task, wanted, tensors, output)
        return output


class _Transformable(_Rules):
    """For calls inside torch.func, which asks for the two steps apart."""

    @staticmethod
    def forward(task: Eager, wanted: bool, *tensors: Tensor) -> tuple[Tensor, ...]:
        return task.run(wanted, tensors)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        task, wanted, *tensors = inputs
        _keep(ctx, task, wanted, tuple(tensors), output)


def _keep(ctx: Any, task: Eager, wanted: bool, tensors: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
    ctx.task, ctx.made = task, wanted
    kept = (*tensors, *output[1:])
    ctx.mark_non_differentiable(*output[1:])
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(*kept)
    ctx.save_for_forward(*kept)


def _met(moves: Any) -> list[tuple[tuple[Tensor, Tensor], Tensor]]:
    """The gradients and tensors that move, each with its tangent."""
    return [((gradient, moving), move) for gradient, move, moving in moves if move is not None]


def _kept(ctx: Any) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """The moving tensors and the gradients by them, which are made now where nobody seemed to want them before."""
    count = (len(ctx.saved_tensors) + ctx.task.still) // 2
    tensors, gradients = ctx.saved_tensors[:count], ctx.saved_tensors[count:]
    if not ctx.made:
        gradients = _Transformable.apply(ctx.task, True, *tensors)[1:]
    return tensors[ctx.task.still :], gradients


def _twice(task: Eager, factor: Tensor, saved: tuple[Tensor, ...], needed: tuple[bool, ...]) -> tuple[Any, ...]:
    """Gradients that can be differentiated again, from the plain form."""
    assert task.plain is not None
    tensors = saved[: len(needed)]
    chosen = [each for each, need in zip(tensors, needed, strict=True) if need]
    found = iter(torch.autograd.grad(task.plain(*tensors), chosen, factor, create_graph=True))
    return (None, None, *(next(found) if need else None for need in needed))


class _FirstOrder(Function):
    """factor x gradient, for a gradient that is a function of `moving` but carries no graph.

    Differentiating it again is refused, because what would come out is 0 and wrong.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(task: Eager, factor: Tensor, gradient: Tensor, moving: Tensor) -> Tensor:
        return factor * gradient

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.task = inputs[0]

    @staticmethod
    def backward(ctx: Any, *_: Any) -> Never:
        _refuse(ctx.task)

    @staticmethod
    def jvp(ctx: Any, *_: Any) -> Never:
        _refuse(ctx.task)


def _refuse(task: Eager) -> Never:
    what, fix = task.refusal
    raise ContractError("maths.eager", f"{what} has first derivatives only and was differentiated twice", fix=fix)
