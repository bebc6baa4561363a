"""Our loop's step on several tasks: any balancer, gradients by parameters, and the series of the tasks' conflict."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from itertools import cycle

import numpy as np
import torch

from benchmarks._cases import BATCH, arrays
from benchmarks._ours import SEED, SOURCE, TARGET, settings
from dareps.data._base import Fitted, LabelledPart, Part, Sealed, SplitData
from dareps.engine.loop import Trainer
from dareps.recipe.bind import bind_run
from dareps.types import Task

CLASSES = 10
BLOCK = 50
"""Steps whose rows are drawn together."""
WATCHED = {
    "equal watched": ("equal", {"every": 1, "pairs": None}),
    "equal watched with pairs": ("equal", {"every": 1, "pairs": "features"}),
}
"""Ways to log conflict: balancer and settings."""
SUFFIX = " by parameters"


def seconds(side: str, network: str, tasks: int, steps: int) -> float:
    """Seconds per step, the mean over `steps`, the first two not counted when the side is new."""
    step = _stepper(side, network, tasks)
    start = time.perf_counter()
    for _ in range(steps):
        step()
    return (time.perf_counter() - start) / steps


@lru_cache(maxsize=64)
def _stepper(side: str, network: str, tasks: int) -> Callable[[], object]:
    """Takes one training step."""
    trainer = _trainer(side, network, tasks)
    plan = trainer.plans[0]
    trainer.enter(plan)
    pool = trainer.pool(plan)
    step = trainer.steps(plan, pool)
    inputs = cycle(enumerate(list(trainer.inputs(plan, pool, 0, BLOCK))))

    def take() -> object:
        return step(*next(inputs))

    for _ in range(2):
        take()
    return take


def _trainer(side: str, network: str, tasks: int) -> Trainer:
    name, conflict = WATCHED.get(side, (side, None))
    of = {"of": "parameters"} if name.endswith(SUFFIX) else {}
    balance = {"name": name.removesuffix(SUFFIX), **of}
    more = {**settings(network, BLOCK), "balance": balance, "engine.conflict": conflict}
    run = bind_run("source_only", f"digits8/{SOURCE}:{TARGET}", SEED, more.items())
    return Trainer([run], [_split(network, tasks)], torch.device("cpu"))


def labels(network: str, tasks: int) -> dict[str, np.ndarray]:
    """Made-up classes of the rows for each task."""
    rng = np.random.Generator(np.random.Philox(key=21))
    return {f"t{number}": rng.integers(0, CLASSES, len(arrays(network).source)) for number in range(tasks)}


def _split(network: str, tasks: int) -> SplitData:
    """All source rows for training, and a few for evaluations that never come."""
    rows, y, few = arrays(network), labels(network, tasks), slice(0, BATCH)
    source = LabelledPart(SOURCE, "source", rows.source, y)
    seen = LabelledPart(SOURCE, "source", rows.source[few], {name: own[few] for name, own in y.items()})
    target = Part(TARGET, "target", rows.target[few])
    unknown = {TARGET: {name: own[few] for name, own in y.items()}}
    named = tuple(Task(name, "classification", CLASSES) for name in y)
    sealed, fitted = Sealed({"validation": unknown, "test": unknown}), Fitted({}, lambda x, _: x)
    return SplitData(named, (source,), (seen,), (target,), (target,), (target,), sealed, fitted, "")
