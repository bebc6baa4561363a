"""Anyone's network as its own code makes it, and what a few rows tell of it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from weakref import WeakSet

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from dareps.encoders._cut import children_of, cut, stage_names
from dareps.encoders._imported import WHERE, reason
from dareps.encoders._layers import KeyedDropout, check_state, keep_still, replace_layers
from dareps.encoders._shapes import Norm, Shape
from dareps.errors import ConfigError
from dareps.maths.domains import NormFactory, group_scope
from dareps.maths.drawn import generators, seeded
from dareps.maths.noise import Noise, noise_scope

ROWS = 2
_given: WeakSet[nn.Module] = WeakSet()
ONE = "network"
_FRESH = "Name a class, or a function that makes a new network every time."


@dataclass(frozen=True, slots=True)
class Facts:
    """What a pass of a few rows tells of a network.

    Attributes:
        again: Dropout layers that run several times in a pass, by stage and path.
        noisy: Stages that draw from global generators in training.
        flat: Whether it gives one row of features for each row.
    """

    again: frozenset[str] = frozenset()
    noisy: frozenset[str] = frozenset()
    flat: bool = True


@dataclass(frozen=True)
class Source:
    """What a network is made from, as often as it is wanted.

    Attributes:
        name: What is imported.
        make: The user's class or function.
        arguments: What it is called with, as JSON.
        stages: Paths of submodules.
        shape: Shape of one row.
        norm: Makes normalisation layers.
        facts: What is known of it.
    """

    name: str
    make: Callable[..., object]
    arguments: str
    stages: tuple[str, ...]
    shape: Shape
    norm: Norm = field(default_factory=lambda: NormFactory("joint", 1))
    facts: Facts = field(default_factory=Facts)

    def net(self) -> nn.Module:
        """The network as its own code makes it.

        Raises:
            ConfigError: That fails, or gives something else.
        """
        if isinstance(self.make, nn.Module):
            raise ConfigError(WHERE, "this is a network already, which seeds would share", self.name, _FRESH)
        try:
            net = self.make(**json.loads(self.arguments))
        except Exception as error:
            fix = "Set encoder.arguments to what it takes."
            raise ConfigError("encoder.arguments", f"{self.name} fails ({reason(error)})", fix=fix) from error
        if not isinstance(net, nn.Module):
            raise ConfigError(WHERE, "this gives no torch.nn.Module", type(net).__name__, "Name one that does.")
        if any(module in _given for module in net.modules()):
            raise ConfigError(WHERE, "this gives the same network twice, which seeds would share", self.name, _FRESH)
        _given.update(net.modules())
        net = net.to("cpu").float()
        if any(is_lazy(own) for own in (*net.parameters(), *net.buffers())):
            self.through(net.eval(), rows(self.shape))
        return net.train()

    def parts(self, net: nn.Module) -> dict[str, nn.Module]:
        """Stage -> part of a network that was made, with layers of dareps."""
        keep_still(net)
        if self.stages:
            found = cut(net, self.stages)
        elif type(net).forward is nn.Sequential.forward and isinstance(net, nn.Sequential) and len(net):
            found = children_of(net)
            stage_names(list(found))
        else:
            found = {ONE: net}
        holder = nn.ModuleDict(found)
        check_state(holder, self.name)
        replace_layers(holder, self.norm, self.name)
        return dict(holder.items())

    def through(self, net: nn.Module, x: Tensor) -> Tensor:
        """What a network makes of rows.

        Raises:
            ConfigError: It fails, or gives no tensor with a row of numbers for each.
        """
        try:
            with torch.no_grad(), group_scope([(0, len(x))]):
                found: object = net(x)
        except ConfigError:
            raise
        except Exception as error:
            what = f"{self.name} fails on rows of shape {self.shape} ({reason(error)})"
            raise ConfigError(WHERE, what, fix="Set encoder.arguments to what fits the data.") from error
        if not (isinstance(found, Tensor) and found.is_floating_point() and found.shape[:1] == x.shape[:1]):
            got = f"{tuple(found.shape)} of {found.dtype}" if isinstance(found, Tensor) else type(found).__name__
            what = f"{self.name} gives no floating tensor with one row for each of {len(x)}"
            raise ConfigError(WHERE, what, got, "Let its forward give the features alone.")
        return found


@lru_cache(maxsize=64)
def facts_of(name: str, make: Callable[..., object], arguments: str, stages: tuple[str, ...], shape: Shape) -> Facts:
    """Look at a network once: that it runs, that its stages give what it gives, and what it draws.

    Raises:
        ConfigError: Says what does not work.
    """
    source, x = Source(name, make, arguments, stages, shape), rows(shape)
    with seeded(0):
        net = source.net()
        before, buffers = generators(), dict(net.named_buffers())
        wanted = source.through(net.eval(), x).clone()
        _check_buffers(net, buffers)
        if generators() != before:
            raise ConfigError(WHERE, "the network draws noise when it predicts, too", name, "Draw in training only.")
        parts = source.parts(net.train())
        found = source.through(nn.Sequential(*parts.values()).eval(), x)
        if found.shape != wanted.shape or not torch.allclose(found, wanted, rtol=1e-3, atol=1e-5):
            fix = "Name no stages: the whole network is one then."
            raise ConfigError("encoder.stages", "one after the other they do not give what the network gives", fix=fix)
        return _in_training(source, parts, x)


def _in_training(source: Source, parts: Mapping[str, nn.Module], x: Tensor) -> Facts:
    again, noisy = set[str](), set[str]()
    zero = torch.zeros((), dtype=torch.int64)
    for name, part in parts.items():
        before, buffers = generators(), dict(part.named_buffers())
        with noise_scope(Noise(zero, zero)):
            x = source.through(part.train(), x)
        noisy |= {name} if generators() != before else set()
        layers = {f"{name}.{path}": layer for path, layer in part.named_modules() if isinstance(layer, KeyedDropout)}
        again |= {path for path, layer in layers.items() if layer.calls > 1}
        _check_buffers(part, buffers)
    return Facts(frozenset(again), frozenset(noisy), x.dim() == 2)


def _check_buffers(net: nn.Module, before: Mapping[str, Tensor]) -> None:
    """Refuse what a stack and a checkpoint would not notice.

    Raises:
        ConfigError: A pass has put another tensor in the place of a buffer.
    """
    for name, value in net.named_buffers():
        if before.get(name) is not value:
            what = "forward puts another tensor in the place of a buffer, which no checkpoint would notice"
            raise ConfigError(WHERE, what, name, "Change it in place: self.NAME.copy_(...).")


def rows(shape: Shape) -> Tensor:
    """A few rows of that shape, none of them alike."""
    return (0.7 * torch.arange(ROWS * math.prod(shape))).sin().view(ROWS, *shape) + 0.3


@lru_cache(maxsize=1)
def drawn(source: Source, seed: int) -> dict[str, dict[str, Tensor]]:
    """One draw of a network: stage -> what it holds by name. The last one is kept for the other stages."""
    with seeded(seed % 2**63):
        return {name: tensors(part) for name, part in source.parts(source.net()).items()}


def tensors(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name."""
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}
