"""The regularisers of a recipe's phases, and the networks as the current phase began."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache, partial
from typing import cast

import torch
from torch import Tensor, nn
from torch.func import functional_call

from dareps.maths.domains import group_scope
from dareps.maths.networks import Copy, Networks
from dareps.maths.staged import Stage, recorded
from dareps.sharing._base import Term
from dareps.sharing._modules import Found, Seen
from dareps.transfer import Phase, Train
from dareps.transfer.regularise._modules import Pass, RegulariserModule, Sight
from dareps.types import Representation, Rows, Task

Taps = Mapping[str, Sequence[Tensor]]
Blocks = Sequence[tuple[int, int]]


class Regularised(nn.Module):
    """The regularisers of every phase as PHASE.INDEX, of which those of the current phase act.

    One copy of the networks, `start`, serves all phases: each takes it anew when it begins.

    Args:
        phases: The recipe's phases.
        tasks: What is predicted.
    """

    def __init__(self, phases: Sequence[Phase], tasks: Sequence[Task]) -> None:
        super().__init__()
        for number, phase in enumerate(phases):
            found = phase.regularise if isinstance(phase, Train) else ()
            trained = trained_tasks(phase, tasks)
            if found:
                self.add_module(str(number), nn.ModuleList([part.build(tasks, trained) for part in found]))
        self.start: Copy | None = None
        self.enter(0)

    def attach(self, networks: Networks) -> None:
        """See the networks once, when they have been built."""
        every = [module for module in self.modules() if isinstance(module, RegulariserModule)]
        for module in every:
            module.attach(networks)
        if any(module.keeps for module in every):
            self.start = Copy(networks)

    def enter(self, phase: int) -> None:
        """Say which phase is current."""
        own = getattr(self, str(phase), None)
        self.acting = cast(tuple[RegulariserModule, ...], tuple(own) if own is not None else ())
        self.labels = _labels(self.acting)
        self.stages: dict[str, Stage] = {path: (path, stage) for own in self.acting for path, stage in own.stages}

    def begin(self, networks: Networks) -> None:
        """Keep the networks as they are: a phase begins."""
        if self.start is not None and any(module.keeps for module in self.acting):
            self.start.take(networks)

    @property
    def reads(self) -> tuple[str, ...]:
        """Tasks whose representations are needed in every step of the current phase."""
        return tuple(name for module in self.acting for name in module.reads)

    @property
    def follows(self) -> bool:
        """Whether there is something to do after a step of the current phase."""
        return any(module.follows for module in self.acting)

    def terms(self) -> list[Term]:
        """The penalties of the current phase."""
        return [
            Term(label + name.removeprefix(module.settings.name), weight, module.settings.schedule)
            for label, module in zip(self.labels, self.acting, strict=True)
            for name, weight in module.settings.terms().items()
        ]

    def recording(self) -> AbstractContextManager[Taps]:
        """Record what the stages give that regularisers read."""
        return recorded(list(self.stages.values())) if self.stages else nullcontext({})

    def penalties(
        self,
        seen: Seen,
        streams: Sequence[Rows],
        taps: Taps,
        blocks: Blocks,
        networks: Networks,
        moving: frozenset[str],
    ) -> dict[str, Tensor]:
        """The unweighted penalties of the current phase by name, 0-d.

        Args:
            seen: The step's rows, and what the networks made of them.
            streams: The rows with their labels.
            taps: What stages gave.
            blocks: (number of the domain, rows) of each group.
            networks: The networks being trained.
            moving: Names of the parameters that the phase trains.
        """
        heads = cast(nn.ModuleDict, networks.heads)
        now = Pass(seen.found, taps, lambda task, own: cast(Tensor, heads[task](own.task)))
        before = cache(partial(self._before, seen, blocks, networks))
        sight = Sight(streams, now, networks, self.start, before, moving)
        found: dict[str, Tensor] = {}
        for label, module in zip(self.labels, self.acting, strict=True):
            terms, name = module.settings.terms(), module.settings.name
            values = module(sight) if terms else {}
            found |= {label + term.removeprefix(name): values[term] for term in terms}
        return found

    def after_step(self, progress: Tensor, rate: Tensor, networks: Networks, moving: frozenset[str]) -> None:
        """Let regularisers move weights in place."""
        for module in self.acting:
            if module.follows and self.start is not None:
                module.after_step(progress, rate, networks, self.start, moving)

    @torch.no_grad()
    def _before(self, seen: Seen, blocks: Blocks, networks: Networks) -> Pass:
        """A pass through the weights and statistics that the phase began with.

        They run in the modules that are being trained, and so in the same mode and under the same noise.
        """
        assert self.start is not None
        old = dict(self.start.named_buffers())
        clones = {name: old[name].clone() for name, _ in networks.named_buffers()}
        with self.recording() as taps, group_scope(blocks):
            found: Found = functional_call(networks, {**old, **clones}, (seen.joined, seen.groups))
        return Pass(found, taps, partial(_answer, networks, old))


@torch.no_grad()
def _answer(networks: Networks, weights: Mapping[str, Tensor], task: str, found: Representation) -> Tensor:
    """The outputs of a task's head with other weights."""
    start = f"heads.{task}."
    own = {name.removeprefix(start): value for name, value in weights.items() if name.startswith(start)}
    answer: Tensor = functional_call(cast(nn.ModuleDict, networks.heads)[task], own, (found.task,))
    return answer


def trained_tasks(phase: Phase, tasks: Sequence[Task]) -> list[str]:
    """The tasks that a phase trains."""
    named = phase.tasks if isinstance(phase, Train) else ()
    return [task.name for task in tasks if not named or task.name in named]


def _labels(modules: Sequence[RegulariserModule]) -> list[str]:
    """What the log calls each: its name, with its number where an earlier one has the same."""
    found: list[str] = []
    for number, module in enumerate(modules):
        name = module.settings.name
        label = f"regularise.{name}"
        found.append(f"{label}.{number}" if label in found else label)
    return found
