"""What the laws see of a sharing scheme: its module on drawn rows, and what a step does to it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from dareps.encoders import Encoder
from dareps.encoders.mlp import MLP
from dareps.maths.domains import NormFactory, group_scope
from dareps.maths.noise import Noise, name_places, noise_scope
from dareps.maths.staged import Staged
from dareps.recipe.initial import initialise
from dareps.sharing import Blueprint, SharingScheme
from dareps.sharing._modules import Found, Group, Seen, SharingModule
from dareps.types import Task

TASKS, DOMAINS, SHAPE = ("a", "b", "c"), ("x", "y", "z"), (4,)
KINDS: Final = (Task("a", "classification", 3), Task("b", "regression", 1), Task("c", "multilabel", 2))
ENCODER: Final = MLP(width=4, depth=2, activation="tanh", norm=True)
EVERYTHING: Final = tuple(Group(2, domain, TASKS) for domain in DOMAINS)
OPTIMIZERS: Final[tuple[Callable[[list[nn.Parameter]], Optimizer], ...]] = (
    lambda parameters: SGD(parameters, lr=0.1, momentum=0.9, weight_decay=0.1),
    lambda parameters: Adam(parameters, lr=0.01, weight_decay=0.1),
    lambda parameters: AdamW(parameters, lr=0.01, weight_decay=0.1),
)
_STILL = torch.zeros((), dtype=torch.int64)


class _Head(nn.Module):
    """A fixed linear map of as many features as come."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.task = task

    def forward(self, x: Tensor) -> Tensor:
        """(n, size) of x (n, d)."""
        weight = Noise(_STILL, _STILL).normal(f"laws/head/{self.task.name}", (x.shape[1], self.task.size))
        return x @ weight.to(x)


HEADS: Final = nn.ModuleDict({task.name: _Head(task) for task in KINDS})


@dataclass(frozen=True)
class SharingCase:
    """One trial: rows (n, *shape) and the groups that they fall into."""

    x: np.ndarray
    groups: tuple[Group, ...]

    def rows(self, dtype: torch.dtype = torch.float64) -> Tensor:
        """The rows as a fresh tensor."""
        return torch.tensor(self.x, dtype=dtype)

    def shown(self) -> dict[str, Any]:
        """Plain lists, to print and to keep."""
        return {"x": self.x.tolist(), "groups": [(own.rows, own.domain, own.tasks) for own in self.groups]}


@dataclass(frozen=True)
class SharingSubject:
    """A scheme under test, with the encoder that it shares."""

    scheme: SharingScheme
    encoder: Encoder = ENCODER
    made: dict[tuple[object, ...], SharingModule] = field(default_factory=dict, repr=False)

    def blueprint(self, *, norm: bool = True) -> Blueprint:
        """Three tasks and three domains, inputs of four numbers."""
        factory = NormFactory("per_domain", len(DOMAINS))
        encoder = self.encoder if norm else self.encoder.model_copy(update={"norm": False})
        return Blueprint(lambda: encoder.build(SHAPE, factory), SHAPE, KINDS, DOMAINS)

    def fresh(
        self, scheme: SharingScheme | None = None, *, norm: bool = True, apart: float = 0.0, seed: int = 0
    ) -> SharingModule:
        """A module in float64 with weights drawn as a method's, and each then moved by noise of size `apart`."""
        key = (repr(scheme or self.scheme), norm, apart, seed)
        if key not in self.made:
            self.made[key] = _made(scheme or self.scheme, self.blueprint(norm=norm), apart, seed)
        return copy.deepcopy(self.made[key])


def _made(scheme: SharingScheme, blueprint: Blueprint, apart: float, seed: int) -> SharingModule:
    with torch.random.fork_rng(devices=[]):
        module = scheme.build(blueprint)
        initialise(module, seed, module.drawn_as)
        module.attach(HEADS)
    name_places(module)
    noise = Noise(_STILL + seed, _STILL)
    with torch.no_grad():
        for name, parameter in module.double().named_parameters():
            parameter.add_(apart * noise.normal(f"laws/{name}", tuple(parameter.shape)))
    return module


def cases(least: int = 1) -> st.SearchStrategy[SharingCase]:
    """Groups of two or three rows each, at least `least` of them, and their rows."""
    wanted = st.lists(st.sampled_from(TASKS), min_size=1, max_size=3, unique=True).map(lambda own: tuple(sorted(own)))
    group = st.builds(Group, st.integers(2, 3), st.sampled_from(DOMAINS), wanted)
    return st.lists(group, min_size=least, max_size=3).map(tuple).flatmap(_with_rows)


def _with_rows(groups: tuple[Group, ...]) -> st.SearchStrategy[SharingCase]:
    shape = (sum(group.rows for group in groups), *SHAPE)
    return st.builds(SharingCase, arrays(np.float64, shape, elements=st.floats(-3, 3, width=16)), st.just(groups))


def run(module: SharingModule, x: Tensor, groups: Sequence[Group]) -> tuple[Found, dict[str, Tensor]]:
    """Representations and penalties of a call, as a method makes it."""
    with noise_scope(Noise(_STILL, _STILL)), group_scope([(DOMAINS.index(own.domain), own.rows) for own in groups]):
        found = module(x, groups, HEADS)
    return found, module.penalties(Seen(x, groups, found, HEADS))


def each(found: Found) -> Iterator[tuple[int, str, Tensor]]:
    """(group, task, features for the head) of a result."""
    for number, own in enumerate(found):
        for task, representation in own.items():
            yield number, task, representation.task


def objective(found: Found, penalties: Mapping[str, Tensor]) -> Tensor:
    """Something to learn that differs by task and group, plus the penalties: 0-d."""
    return torch.stack([_loss(x, task, group) for group, task, x in each(found)] + list(penalties.values())).sum()


def _loss(x: Tensor, task: str, group: int) -> Tensor:
    direction = Noise(_STILL, _STILL).normal(f"laws/{task}", (x.shape[1],)).to(x)
    return (x @ direction - group - 1).square().mean()


def step(module: SharingModule, optimizer: Optimizer, x: Tensor, groups: Sequence[Group]) -> None:
    """One update on the objective, as the loop makes it."""
    optimizer.zero_grad(set_to_none=True)
    objective(*run(module, x, groups)).backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def spread_rows(groups: Sequence[Group]) -> Tensor:
    """Fixed rows for groups that no case has drawn."""
    return Noise(_STILL, _STILL).normal("laws/rows", (sum(own.rows for own in groups), *SHAPE)).double()


def parameters_of(modules: Sequence[nn.Module]) -> list[nn.Parameter]:
    """The parameters of several modules."""
    return [parameter for module in modules for parameter in module.parameters()]


def separate(subject: SharingSubject, count: int) -> list[Staged]:
    """Encoders of hard sharing's own draw, one per branch, without normalisation."""
    encoders = []
    for _ in range(count):
        with torch.random.fork_rng(devices=[]):
            encoder = subject.blueprint(norm=False).make_encoder()
            initialise(encoder, 0, lambda path: f"encoder.{path}" if path else "encoder")
        encoders.append(encoder.double())
    return encoders
