"""Checks of the losses: they read types, shapes and devices alone, so they never wait for a device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dareps.errors import ContractError

if TYPE_CHECKING:
    from torch import Tensor

    from dareps.types import Model


def check_tensor(name: str, argument: str, values: object) -> None:
    """Refuse arrays, lists and everything else but a dense tensor."""
    import torch

    if not isinstance(values, torch.Tensor):
        what = f"{argument} must be a tensor"
        raise ContractError(f"alignment {name}", what, type(values), "Pass torch.as_tensor(...) of it.")
    if values.layout is not torch.strided:
        what = f"{argument} must be a dense tensor"
        raise ContractError(f"alignment {name}", what, values.layout, "Call .to_dense() on it.")


def check_rows(name: str, argument: str, rows: Tensor, least: int = 1) -> None:
    """Refuse anything but a floating (n, d) tensor with at least `least` rows."""
    check_tensor(name, argument, rows)
    shape, dtype = rows.shape, rows.dtype
    if len(shape) != 2 or shape[1] == 0:
        what, fix = "must be (rows, features)", "Flatten it first."
    elif shape[0] < least:
        what, fix = f"needs at least {least} row(s)", "Use larger batches."
    elif not dtype.is_floating_point or dtype.itemsize == 1:
        what, fix = f"is {dtype} and must be floating point of 16 bits or more", "Call .float() on it."
    else:
        return
    raise ContractError(f"alignment {name}", f"{argument} {what}", tuple(shape), fix)


def check_alike(name: str, argument: str, values: Tensor, other: str, first: Tensor) -> None:
    """Refuse rows (m, d) that differ from the first ones (n, d) in width, dtype or device."""
    if values.shape[1] != first.shape[1]:
        shapes, what = (tuple(first.shape), tuple(values.shape)), f"{other} and {argument} differ in width"
        raise ContractError(f"alignment {name}", what, shapes, "Give both the same width.")
    if values.dtype is not first.dtype:
        found, what = (first.dtype, values.dtype), f"{other} and {argument} differ in dtype"
        raise ContractError(f"alignment {name}", what, found, "Convert one with .to(dtype).")
    check_device(name, argument, values, other, first)


def check_device(name: str, argument: str, values: Tensor, other: str, first: Tensor) -> None:
    """Refuse two tensors on different devices."""
    if values.device != first.device:
        found = (f"{tuple(first.shape)} on {first.device}", f"{tuple(values.shape)} on {values.device}")
        what = f"{other} and {argument} are on different devices"
        raise ContractError(f"alignment {name}", what, found, "Move one with .to(device).")


def check_samples(
    name: str, source: Tensor, target: Tensor, least: int = 1, arguments: tuple[str, str] = ("source", "target")
) -> None:
    """Refuse two samples that are not (n, d) and (m, d) with at least `least` rows each, of one dtype and device."""
    check_rows(name, arguments[0], source, least)
    check_rows(name, arguments[1], target, least)
    check_alike(name, arguments[1], target, arguments[0], source)


def rows_for(estimator: str) -> int:
    """How many rows a side an estimate takes: pairs of different rows take two."""
    return 1 if estimator == "biased" else 2


def check_beside(name: str, argument: str, values: Tensor, rows: Tensor) -> None:
    """Refuse outputs (n, c) or labels (n,) that do not belong to rows (n, d)."""
    if values.shape[:1] != rows.shape[:1]:
        shapes, what = (tuple(values.shape), tuple(rows.shape)), f"{argument} and features differ in rows"
        raise ContractError(f"alignment {name}", what, shapes, "Give one to each row.")
    check_device(name, argument, values, "features", rows)


def check_labels(name: str, argument: str, labels: Tensor, rows: Tensor) -> None:
    """Refuse anything but class numbers (n,) beside rows (n, d).

    Whether they are in range would take a look at them: a number that is no class is a row without one.
    """
    check_tensor(name, argument, labels)
    dtype = labels.dtype
    if labels.ndim != 1 or dtype.is_floating_point or dtype.is_complex or str(dtype) == "torch.bool":
        found, what = (tuple(labels.shape), labels.dtype), f"{argument} must be class numbers (rows,)"
        raise ContractError(f"alignment {name}", what, found, "Pass integers from 0 on.")
    check_beside(name, argument, labels, rows)


def present(name: str, argument: str, values: Tensor | None) -> Tensor:
    """The outputs or labels of a stream, which has to have some."""
    if values is None:
        raise ContractError(f"alignment {name}", f"the stream has no {argument}", fix="Use a stream that carries them.")
    return values


def needed(name: str, model: Model | None) -> Model:
    """The step's model, which has to be there."""
    if model is None:
        fix = "Set `forwards = True` on the class, and train it by a recipe."
        raise ContractError(f"alignment {name}", "the step has no model to run rows through", fix=fix)
    return model
