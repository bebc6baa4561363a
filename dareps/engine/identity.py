"""Who a run is, and where its checkpoint lies; needs no torch, so that parents of workers stay light."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from dareps.data.split import few
from dareps.engine.outcome import Identity
from dareps.recipe.bind import dump_run
from dareps.recipe.settings import Run
from dareps.types import lead_task


def identity_of(run: Run, key: str) -> Identity:
    """What makes the run the run it is."""
    return Identity(
        key=key,
        recipe=run.recipe,
        dataset=run.dataset,
        source="+".join(run.source),
        target="+".join(run.target) + few(run.labelled, run.held),
        task=lead_task(run.tasks).name if run.tasks else "",
        protocol=run.protocol,
        seed=run.seed,
        config=dump_run(run),
    )


def checkpoint_path(folder: Path, keys: Sequence[str]) -> Path:
    """Where the runs' checkpoint lies while they train together."""
    name = keys[0] if len(keys) == 1 else hashlib.sha256("".join(keys).encode()).hexdigest()[:32]
    return folder / "checkpoints" / f"{name}.safetensors"
