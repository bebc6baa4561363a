"""Phases that several runs begin with: trained once, kept, and continued by each of them.

After a phase a run depends on nothing that only later phases say. So runs that are equal up to its end share a
checkpoint there, and end bit for bit as if each had trained the phase itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dareps.engine.building import counted_by
from dareps.engine.loop import Trainer
from dareps.engine.points import competing_from
from dareps.engine.resume import Checkpointer
from dareps.errors import CheckpointError
from dareps.recipe.bind import run_key
from dareps.recipe.settings import Run
from dareps.transfer import Train
from dareps.types import lead_task


class Beginnings:
    """The shared beginnings of runs that differ in their seed, in a folder.

    Args:
        folder: The output folder.
        runs: The runs.
        checksums: Of each run's data.
    """

    def __init__(self, folder: Path, runs: Sequence[Run], checksums: Sequence[str]) -> None:
        phases = [phase for phase in runs[0].method.phases if isinstance(phase, Train)]
        self.counts = range(competing_from(phases), 0, -1)
        self.folder, self.runs, self.checksums = folder, list(runs), list(checksums)

    def _keeper(self, count: int) -> Checkpointer:
        keys = [_key(run, count, own) for run, own in zip(self.runs, self.checksums, strict=True)]
        name = hashlib.sha256("".join(keys).encode()).hexdigest()[:32]
        return Checkpointer(self.folder / "checkpoints" / f"begun-{name}.safetensors", keys, 0.0)

    def enter(self, trainer: Trainer) -> float:
        """Put a trainer behind the most phases that are there; gives the seconds that they took, 0 without any."""
        for count in self.counts:
            keeper = self._keeper(count)
            try:
                if keeper.resume(trainer, whole=False):
                    return keeper.spent
            except CheckpointError:
                keeper.remove()
        return 0.0

    def keep(self, trainer: Trainer, seconds: float) -> None:
        """Keep the trainer's state between two phases, for others that begin so."""
        if trainer.position.phase in self.counts and not any(ledger.failure for ledger in trainer.ledgers):
            keeper = self._keeper(trainer.position.phase)
            keeper.spent = seconds
            if not keeper.path.exists():
                keeper.write(trainer)


def _key(run: Run, count: int, checksum: str) -> str:
    """What a run's state after its first phases depends on."""
    phases = run.method.phases[:count]
    method = run.method.model_copy(update={"phases": phases})
    reads = any(isinstance(phase, Train) and phase.streams.target == "labelled" for phase in phases)
    changes: dict[str, Any] = {"method": method, "recipe": ""}
    if not reads and not run.held:
        changes["labelled"] = None
    chosen = "" if "labelled" in changes else lead_task(counted_by(run)).name  # By whose classes rows are declared.
    return f"begun {count} {chosen} {run_key(run.model_copy(update=changes), checksum)}"
