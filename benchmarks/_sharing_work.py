"""Training steps of many tasks with a branch each, stacked along a branch dimension or in a Python loop."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch.optim import Adam

from dareps.maths.noise import Noise
from dareps.recipe import task_losses
from dareps.recipe.bind import bind_run
from dareps.recipe.method import Method
from dareps.sharing import _encoders
from dareps.types import Batch, Labelled, Step, Task

COLUMNS, ROWS = 28, 512
"""As the School data has them: columns of a pupil, pupils of a step, each with the score of one school."""
NEVER = 10**9
ENCODER: dict[str, Any] = {"name": "mlp", "width": 16, "depth": 1}
SIDES = ("stack", "loop")
SCHEMES: dict[str, dict[str, Any]] = {
    "soft 0": {"name": "soft", "coupling": 0.0},
    "soft l2": {"name": "soft", "coupling": 0.01},
    "soft trace norm": {"name": "soft", "coupling": 0.01, "norm": "laf"},
    "cgc": {"name": "cgc"},
    "shared_private": {"name": "shared_private"},
}


def seconds(side: str, scheme: str, branches: int, steps: int) -> float:
    """Seconds of a step, forward, backward and optimizer, over some steps."""
    step = _stepper(side, scheme, branches)
    step()
    start = time.perf_counter()
    for _ in range(steps):
        step()
    return (time.perf_counter() - start) / steps


def parameters(scheme: str, branches: int) -> int:
    """How many the encoders and the scheme have, heads left out."""
    return sum(own.numel() for own in method(scheme, branches).encoder.parameters())


def objective(side: str, scheme: str, branches: int) -> float:
    """The first step's objective, which both sides agree on."""
    _take(side)
    return float(_value(method(scheme, branches), _batch(branches)).detach())


@lru_cache(maxsize=1)
def _stepper(side: str, scheme: str, branches: int) -> Callable[[], None]:
    _take(side)
    net, batch = method(scheme, branches), _batch(branches)
    optimizer = Adam(net.parameters(), lr=1e-3, fused=True)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(_value(net, batch))
        optimizer.step()

    return step


def _take(side: str) -> None:
    """Let this process stack, or never stack."""
    many = NEVER if side == "loop" else 32
    _encoders._MANY = task_losses.MANY = many


def _value(net: Method, batch: Batch) -> torch.Tensor:
    still = torch.zeros((), dtype=torch.int64)
    middle = torch.tensor(0.5)
    total: torch.Tensor = net(batch, Step(middle, middle, Noise(still, still)))[0]
    return total


def method(scheme: str, branches: int) -> Method:
    """A method of as many regression tasks, with a head each, on rows of the School data's shape."""
    overrides: list[tuple[str, Any]] = [("encoder", ENCODER), ("sharing", {**SCHEMES[scheme], "along": "tasks"})]
    run = bind_run("source_only", "digits8/fonts:scans", overrides=overrides)
    return Method(run.method, (COLUMNS,), _tasks(branches), ("fonts",), ("scans",), 0)


def _tasks(branches: int) -> list[Task]:
    return [Task(f"s{number:03}", "regression", 1) for number in range(branches)]


def _batch(branches: int) -> Batch:
    """Rows of which each has the label of one task."""
    draw = torch.Generator().manual_seed(0)
    x, y = torch.randn(ROWS, COLUMNS, generator=draw), torch.randn(ROWS, 1, generator=draw)
    own = torch.arange(ROWS)[:, None] % branches
    missing = torch.tensor(float("nan"))
    labels = {task.name: y.where(own == number, missing) for number, task in enumerate(_tasks(branches))}
    return Batch((Labelled("fonts", "source", x, labels),), x)
