"""Checks of the streams that built alignments are called with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from dareps.alignment._checks import check_alike, check_beside, check_device, check_labels, check_rows
from dareps.errors import ContractError
from dareps.types import Role, Shapes, View


def signature(views: Sequence[View]) -> list[object]:
    """All that the checks look at: streams with an equal one need no second look, and most steps' are."""
    found: list[object] = []
    for view in views:
        found += (view.domain, view.role)
        for values in (view.shared, view.logits, view.labels):
            if isinstance(values, torch.Tensor):
                found += (values.shape, values.dtype, values.device, values.layout)
            else:
                found.append(type(values))
    return found


def check_roles(name: str, views: Sequence[View], wanted: Sequence[Role]) -> None:
    """Refuse streams among which one that the loss compares is missing."""
    found = [view.role for view in views]
    for role in wanted:
        if role not in found:
            raise ContractError(f"alignment {name}", f"there is no {role} stream", found, f"Pass a View of the {role}.")


def check_views(name: str, reads: str, views: Sequence[View], shapes: Shapes | None, least: int = 1) -> None:
    """Refuse streams that do not fit each other or the shapes that the module was built for.

    Args:
        name: The alignment's name.
        reads: What it reads of a stream.
        views: The streams.
        shapes: What it was built for, if it depends on that.
        least: Rows that every stream has to have.
    """
    first = views[0]
    outputs = first if reads != "shared" else None
    for view in views:
        check_rows(name, f"features of {view.domain}", view.shared, least)
        _check_outputs(name, view, outputs, least)
        if view is not first:
            check_alike(name, f"features of {view.domain}", view.shared, f"features of {first.domain}", first.shared)
    if shapes is not None:
        _check_shapes(name, reads, views, shapes)


def check_weights(name: str, module: nn.Module, rows: View) -> None:
    """Refuse features that the module's own weights cannot meet: of another device or dtype, or without a graph."""
    weights = next(module.parameters(), None)
    if weights is None:
        return
    features = rows.shared
    check_device(name, f"features of {rows.domain}", features, "the module's weights", weights)
    if features.is_inference() and torch.is_grad_enabled():
        what = f"features of {rows.domain} were made in inference mode"
        raise ContractError(f"alignment {name}", what, tuple(features.shape), "Clone them, or use torch.no_grad.")
    if weights.dtype is not features.dtype and not torch.is_autocast_enabled(features.device.type):
        what, found = "the module's weights and the features differ in dtype", (weights.dtype, features.dtype)
        raise ContractError(f"alignment {name}", what, found, "Convert the module or the features with .to(dtype).")


def _check_outputs(name: str, view: View, first: View | None, least: int) -> None:
    """Refuse logits and labels that do not belong to the stream's rows, or logits that differ from the first's."""
    if view.labels is not None:
        check_labels(name, f"labels of {view.domain}", view.labels, view.shared)
    if first is None or view.logits is None:
        return
    argument = f"logits of {view.domain}"
    check_rows(name, argument, view.logits, least)
    check_beside(name, argument, view.logits, view.shared)
    if first is not view and first.logits is not None:
        check_alike(name, argument, view.logits, f"logits of {first.domain}", first.logits)


def _check_shapes(name: str, reads: str, views: Sequence[View], shapes: Shapes) -> None:
    for view in views:
        known = shapes.sources if view.role == "source" else shapes.targets
        if view.domain not in known:
            what = f"it was built for other {view.role} domains"
            raise ContractError(f"alignment {name}", what, view.domain, f"They are {', '.join(known)}.")
    _check_width(name, f"features of {views[0].domain}", views[0].shared, shapes.features)
    for view in views if reads != "shared" else ():
        if view.logits is not None:
            _check_width(name, f"logits of {view.domain}", view.logits, shapes.classes)


def _check_width(name: str, argument: str, values: Any, width: int) -> None:
    if values.shape[1] != width:
        what = f"{argument} must be {width} wide, for which the module was built"
        raise ContractError(f"alignment {name}", what, tuple(values.shape), "Build it for these shapes.")
