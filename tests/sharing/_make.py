"""Sharing schemes on small encoders, for tests of them."""

import torch

from dareps.encoders.mlp import MLP
from dareps.maths.domains import NormFactory, group_scope
from dareps.sharing import Blueprint
from dareps.sharing._modules import Group, Seen

TASKS, DOMAINS, SHAPE = ("kind", "colour"), ("books", "films"), (4,)
TWO_LAYERS = MLP(width=4, depth=2, activation="tanh")


def blueprint(encoder=TWO_LAYERS, shape=SHAPE, tasks=TASKS, domains=DOMAINS):
    """What schemes are built from."""
    factory = NormFactory("joint", len(domains))
    return Blueprint(lambda: encoder.build(shape, factory), shape, tasks, domains)


def built(scheme, **parts):
    """The scheme's module in float64 with fixed weights."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(3)
        return scheme.build(blueprint(**parts)).double()


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
        found = module(x, groups)
    return found, module.penalties(Seen(x, groups, found))
