"""Which settings a loss has, what else they could be, and whether that makes a difference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, Literal, get_args, get_origin

import torch
from torch import Tensor

from dareps.alignment import Alignment
from dareps.alignment._settings import AlignmentSettings
from dareps.testing._draws import Case
from dareps.testing._law import tensors
from dareps.testing._stand_in import student
from dareps.testing._subject import Built, Subject, subject_of, view_of

_ROUNDING = 1e-9
_SHARES = (0.5, 0.9, 0.25)
_LISTS = ((7,), (), (5, 3))


def setting_names(subject: Subject) -> tuple[str, ...]:
    """The settings that are the loss's own: those that every alignment has act elsewhere."""
    variants = subject.claims["settings"]
    if isinstance(variants, Mapping):
        return tuple(variants)
    if subject.loss is None:
        return ()
    fields = type(subject.loss).model_fields
    named = tuple(name for name in fields if name not in AlignmentSettings.model_fields)
    return tuple(name for name in named if any(True for _ in _others(subject.loss, name)))


def changes_something(subject: Subject, name: str, probes: tuple[Case, ...]) -> bool:
    """Whether another value of the setting gives another value, gradient, sub-step or number of passes.

    Some settings count only beside a certain value of another one, so those are tried as well.
    """
    variants = subject.claims["settings"]
    if isinstance(variants, Mapping):
        return _differ(_outcome(subject, probes), _outcome(_like(subject, variants[name]), probes))
    return subject.loss is not None and any(
        _differ(_outcome(_like(subject, here), probes), _outcome(_like(subject, there), probes))
        for here in _contexts(subject.loss, name)
        for there in _others(here, name)
    )


def _like(subject: Subject, loss: object) -> Subject:
    return subject_of(loss, dict.fromkeys(subject.claims), subject.domain, subject.largest)


def _contexts(loss: Alignment, name: str) -> Iterator[Alignment]:
    """The loss as it is and at its defaults, each also with one of its other settings changed."""
    shared = {*AlignmentSettings.model_fields, name}
    own = [field for field in type(loss).model_fields if field not in shared]
    starts = [loss, *_defaults(loss)]
    return chain(starts, *(_others(start, field) for start in starts for field in own))


def _defaults(loss: Alignment) -> list[Alignment]:
    required = any(field.is_required() for field in type(loss).model_fields.values())
    return [] if required else [type(loss)()]


def at_defaults(subject: Subject) -> Subject:
    """The loss at its defaults, where it has some: a setting may well take away what they read."""
    return next((_like(subject, loss) for loss in _defaults(subject.loss)), subject) if subject.loss else subject


def _others(loss: Alignment, name: str) -> Iterator[Alignment]:
    """The loss with each other value of a setting that its annotation and its own checks allow."""
    now = getattr(loss, name)
    for value in _candidates(type(loss).model_fields[name].annotation, now):
        try:
            other = type(loss)(**{**{key: getattr(loss, key) for key in loss.model_fields_set}, name: value})
        except ValueError:
            continue
        if getattr(other, name) != now:
            yield other


def _candidates(annotation: Any, now: object) -> Iterator[object]:
    """Values of the kinds that an annotation names; bounds are for the settings model to enforce."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        yield from parts
    elif annotation is bool:
        yield from (True, False)
    elif annotation in (int, float):
        start = now if isinstance(now, int | float) else 1
        near = (2 * start, start + 1, start - 1, start / 2, *_SHARES)
        yield from (annotation(number) for number in near if annotation is float or number == int(number))
    elif origin is tuple:
        yield from _LISTS
    else:
        for part in parts:
            yield from _candidates(part, now)


def _outcome(subject: Subject, probes: tuple[Case, ...]) -> list[object]:
    """All that a loss shows on one sample after the other: sub-steps, passes, values and gradients, what follows."""
    seen: list[object] = []
    state: dict[str, Tensor] = {}
    for case in probes:
        leaves = tensors(case.source, case.target, grad=True)
        if subject.built is None:
            values = [subject.value(*leaves)]
        else:
            module = subject.built.module(leaves[0].shape[-1], leaves[0].dtype)
            # Copied once, so that what a loss remembers of one sample it still knows at the next.
            state = state or {name: buffer.clone() for name, buffer in module.named_buffers()}
            values = subject.built.values(module, state, *leaves)
            seen += [module.steps(), module.refresh_every]
        seen += [value.detach() for value in values]
        seen += [found for found in _gradient(values, leaves) if found is not None]
    return seen + (_followed(subject.built, probes[0]) if subject.built else [])


def _followed(built: Built, case: Case) -> list[object]:
    """The buffers that a loss changes after a step which has moved the networks, and in a pass over the target."""
    module = built.fresh(case.source.shape[-1], torch.float64)
    before = [buffer.clone() for buffer in module.buffers()]
    target = view_of("target", tensors(case.source, case.target)[1], built.beside)
    assert target.logits is not None
    with torch.no_grad():
        module.after_step(torch.full((), 0.5, dtype=torch.float64), student(1.0))
        module.refresh(target.shared, target.logits, student(1.0))
    pairs = zip(before, module.buffers(), strict=True)
    return [buffer for kept, buffer in pairs if not torch.equal(kept, buffer)]


def _gradient(values: list[Tensor], leaves: tuple[Tensor, ...]) -> tuple[Tensor | None, ...]:
    total = torch.stack(values).sum()
    return torch.autograd.grad(total, leaves, allow_unused=True) if total.requires_grad else ()


def _differ(first: list[object], second: list[object]) -> bool:
    return len(first) != len(second) or any(map(_unlike, first, second))


def _unlike(one: object, two: object) -> bool:
    """Whether two things differ by more than the order of sums explains."""
    if not isinstance(one, Tensor) or not isinstance(two, Tensor):
        return one != two
    if one.shape != two.shape:
        return True
    allowed = _ROUNDING * torch.maximum(one.abs().amax(), two.abs().amax())
    return not bool(((one - two).abs() <= allowed).all())
