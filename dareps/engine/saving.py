"""A run's model on disk: weights, input transform, units, configuration, test predictions, what conformal sets need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import numpy as np
import torch

from dareps.data._base import SplitData
from dareps.engine import checkpoint
from dareps.engine._described import description_of
from dareps.engine.conformal import Calibration
from dareps.engine.outcome import Identity
from dareps.recipe.bind import dump_run
from dareps.recipe.method import Method
from dareps.recipe.settings import Run
from dareps.recipe.yaml_io import dump
from dareps.tasks import kind_of

MODEL: Final = "model.safetensors"


def save_model(
    out: Path,
    run: Run,
    identity: Identity,
    data: SplitData,
    method: Method,
    outputs: Mapping[str, np.ndarray],
    calibration: Calibration | None = None,
) -> str:
    """Write a run's model, configuration and test predictions; returns the folder relative to `out`.

    Args:
        out: Output folder.
        run: The run.
        identity: Who it is.
        data: Its split.
        method: The trained method.
        outputs: Task -> the head's outputs (n, size) on the test rows.
        calibration: What conformal sets need.
    """
    domains = "-".join(_short(side) for side in (run.source, run.target))
    name = f"{run.recipe}-{domains}-seed{run.seed}-{identity.key[:8]}"
    folder = out / "models" / name
    tensors = {f"model/{key}": value for key, value in method.state_dict().items()}
    tensors |= {
        f"input/{key}": torch.from_numpy(np.require(value, requirements="W"))
        for key, value in data.fitted.state.items()
    }
    for task_name, scale in data.scales.items():
        tensors |= {f"scale/{task_name}/mean": torch.from_numpy(scale.mean)}
        tensors |= {f"scale/{task_name}/spread": torch.from_numpy(scale.spread)}
    for task in data.tasks:
        found = kind_of(task).predicted(data.in_units(task.name, outputs[task.name]))
        tensors["predicted" if task == method.lead else f"predicted/{task.name}"] = torch.from_numpy(found)
    if calibration is not None:
        tensors |= {f"conformal/{name}": value for name, value in calibration.tensors().items()}
    record = {
        "run": dump_run(run),
        "key": identity.key,
        "shape": list(data.source_train[0].x.shape[1:]),
        "tasks": [asdict(task) for task in data.tasks],
        **({} if method.origin is None else {"pretrained": method.origin.record()}),
        **description_of(run),
    }
    checkpoint.save(folder / MODEL, tensors, record)
    (folder / "run.yaml").write_text(dump(record["run"]), encoding="utf-8")
    return str(folder.relative_to(out))


def _short(domains: Sequence[str], limit: int = 60) -> str:
    """Domains joined by `+`, or the first and how many follow: file systems end names at 255 bytes."""
    joined = "+".join(domains)
    return joined if len(joined) <= limit else f"{domains[0][:limit]}+{len(domains) - 1}"
