"""What a sharing scheme costs: parameters, and arithmetic for a row, branch by branch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from dareps.recipe.method import Method
from dareps.sharing._modules import Group

HEADINGS = ("branch", "own parameters", "shared parameters", "multiply-adds a row")


def anatomy(method: Method, shape: tuple[int, ...]) -> Iterator[tuple[str, ...]]:
    """A line for each branch, headings first; a scheme without branches has one line.

    Own parameters belong to the branch alone, shared ones to several branches. The arithmetic is that of one row of
    the first domain (or of the branch's) on its way to the branch's features; heads, alignments and penalties are left
    out.
    """
    yield HEADINGS
    encoder = method.encoder
    total, own = _count([encoder]), {name: _count(encoder.own(name)) for name in encoder.names}
    shared = total - sum(own.values())
    for name in encoder.names or ("all",):
        tasks = (name,) if encoder.along == "tasks" else method.branches
        domain = name if encoder.along == "domains" else method.domains[0]
        cost = _multiply_adds(method, shape, Group(1, domain, tasks))
        yield name, f"{own.get(name, 0):,}", f"{shared:,}", f"{cost:,}"


def _count(modules: Sequence[nn.Module]) -> int:
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


@torch.no_grad()
def _multiply_adds(method: Method, shape: tuple[int, ...], group: Group) -> int:
    method.eval()
    with FlopCounterMode(display=False) as counter:
        method.represent(torch.zeros(1, *shape), [group])
    return int(counter.get_total_flops()) // 2
