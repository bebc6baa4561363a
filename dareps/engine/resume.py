"""From a trainer to a checkpoint and back, so that a killed run continues as if it had not been."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from dareps.engine import checkpoint
from dareps.engine.ledger import Ledger
from dareps.engine.loop import Trainer
from dareps.engine.progress import Position
from dareps.engine.state import optimizer_state
from dareps.errors import CheckpointError


class Checkpointer:
    """Writes a trainer's whole state to one file, at most every so many seconds.

    Args:
        path: The file.
        keys: Keys of the runs; a file of other runs is not resumed.
        seconds: Least time between two writes.
    """

    def __init__(self, path: Path, keys: Sequence[str], seconds: float) -> None:
        self.path, self.keys, self.seconds = path, list(keys), seconds
        self.spent, self.clock = 0.0, time.monotonic()
        self.written = self.clock

    @property
    def elapsed(self) -> float:
        """Seconds of training, those before a resumption included."""
        return self.spent + time.monotonic() - self.clock

    def due(self, trainer: Trainer) -> None:
        """Write if enough time has passed."""
        if time.monotonic() - self.written >= self.seconds:
            self.write(trainer)

    def write(self, trainer: Trainer) -> None:
        """Write now."""
        tensors: dict[str, Tensor] = {f"model/{name}": value for name, value in trainer.population.state().items()}
        if trainer.position.step:  # A phase that begins has an optimizer of its own.
            tensors |= {f"optimizer/{name}": value for name, value in optimizer_state(trainer.optimizer).items()}
        tensors |= {f"former/{name}": value for name, value in trainer.former.items()}
        for copy, ledger in enumerate(trainer.ledgers):
            for step, weights in ledger.snapshots.items():
                tensors |= {f"snapshot/{copy}/{step}/{name}": value for name, value in weights.items()}
        record = {
            "keys": self.keys,
            "phase": trainer.position.phase,
            "step": trainer.position.step,
            "seconds": self.elapsed,
            "ledgers": [ledger.record() for ledger in trainer.ledgers],
        }
        checkpoint.save(self.path, tensors, record)
        self.written = time.monotonic()

    def resume(self, trainer: Trainer, whole: bool = True) -> bool:
        """Put a trainer where the file left off; false when there is no file.

        Args:
            trainer: The trainer.
            whole: Whether the file is of the very same run; else of one with other phases to come, whose regularisers
                and weights of classes have nothing in it yet.

        Raises:
            CheckpointError: The file is damaged or belongs to other runs.
        """
        if not self.path.exists():
            return False
        tensors, record = checkpoint.load(self.path)
        if record["keys"] != self.keys:
            raise CheckpointError(str(self.path), "belongs to other runs", record["keys"], "Delete it.")
        weights = checkpoint.below(tensors, "model")
        if not whole:
            present = trainer.population.state().items()
            weights |= {name: value for name, value in present if name.startswith(("regularise.", "reweight."))}
        trainer.population.load(weights)
        trainer.resumed_optimizer = checkpoint.below(tensors, "optimizer") if record["step"] else {}
        trainer.former = checkpoint.below(tensors, "former")
        snapshots: list[dict[int, dict[str, Tensor]]] = [{} for _ in trainer.ledgers]
        for name, value in checkpoint.below(tensors, "snapshot").items():
            copy, step, own = name.split("/", 2)
            snapshots[int(copy)].setdefault(int(step), {})[own] = value
        pairs = zip(record["ledgers"], snapshots, strict=True)
        trainer.ledgers = [Ledger.restore(own, weights) for own, weights in pairs]
        trainer.position = Position(record["phase"], record["step"])
        self.spent = float(record["seconds"])
        return True

    def remove(self) -> None:
        """Delete the file: the run is done."""
        self.path.unlink(missing_ok=True)
