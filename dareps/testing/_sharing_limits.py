"""The limits between sharing schemes: where one of them is exactly another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.optim import SGD

from dareps.sharing._modules import Found, Group, SharingModule
from dareps.sharing.hard import Hard
from dareps.testing._law import demand
from dareps.testing._sharing import (
    OPTIMIZERS,
    SharingCase,
    SharingSubject,
    cases,
    each,
    parameters_of,
    run,
    separate,
    step,
)
from dareps.testing._sharing_laws import SharingLaw, along, branches
from dareps.types import Along, Representation

_STEPS, _ROUNDING = 3, 1e-12


class _Separate(SharingModule):
    """An encoder for every branch, from the definition."""

    def __init__(self, encoders: Sequence[nn.Module], names: tuple[str, ...], along: Along | None) -> None:
        super().__init__()
        self.encoders, self.names, self.along = nn.ModuleList(encoders), names, along

    def forward(self, joined: Tensor, groups: Sequence[Group], heads: nn.ModuleDict) -> Found:
        found = []
        for x, group in zip(torch.split(joined, [own.rows for own in groups]), groups, strict=True):
            keys = {task: task if self.along == "tasks" else group.domain for task in group.tasks}
            features = {task: self.encoders[self.names.index(key)](x) for task, key in keys.items()}
            found.append({task: Representation(task=own, shared=own) for task, own in features.items()})
        return found


def _equals_hard(subject: SharingSubject, case: SharingCase) -> None:
    for make in OPTIMIZERS:
        limit, hard = subject.fresh(subject.scheme.limits()["hard"]), subject.fresh(Hard())
        one, other = make(list(limit.parameters())), make(list(hard.parameters()))
        for number in range(_STEPS):
            after = f"after {number} steps of {type(one).__name__}"
            _same(limit, hard, case, 0.0, f"from hard sharing {after}")
            step(limit, one, case.rows(), case.groups)
            step(hard, other, case.rows(), case.groups)


def _equals_separate(subject: SharingSubject, case: SharingCase) -> None:
    settings = subject.scheme.limits()["separate"]
    names = branches(settings)
    limit = subject.fresh(settings, norm=False)
    encoders = _Separate(separate(subject, len(names)), names, along(settings))
    # What ties the branches together stands at the limit, so the encoders alone learn. Plain steps: where every branch
    # takes part in all mixtures, an absent one has a gradient of 0 in place of none.
    own = [value for name, value in limit.named_parameters() if name.startswith("branches.")]
    one, other = SGD(own, lr=0.1), SGD(parameters_of([encoders]), lr=0.1)
    for number in range(_STEPS):
        _same(limit, encoders, case, _ROUNDING, f"from encoders of the branches' own after {number} steps")
        step(limit, one, case.rows(), case.groups)
        step(encoders, other, case.rows(), case.groups)


def _same(first: SharingModule, second: SharingModule, case: SharingCase, allowed: float, what: str) -> None:
    one, other = (each(run(module, case.rows(), case.groups)[0]) for module in (first, second))
    for (group, task, x), (_, _, y) in zip(one, other, strict=True):
        gap = float((x - y).detach().abs().max())
        demand(gap <= allowed * (1 + float(y.detach().abs().max())), f"group {group}, task {task}: {gap:.2g} {what}")


LIMITS: Final = (
    SharingLaw(
        "equals hard",
        "at the settings that limits() calls hard, features are bit for bit those of hard sharing while both learn",
        "Look at drawn_as(), at penalties that should be gone, and at a change of the order of sums.",
        _equals_hard,
        cases(),
        needs=lambda scheme: "hard" in scheme.limits(),
    ),
    SharingLaw(
        "equals separate",
        "at the settings that limits() calls separate, every branch learns as an encoder of its own",
        "Look at penalties that should be gone, and at which branch's features are returned.",
        _equals_separate,
        cases(),
        needs=lambda scheme: "separate" in scheme.limits(),
    ),
)
