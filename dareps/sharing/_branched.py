"""Rows on their way to the branches that want them, and back into groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dareps.errors import ContractError
from dareps.maths.domains import Groups, group_scope
from dareps.maths.scope import Scope
from dareps.sharing._base import Blueprint
from dareps.sharing._modules import Found, Group, Seen, SharingModule
from dareps.types import Along, Representation


@dataclass(frozen=True, slots=True)
class Flow:
    """A step's rows, and passes of some of their groups through modules.

    Attributes:
        joined: (n, *shape), the groups' rows in order.
        groups: The groups.
        domains: All domains, in the order in which normalisation layers count them.
    """

    joined: Tensor
    groups: Sequence[Group]
    domains: tuple[str, ...]

    def rows(self, chosen: Sequence[int]) -> Tensor:
        """The rows of some groups, in order."""
        if len(chosen) == len(self.groups):
            return self.joined
        blocks = torch.split(self.joined, [group.rows for group in self.groups])
        return blocks[chosen[0]] if len(chosen) == 1 else torch.cat([blocks[number] for number in chosen])

    def scope(self, chosen: Sequence[int]) -> Scope[Groups]:
        """Says which of the rows of some groups belong to which domain."""
        return group_scope([(self._number(self.groups[number].domain), self.groups[number].rows) for number in chosen])

    def through(self, module: nn.Module, chosen: Sequence[int], x: Tensor | None = None) -> Tensor:
        """What a module makes of the rows of some groups, or of what has been made of these rows so far."""
        with self.scope(chosen):
            result: Tensor = module(self.rows(chosen) if x is None else x)
        return result

    def blocks(self, values: Tensor, chosen: Sequence[int]) -> dict[int, Tensor]:
        """Values that belong to the rows of some groups, by group."""
        if len(chosen) == 1:
            return {chosen[0]: values}
        parts = torch.split(values, [self.groups[number].rows for number in chosen])
        return dict(zip(chosen, parts, strict=True))

    def narrowed(self, values: Tensor, chosen: Sequence[int], staying: Sequence[int]) -> Tensor:
        """Of values that belong to the rows of some groups, those of the groups that stay."""
        if len(staying) == len(chosen):
            return values
        blocks = self.blocks(values, chosen)
        return torch.cat([blocks[group] for group in staying])

    def _number(self, domain: str) -> int:
        return known("domain", domain, self.domains)


def known(kind: str, name: str, names: Sequence[str]) -> int:
    """The number of a task or domain.

    Raises:
        ContractError: The scheme was not built for it.
    """
    if name not in names:
        raise ContractError("sharing", f"built without this {kind}", name, f"It knows {', '.join(names)}.")
    return names.index(name)


class BranchedModule(SharingModule):
    """A scheme with something private for each branch.

    Args:
        blueprint: What it is built from.
        along: What branches are.
        branches: Their names.
    """

    def __init__(self, blueprint: Blueprint, along: Along, branches: Sequence[str]) -> None:
        super().__init__()
        self.tasks, self.domains = blueprint.names, blueprint.domains
        self.along, self.names = along, tuple(branches)

    def flow(self, joined: Tensor, groups: Sequence[Group]) -> Flow:
        """The rows of a call."""
        return Flow(joined, groups, self.domains)

    def branch_of(self, group: Group, task: str) -> int:
        """The number of the branch that one task reads for the rows of a group."""
        known("task", task, self.tasks)
        kind = "task" if self.along == "tasks" else "domain"
        return known(kind, task if self.along == "tasks" else group.domain, self.names)

    def wanted(self, groups: Sequence[Group]) -> dict[int, list[int]]:
        """Branch -> the groups that want it; branches that none wants are left out."""
        found: dict[int, list[int]] = {}
        for number, group in enumerate(groups):
            for branch in dict.fromkeys(self.branch_of(group, task) for task in group.tasks):
                found.setdefault(branch, []).append(number)
        return dict(sorted(found.items()))

    def gather(self, groups: Sequence[Group], make: Callable[[int, int], Representation]) -> Found:
        """The result of a call from representations by (group, branch); tasks of one branch share theirs."""
        result: Found = []
        for number, group in enumerate(groups):
            branches = {task: self.branch_of(group, task) for task in group.tasks}
            made = {branch: make(number, branch) for branch in dict.fromkeys(branches.values())}
            result.append({task: made[branch] for task, branch in branches.items()})
        return result

    def representation(self, seen: Seen, group: int, branch: int) -> Representation:
        """What was made of a group's rows for a branch: that of the first wanted task that reads it."""
        own = seen.groups[group]
        return seen.found[group][next(task for task in own.tasks if self.branch_of(own, task) == branch)]


def every(groups: Sequence[Group]) -> list[int]:
    """The numbers of all groups."""
    return list(range(len(groups)))


def total(values: Iterable[Tensor]) -> Tensor:
    """The sum of 0-d values, 0-d."""
    return torch.stack(list(values)).sum()
