"""Sharing schemes on small encoders, for tests of them."""

import torch

from dareps.encoders.mlp import MLP
from dareps.maths.domains import NormFactory, group_scope
from dareps.sharing import Blueprint
from dareps.sharing._modules import Group, Seen
from dareps.types import Task

TASKS, DOMAINS, SHAPE = ("kind", "colour"), ("books", "films"), (4,)
TWO_LAYERS = MLP(width=4, depth=2, activation="tanh")


class _Head(torch.nn.Module):
    """Three outputs of as many features as come."""

    def forward(self, x):
        """The sums of three parts of the features, (n, 3)."""
        return torch.stack([part.sum(1) for part in x.tensor_split(3, dim=1)], dim=1)


HEADS = torch.nn.ModuleDict({task: _Head() for task in TASKS})


def blueprint(encoder=TWO_LAYERS, shape=SHAPE, tasks=TASKS, domains=DOMAINS):
    """What schemes are built from."""
    factory = NormFactory("joint", len(domains))
    return Blueprint(lambda: encoder.build(shape, factory), shape, tasks_of(tasks), domains)


def tasks_of(names):
    """Tasks of three classes."""
    return tuple(Task(name, "classification", 3) for name in names)


def built(scheme, **parts):
    """The scheme's module in float64 with fixed weights."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(3)
        module = scheme.build(blueprint(**parts))
        module.attach(HEADS)
        return module.double()


def rows(count, shape=SHAPE):
    """Fixed rows."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(5)
        return torch.randn(count, *shape, dtype=torch.float64)


def called(module, groups, x=None):
    """Representations and penalties of rows in groups of (rows, domain, tasks)."""
    groups = [Group(*group) for group in groups]
    x = rows(sum(group.rows for group in groups)) if x is None else x
    with group_scope([(0, group.rows) for group in groups]):
        found = module(x, groups, HEADS)
    return found, module.penalties(Seen(x, groups, found, HEADS))
