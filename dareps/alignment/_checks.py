"""Shape checks of the losses: they read shapes and dtypes alone, so they never wait for a device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dareps.errors import ContractError

if TYPE_CHECKING:
    from torch import Tensor

    from dareps.types import Model


def check_rows(name: str, argument: str, rows: Tensor, least: int = 1) -> None:
    """Refuse anything but a floating (n, d) tensor with at least `least` rows."""
    where = f"alignment {name}"
    if rows.ndim != 2 or rows.shape[1] == 0:
        raise ContractError(where, f"{argument} must be (rows, features)", tuple(rows.shape), "Flatten it first.")
    if rows.shape[0] < least:
        fix = "Use larger batches."
        raise ContractError(where, f"{argument} needs at least {least} row(s)", tuple(rows.shape), fix)
    if not rows.dtype.is_floating_point:
        raise ContractError(where, f"{argument} must be floating point", rows.dtype, "Call .float() on it.")


def check_samples(name: str, source: Tensor, target: Tensor, least: int = 1) -> None:
    """Refuse two samples that are not (n, d) and (m, d) with at least `least` rows each."""
    check_rows(name, "source", source, least)
    check_rows(name, "target", target, least)
    if source.shape[1] != target.shape[1]:
        shapes = (tuple(source.shape), tuple(target.shape))
        raise ContractError(f"alignment {name}", "source and target differ in width", shapes, "Give both the same d.")


def check_beside(name: str, argument: str, values: Tensor, rows: Tensor) -> None:
    """Refuse outputs (n, c) or labels (n,) that do not belong to rows (n, d)."""
    where = f"alignment {name}"
    if values.shape[:1] != rows.shape[:1]:
        shapes = (tuple(values.shape), tuple(rows.shape))
        raise ContractError(where, f"{argument} and features differ in rows", shapes, "Give one to each row.")


def check_labels(name: str, argument: str, labels: Tensor, rows: Tensor) -> None:
    """Refuse anything but class numbers (n,) beside rows (n, d)."""
    where = f"alignment {name}"
    if labels.ndim != 1 or labels.dtype.is_floating_point or labels.dtype.is_complex:
        found = (tuple(labels.shape), labels.dtype)
        raise ContractError(where, f"{argument} must be class numbers (rows,)", found, "Pass integers from 0 on.")
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
