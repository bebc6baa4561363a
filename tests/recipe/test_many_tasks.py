"""Heads and losses of many tasks alike are one computation, and the same numbers as one task after the other."""

import pytest
import torch
from torch import nn

from dareps.recipe import heads, task_losses
from dareps.types import Labelled, Representation, Task

COUNT, ROWS, WIDTH = 35, 6, 3
LABELS = {"regression": 1, "multilabel": 2, "classification": 3}


def tasks():
    """Many tasks of each of two kinds, a few of the third."""
    many = {"regression": COUNT, "multilabel": COUNT, "classification": 3}
    return [Task(f"{kind}{number}", kind, LABELS[kind]) for kind, count in many.items() for number in range(count)]


def stream(domain, seed, complete=()):
    """Rows with labels of every task, about half of them missing; of the last task of each many none is there."""
    draw, y = torch.Generator().manual_seed(seed), {}
    for task in tasks():
        there = torch.rand(ROWS, generator=draw) < (0 if task.name.endswith(str(COUNT - 1)) else 0.5)
        if task.kind == "classification":
            y[task.name] = torch.randint(3, (ROWS,), generator=draw).where(there, torch.tensor(-1))
        else:
            own = torch.rand(ROWS, task.size, generator=draw, dtype=torch.float64).round()
            y[task.name] = own.where(there[:, None], torch.tensor(float("nan")).double())
    return Labelled(domain, "source", torch.zeros(ROWS, 1), y, frozenset(complete))


def found(streams):
    """Losses and gradients of heads on fixed features."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(3)
        layers = nn.ModuleDict({task.name: nn.Linear(WIDTH, task.size) for task in tasks()}).double()
        x = [torch.randn(ROWS, WIDTH, dtype=torch.float64, requires_grad=True) for _ in streams]
    logits = [heads.outputs(layers, {task.name: Representation(own, own) for task in tasks()}) for own in x]
    losses = task_losses.task_losses(tasks(), streams, logits)
    sum((number + 1) * value for number, value in enumerate(losses.values())).backward()
    return losses, [own.grad for own in (*layers.parameters(), *x)]


@pytest.mark.parametrize("domains", [("a",), ("a", "b")])
def test_many_tasks_at_once_learn_as_one_by_one(domains, monkeypatch):
    streams = [stream(domain, seed) for seed, domain in enumerate(domains)]
    together = found(streams)
    monkeypatch.setattr(task_losses, "MANY", 1000)
    alone = found(streams)
    assert list(together[0]) == list(alone[0]) == [task.name for task in tasks()]
    for name, value in alone[0].items():
        torch.testing.assert_close(together[0][name], value, rtol=1e-12, atol=1e-12)
    for one, other in zip(together[1], alone[1], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
    assert together[0][f"regression{COUNT - 1}"] == 0, "no label is there"


def test_tasks_on_different_streams_are_not_mixed_up():
    streams = [stream("a", 0), stream("b", 1)]
    for own in tasks()[:5]:
        del streams[1].y[own.name]
    losses, _ = found(streams)
    only, _ = found(streams[:1])
    assert all(torch.allclose(losses[own.name], only[own.name]) for own in tasks()[:5])
    assert not torch.allclose(losses["regression7"], only["regression7"])
