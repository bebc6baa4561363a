"""Tasks that go on by themselves from what they shared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from dareps.maths.domains import group_scope
from dareps.sharing._modules import Found, Group, Seen, SharingModule

_OWN = "alone"


class Apart(SharingModule):
    """A copy of a sharing scheme for each task that has gone apart, beside what the other tasks still share.

    A task apart reads its own copy and nothing else, so that no other task's loss reaches what it reads. Penalties and
    telemetry of the scheme go on for those that share, and end where no task does.

    Args:
        joint: The scheme; tasks that are not apart keep it.
        kept: The copies that there are already, by task.
        apart: The tasks that are apart, old ones and new.
        tasks: All tasks.
        domains: All domains, in the order in which normalisation layers count them.
    """

    def __init__(
        self,
        joint: SharingModule,
        kept: nn.ModuleDict | None,
        apart: Sequence[str],
        tasks: Sequence[str],
        domains: Sequence[str],
    ) -> None:
        super().__init__()
        self.domains = tuple(domains)
        self.alone = nn.ModuleDict(
            {task: kept[task] if kept is not None and task in kept else joint.for_one(task) for task in apart}
        )
        self.shared = joint if set(tasks) - set(apart) else None
        self.along, self.names = "tasks", tuple(tasks)

    def forward(self, joined: Tensor, groups: Sequence[Group], heads: nn.ModuleDict) -> Found:
        """The shared representation of the tasks that share, and each other task's own."""
        rest = self._sharing(groups)
        wanted = self.shared is not None and any(group.tasks for group in rest)
        found: Found = self.shared(joined, rest, heads) if self.shared is not None and wanted else [{} for _ in groups]
        for task, module in self.alone.items():
            chosen = {number: replace(own, tasks=(task,)) for number, own in enumerate(groups) if task in own.tasks}
            for number, read in zip(chosen, self._own(module, chosen, joined, groups, heads), strict=True):
                found[number] = {**found[number], **read}
        return [{task: own[task] for task in group.tasks} for own, group in zip(found, groups, strict=True)]

    @property
    def adds(self) -> bool:
        """What the shared part adds."""
        return self.shared is not None and self.shared.adds

    def penalties(self, seen: Seen) -> dict[str, Tensor]:
        """Those of the tasks that share."""
        left = self._left(seen)
        return {} if left is None or self.shared is None else self.shared.penalties(left)

    def telemetry(self, seen: Seen) -> dict[str, Tensor]:
        """That of the tasks that share."""
        left = self._left(seen)
        return {} if left is None or self.shared is None else self.shared.telemetry(left)

    def own(self, branch: str) -> tuple[nn.Module, ...]:
        """A task's own copy; of tasks that share, what the scheme gives them alone."""
        if branch in self.alone:
            return (self.alone[branch],)
        return self.shared.own(branch) if self.shared is not None and self.shared.along == "tasks" else ()

    @property
    def follows(self) -> bool:
        """What the shared part does."""
        return self.shared is not None and self.shared.follows

    def after_step(self, heads: nn.ModuleDict) -> None:
        """What the shared part does."""
        if self.shared is not None:
            self.shared.after_step(heads)

    def faster(self) -> dict[str, float]:
        """As in the scheme, in each copy."""
        parts = {f"{_OWN}.{task}": module for task, module in self.alone.items()}
        parts |= {"shared": self.shared} if self.shared is not None else {}
        faster = {path: module.faster() for path, module in parts.items() if isinstance(module, SharingModule)}
        return {f"{path}.{name}": factor for path, own in faster.items() for name, factor in own.items()}

    def _own(
        self,
        module: nn.Module,
        chosen: Mapping[int, Group],
        joined: Tensor,
        groups: Sequence[Group],
        heads: nn.ModuleDict,
    ) -> Found:
        """A task's representations of some groups by its own copy."""
        if not chosen:
            return []
        if len(chosen) < len(groups):
            blocks = torch.split(joined, [group.rows for group in groups])
            joined = torch.cat([blocks[number] for number in chosen])
        own = list(chosen.values())
        with group_scope([(self.domains.index(group.domain), group.rows) for group in own]):
            found: Found = module(joined, own, heads)
        return found

    def _sharing(self, groups: Sequence[Group]) -> list[Group]:
        return [replace(group, tasks=tuple(task for task in group.tasks if task not in self.alone)) for group in groups]

    def _left(self, seen: Seen) -> Seen | None:
        """What the shared part sees of a step; None where no task wants it."""
        rest = self._sharing(seen.groups)
        return replace(seen, groups=rest) if any(group.tasks for group in rest) else None


def apart_in(names: Iterable[str]) -> frozenset[str]:
    """The tasks that are apart in weights of these names, as a method has them."""
    split = (name.split(".") for name in names)
    return frozenset(parts[2] for parts in split if len(parts) > 3 and parts[:2] == ["encoder", _OWN])


def origin(name: str, known: Iterable[str]) -> str:
    """Which of the known weights becomes `name` when tasks go apart: the task's own, else what it shared."""
    parts = name.split(".")
    if parts[:2] == ["encoder", _OWN]:
        tail = parts[3:]
    elif parts[:2] == ["encoder", "shared"]:
        tail = parts[2:]
    else:
        return name
    candidates = (name, ".".join(["encoder", "shared", *tail]), ".".join(["encoder", *tail]))
    return next(own for own in candidates if own in known)
