"""Anyone's network as an encoder: made by the user's own code, cut into stages, drawn by the run's seed."""

from __future__ import annotations

import json
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call

from dareps.encoders._chains import check_drawn
from dareps.encoders._imported import WHERE, imported, reason
from dareps.encoders._layers import KeyedDropout
from dareps.encoders._shapes import Norm, Shape
from dareps.encoders._source import ONE, ROWS, Facts, Source, drawn, facts_of, tensors
from dareps.encoders._stages import Stages
from dareps.maths.domains import group_scope
from dareps.maths.drawn import DrawnTogether, seeded
from dareps.maths.noise import current_noise


class Stage(DrawnTogether):
    """A part of a network.

    Args:
        name: The stage.
        net: The part.
        source: What draws it; None where layers are drawn by their own rules.
        facts: What is known of the network.
    """

    def __init__(self, name: str, net: nn.Module, source: Source | None, facts: Facts) -> None:
        super().__init__()
        self.net, self.name, self.source, self.place = net, name, source, name
        self.noisy = name in facts.noisy
        self.again: list[KeyedDropout] = []
        for path, layer in net.named_modules():
            if isinstance(layer, KeyedDropout):
                layer.again = f"{name}.{path}" in facts.again
                self.again += [layer] if layer.again else []
        if source is None:
            self.reset_parameters = None  # type: ignore[assignment]
            return
        self.drawn = tuple(f"net.{path}" for path, _ in net.named_parameters())
        for module in net.modules():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters = None  # type: ignore[assignment]

    def forward(self, x: Tensor) -> Tensor:
        """What the part makes of x (n, ...)."""
        for layer in self.again:
            layer.calls = 0
        if not (self.noisy and self.training):
            result: Tensor = self.net(x)
            return result
        # The one way to repeat noise that is not ours: it needs the seed on the host.
        seed = int(current_noise().bits(self.place, ())) % 2**63
        with seeded(seed, [x.device] if x.is_cuda else []):
            noisy: Tensor = self.net(x)
        return noisy

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Take this stage's weights from a draw of the whole network by the seed of torch's generator."""
        assert self.source is not None
        found = drawn(self.source, torch.initial_seed())
        here = tensors(self.net)
        for name, value in found[self.name].items():
            here[name].copy_(value)


class Rows(nn.Module):
    """What a network gives, as rows of features."""

    def forward(self, x: Tensor) -> Tensor:
        """x (n, ...) as (n, d)."""
        return x.reshape(x.shape[0], -1)


class Network(Stages):
    """Stages of anyone's network; shapes are found without computing anything where the network allows it."""

    def _measure(self, where: str, shape: Shape) -> dict[str, Shape]:
        found = {}
        x = torch.zeros(ROWS, *shape, device="meta")
        self.eval()
        try:
            with torch.no_grad(), group_scope([(0, ROWS)]):
                for name, stage in self.chain.items():
                    state = {own: value.to("meta") for own, value in tensors(stage).items()}
                    x = functional_call(stage, state, (x,))
                    found[name] = tuple(x.shape[1:])
        except Exception as error:
            self.host = f"it cannot run without values ({reason(error)})"
            found = super()._measure(where, shape)
        self.train()
        return found


def network_of(
    name: str, arguments: Mapping[str, object], stages: tuple[str, ...], shape: Shape, norm: Norm, *, drawn_anew: bool
) -> Network:
    """The encoder of a network that is imported.

    Args:
        name: Where it is imported from.
        arguments: What makes it is called with.
        stages: Paths of submodules.
        shape: Shape of one row.
        norm: Makes normalisation layers.
        drawn_anew: Let every layer draw its weights by its own rule, in place of the network.

    Raises:
        ConfigError: The network cannot be imported, made, cut or run.
    """
    make, text = imported(name), json.dumps(arguments, sort_keys=True)
    source = Source(name, make, text, stages, shape, norm, facts_of(name, make, text, stages, shape))
    own = None if drawn_anew else source
    with seeded(0):
        parts = source.parts(source.net())
        if own is None:
            check_drawn(nn.ModuleDict(parts), WHERE)
        chain: dict[str, nn.Module] = {stage: Stage(stage, net, own, source.facts) for stage, net in parts.items()}
        if not source.facts.flat:
            chain["flatten" if "flatten" not in chain else "features"] = Rows()
        network = Network(WHERE, shape, chain)
    network.aliases = _aliases(parts, bool(stages))
    if source.facts.noisy:
        network.host = "it draws noise of its own"
    return network


def _aliases(parts: Mapping[str, nn.Module], named: bool) -> dict[str, str]:
    """What the network itself calls its tensors -> what they are called in the chain."""
    if not named:
        return {"" if name == ONE else name: f"{name}.net" for name in parts}
    names = ((stage, own) for stage, part in parts.items() for own in tensors(part))
    return {(own.rpartition(".")[0] or own): f"{stage}.net.{own.rpartition('.')[0] or own}" for stage, own in names}
