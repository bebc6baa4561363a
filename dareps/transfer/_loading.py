"""Which tensor of a file goes where in a method, fitted in where it has another shape, and what is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dareps.errors import ConfigError
from dareps.transfer._names import HEADS, Stored
from dareps.transfer._report import Entry
from dareps.transfer.pretrained import Pretrained

COUNTER = "num_batches_tracked"
_STATISTICS = ("running_mean", "running_var")
_UNFIT = "it does not fit where it belongs"
_BORROWED = "one domain's for every domain"


@dataclass(frozen=True, slots=True)
class Place:
    """A tensor of a method.

    Attributes:
        name: Its name.
        key: Its name in a file of one encoder and heads: `STAGE.REST`, `heads.TASK.weight`.
        part: `encoder.STAGE`, `heads.TASK`, or the first part of the name.
        value: The tensor as drawn.
        own: Whether it may be missing in a file, and the reason to give; empty if it may not.
        norm: Whether it is of a normalisation layer, which may keep something for each domain.
        first: Whether it is the weight that reads the input's channels.
    """

    name: str
    key: str
    part: str
    value: Tensor
    own: str = ""
    norm: bool = False
    first: bool = False


@dataclass(frozen=True, slots=True)
class Fitted:
    """A tensor of a file as a place can take it; None where it cannot, for the reason given."""

    value: Tensor | None
    why: str = ""


@dataclass(slots=True)
class Loading:
    """What a file comes to in a method.

    Attributes:
        values: Name in the method -> what it becomes.
        entries: What became of every tensor.
        faults: What a strict loading refuses, a line each.
    """

    values: dict[str, Tensor]
    entries: list[Entry]
    faults: list[str]


def wanted(part: str, parts: Sequence[str]) -> bool:
    """Whether a part, or the one that it belongs to, is to be taken."""
    return part in parts or part.partition(".")[0] in parts


def load_into(places: Sequence[Place], found: Sequence[Stored], settings: Pretrained) -> Loading:
    """Find for every place its tensor in the file, and for every tensor of the file its place or the reason why none.

    Raises:
        ConfigError: A tensor that would be loaded holds NaN or infinity.
    """
    by_full, by_key = {own.full: own for own in found}, {own.key: own for own in found}
    loading, used, unfit = Loading({}, [], []), set[str](), set[str]()
    for place in places:
        if not wanted(place.part, settings.parts):
            loading.entries.append(Entry("reinitialised", place.name, why="not asked for"))
            continue
        own = by_full.get(place.name) or _in(by_key, place)
        _settle(loading, place, own, settings)
        if own is not None:
            (used if place.name in loading.values else unfit).add(own.name)
    stages = {place.key.partition(".")[0] for place in places if place.part.startswith("encoder.")}
    for own in found:
        if own.name not in used:
            tried = own.name in unfit
            why, fault = (_UNFIT, False) if tried else _left_over(own, stages, settings.parts)
            loading.entries.append(Entry("dropped", own.name, why=why))
            loading.faults += [f"unexpected: {own.name} {_shape(own.value)}"] if fault else []
    return loading


def _settle(loading: Loading, place: Place, own: Stored | None, settings: Pretrained) -> None:
    """Give a place its tensor, or the reason why it has none."""
    if own is None:
        loading.entries.append(Entry("reinitialised", place.name, why=place.own or "not in the file"))
        loading.faults += [] if place.own else [f"missing: {place.name} {_shape(place.value)}"]
        return
    fitted = fit(place, own.value, settings.channels)
    if fitted.value is None:
        loading.entries.append(Entry("reinitialised", place.name, own.name, fitted.why))
        deliberate = place.first and settings.channels == "reinitialise" and _other_channels(place.value, own.value)
        loading.faults += [] if deliberate else [f"unfit: {place.name} from {own.name}: {fitted.why}"]
        return
    if not torch.isfinite(fitted.value).all():
        raise ConfigError("pretrained.file", f"the tensor {own.name} holds NaN or infinity", fix="Use another file.")
    why = fitted.why or (_BORROWED if _borrowed(place, own) else "")
    loading.values[place.name] = fitted.value
    loading.entries.append(Entry("adapted" if why else "loaded", place.name, own.name, why))


def _in(by_key: Mapping[str, Stored], place: Place) -> Stored | None:
    """What a file of one encoder has for a place; statistics of one domain stand in for those of every domain."""
    if place.key in by_key or not place.norm:
        return by_key.get(place.key)
    stem, _, leaf = place.key.rpartition(".")
    kind = next((name for name in _STATISTICS if leaf.startswith(f"{name}_")), leaf)
    return by_key.get(f"{stem}.{kind}_0") or by_key.get(f"{stem}.{kind}")


def _borrowed(place: Place, own: Stored) -> bool:
    """Whether statistics of a domain come from another one's."""
    number = place.key.rpartition("_")[2]
    return place.norm and number.isdecimal() and number != "0" and not own.key.endswith(f"_{number}")


