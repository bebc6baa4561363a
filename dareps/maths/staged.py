"""A chain of named stages with known output shapes: what encoders are and what sharing schemes split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from types import MappingProxyType

from torch import Tensor, nn

from dareps.maths.scope import Scope

_passed: list[int] = []


def entering(stages: int) -> Scope[int]:
    """Say that the rows which encoders are given inside have passed so many of their stages already."""
    return Scope(_passed, stages)


class Staged(nn.Module):
    """An encoder as sharing, freezing and layer transfer speak of it.

    Attributes:
        names: The stages, in order.
        chain: Stage name -> module.
        shapes: Output shape of one row after each stage.
        aliases: What others call the beginnings of the names in the chain -> these beginnings here.
        host: Why it needs the host in every step, so that it can be neither stacked nor captured; empty if it does not.
    """

    names: tuple[str, ...]
    chain: nn.ModuleDict
    shapes: dict[str, tuple[int, ...]]
    aliases: Mapping[str, str] = MappingProxyType({})
    host: str = ""

    @property
    def whole(self) -> tuple[str, ...]:
        """The stages of the encoder that this is, or is a part of."""
        return self.names

    @property
    def features(self) -> int:
        """Width d of the last stage's output."""
        return self.shapes[self.names[-1]][0]

    def forward(self, x: Tensor) -> Tensor:
        """Features (n, d) of x (n, *shape); inside `entering`, of what the stages passed have made of it."""
        for stage in islice(self.chain.values(), _passed[-1], None) if _passed else self.chain.values():
            x = stage(x)
        return x

    def taps(self, x: Tensor) -> dict[str, Tensor]:
        """Every stage's output by name; the last one is the features."""
        outputs = {}
        for name, stage in self.chain.items():
            x = outputs[name] = stage(x)
        return outputs


def hosts_in(module: nn.Module) -> list[str]:
    """Why encoders inside need the host in every step, each reason once."""
    return list(dict.fromkeys(filter(None, (getattr(own, "host", "") for own in module.modules() if _staged(own)))))


def _staged(module: nn.Module) -> bool:
    """Whether it is an encoder or a part of one."""
    return hasattr(module, "chain") and hasattr(module, "whole")


Stage = tuple[str, nn.Module]
"""The path of a stage and what it is."""
_recording: list[dict[str, list[Tensor]]] = []


def stages_in(encoder: nn.Module) -> list[Stage]:
    """Every stage in a module, of all branches: the path ends in the stage's name."""
    named = [(path, path.split("."), module) for path, module in encoder.named_modules()]
    return [(path, module) for path, parts, module in named if len(parts) > 1 and parts[-2] == "chain"]


def recording() -> bool:
    """Whether the outputs of stages are being recorded, so that they must not come out of a mapped function."""
    return bool(_recording)


@contextmanager
def recorded(stages: Sequence[Stage]) -> Iterator[dict[str, list[Tensor]]]:
    """Record what stages give inside, by their paths, in the order of their calls."""
    found: dict[str, list[Tensor]] = {}
    handles = [module.register_forward_hook(partial(_record, found, path)) for path, module in stages]
    _recording.append(found)
    try:
        yield found
    finally:
        _recording.pop()
        for handle in handles:
            handle.remove()


def _record(found: dict[str, list[Tensor]], path: str, module: nn.Module, inputs: object, output: Tensor) -> None:
    found.setdefault(path, []).append(output)
