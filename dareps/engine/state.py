"""Small parts of the loop's state: when to judge, what broke, and the optimizer's tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dareps.recipe.method import Method

DTYPES = {"float32": torch.float32, "float64": torch.float64, "bf16": torch.float32}
"""Floating type of parameters by precision; bf16 is autocast over float32."""


Precision = Callable[[], AbstractContextManager[Any]]
"""Makes the context in which losses are computed."""


def evaluation_steps(total: int, count: int) -> set[int]:
    """Up to `count` evenly spaced steps, the last step among them."""
    return {max(1, round(total * number / count)) for number in range(1, count + 1)} if total else {0}


def broken(values: np.ndarray, names: Sequence[str], start: int) -> str:
    """The first value that is not finite, as `step N: PART is not finite`, or an empty text."""
    bad = np.argwhere(~np.isfinite(values))
    if not len(bad):
        return ""
    row, column = bad[0]
    return f"step {start + int(row) + 1}: {names[column]} is not finite"


def snapshot(method: Method) -> dict[str, Tensor]:
    """Clones of all parameters and buffers."""
    return {name: value.detach().clone() for name, value in method.state_dict().items()}


def optimizer_state(optimizer: Optimizer | None) -> dict[str, Tensor]:
    """The optimizer's tensors as `INDEX.FIELD`."""
    if optimizer is None:
        return {}
    states = optimizer.state_dict()["state"]
    return {
        f"{index}.{name}": value
        for index, own in states.items()
        for name, value in own.items()
        if isinstance(value, Tensor)
    }


def load_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `optimizer_state` gave."""
    if not tensors:
        return
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        index, _, own = name.partition(".")
        state.setdefault(int(index), {})[own] = _laid_out_like(parameters[int(index)], value)
    groups = optimizer.state_dict()["param_groups"]
    rates = [group["lr"] for group in optimizer.param_groups]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate


def inherit(
    optimizer: Optimizer, parameters: Mapping[str, nn.Parameter], states: Mapping[str, Mapping[str, Tensor] | None]
) -> None:
    """Give parameters, by name, copies of momenta and counters that others had."""
    own = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    for name, state in states.items():
        if state and id(parameters[name]) in own:
            optimizer.state[parameters[name]] = {field: value.clone() for field, value in state.items()}


def _laid_out_like(parameter: Tensor, value: Tensor) -> Tensor:
    """The value in the parameter's memory order, which fused optimizers take for granted."""
    return torch.empty_like(parameter).copy_(value) if value.shape == parameter.shape else value