def fit(place: Place, value: Tensor, channels: str) -> Fitted:
    """A tensor of a file in the shape and dtype of a place."""
    if place.value.is_floating_point() != value.is_floating_point():
        return Fitted(None, f"{_kind(value)} in the file, {_kind(place.value)} here")
    if place.norm and value.shape != place.value.shape:
        return _for_domains(place.value, value)
    if value.shape == place.value.shape:
        return Fitted(value.to(place.value.dtype))
    shapes = f"shape {_shape(value)} in the file, {_shape(place.value)} here"
    if not (place.first and _other_channels(place.value, value)):
        return Fitted(None, shapes)
    if channels == "reinitialise":
        return Fitted(None, f"{value.shape[1]} input channels in the file, {place.value.shape[1]} here")
    made = other_channels(value, place.value.shape[1]).to(place.value.dtype)
    return Fitted(made, f"from {value.shape[1]} input channels to {place.value.shape[1]}")


def other_channels(weight: Tensor, count: int) -> Tensor:
    """A convolution's weight (o, c, ...) for another number of input channels, (o, count, ...); see `Pretrained`."""
    former = weight.shape[1]
    if count < former:
        return weight.sum(1, keepdim=True).expand(-1, count, *weight.shape[2:]) / count
    source = torch.arange(count) % former
    copies = torch.bincount(source, minlength=former).to(weight.dtype)
    return (weight / copies.view(1, -1, *[1] * (weight.dim() - 2)))[:, source]


def _for_domains(here: Tensor, value: Tensor) -> Fitted:
    """Of a normalisation layer what one domain has, or all have, for each of the domains here."""
    rows = value.unsqueeze(0) if value.dim() == here.dim() - 1 else value
    if rows.dim() != here.dim() or rows.shape[1:] != here.shape[1:]:
        return Fitted(None, f"shape {_shape(value)} in the file, {_shape(here)} here")
    why = "" if len(rows) == len(here) == 1 else _BORROWED
    return Fitted(rows[:1].expand_as(here).to(here.dtype), why)


def _other_channels(here: Tensor, value: Tensor) -> bool:
    """Whether two weights of convolutions differ in their input channels alone."""
    alike = value.dim() == here.dim() >= 3 and value.shape[0] == here.shape[0] and value.shape[2:] == here.shape[2:]
    return alike and value.shape[1] != here.shape[1]


def _left_over(own: Stored, stages: set[str], parts: Sequence[str]) -> tuple[str, bool]:
    """Why a tensor of the file is not used, and whether that is a fault."""
    if own.key.endswith(COUNTER):
        return "a counter that normalisation does without here", False
    if own.head in HEADS and not own.encoder:
        asked = any(part.partition(".")[0] == "heads" for part in parts)
        return ("no such head here", "heads" in parts) if asked else ("a classifier, not asked for", False)
    if own.encoder or own.head in stages:
        taken = wanted(f"encoder.{own.head}", parts)
        return ("the encoder has no such tensor", True) if taken else ("not asked for", False)
    return "no part of the encoder has this name", "encoder" in parts


def refusal(faults: Sequence[str], file: str, hint: str) -> ConfigError:
    """All that does not fit, as one error with a line each."""
    kinds = ("missing", "unfit", "unexpected")
    lines = "".join(f"\n  {fault}" for kind in kinds for fault in faults if fault.startswith(kind))
    what = f"{file} does not fit the method{hint} in {len(faults)} tensors:{lines}"
    fix = "Take the encoder that it was made with, rename with pretrained.rename, or load what fits with strict=false."
    return ConfigError("pretrained", what, fix=fix)


def _shape(value: Tensor) -> str:
    return "x".join(map(str, value.shape)) or "a number"


def _kind(value: Tensor) -> str:
    return str(value.dtype).removeprefix("torch.")
