"""Shape checks of the losses: they read shapes and dtypes alone, so they never wait for a device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dareps.errors import ContractError

if TYPE_CHECKING:
    from torch import Tensor


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


def given(name: str, what: str, tensor: Tensor | None) -> Tensor:
    """What a stream carries, refused where it carries none."""
    if tensor is None:
        fix = "Read a labelled source stream, and let the alignment read logits."
        raise ContractError(f"alignment {name}", f"a stream comes without {what}", fix=fix)
    return tensor


def check_samples(name: str, source: Tensor, target: Tensor, least: int = 1) -> None:
    """Refuse two samples that are not (n, d) and (m, d) with at least `least` rows each."""
    check_rows(name, "source", source, least)
    check_rows(name, "target", target, least)
    if source.shape[1] != target.shape[1]:
        shapes = (tuple(source.shape), tuple(target.shape))
        raise ContractError(f"alignment {name}", "source and target differ in width", shapes, "Give both the same d.")
