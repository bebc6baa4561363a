"""The method on other rows, or with other weights, in the middle of a step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import cast

import torch
from torch import Tensor, nn
from torch.func import functional_call

from dareps.errors import ContractError
from dareps.maths.domains import group_scope
from dareps.maths.networks import Networks
from dareps.maths.noise import Noise, noise_scope
from dareps.maths.precision import wide
from dareps.sharing._modules import Found, Group
from dareps.types import Augment, NoiseSource, Representation, View

NONE: Mapping[str, Tensor] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Forward:
    """What an alignment runs rows of its own through; see `dareps.types.Model`.

    Attributes:
        student: The networks being trained.
        domains: All domains, in the order that normalisation layers count them.
        task: The task whose head gives the logits.
        noise: The step's.
        augment: The data's augmentation, or None.
    """

    student: Networks
    domains: tuple[str, ...]
    task: str
    noise: NoiseSource
    augment: Augment | None

    def __call__(self, views: Sequence[View], place: str = "", networks: nn.Module | None = None) -> list[View]:
        """The views with `shared` and `logits` computed from their `x`, all in one pass.

        The networks being trained run in their own mode on clones of their buffers, others without a gradient.
        """
        used = self.student if networks is None else cast(Networks, networks)
        groups = [Group(len(_inputs(view)), view.domain, (self.task,)) for view in views]
        with self._scopes(place, groups), torch.set_grad_enabled(networks is None and torch.is_grad_enabled()):
            found = represent_anew(used.encoder, _joined(views), groups, used.heads)
            return [self._seen(view, own[self.task], used.heads) for view, own in zip(views, found, strict=True)]

    def augmented(self, view: View, place: str, rounds: int = 1, mask: float = 0.0) -> Tensor:
        """The stream's `plain` rows under `rounds` further draws of the data's augmentation, one upon the other.

        Of the result, each input is set to 0 with probability `mask`.
        """
        x, place = _inputs(replace(view, x=view.plain)), f"{place}.{view.domain}"
        for number in range(rounds if self.augment is not None else 0):
            x = cast(Augment, self.augment)(x, view.role, self.noise, f"{place}.{number}")
        return x * self.noise.keep(f"{place}.mask", tuple(x.shape), 1 - mask).to(x.dtype) if mask else x

    def normal(self, view: View, place: str) -> Tensor:
        """Standard normal noise for each of the stream's inputs, of the shape and dtype of `x`."""
        x = _inputs(view)
        return self.noise.normal(f"{place}.{view.domain}", tuple(x.shape)).to(x.dtype)

    @contextmanager
    def _scopes(self, place: str, groups: Sequence[Group]) -> Iterator[None]:
        """The noise of a pass, in a lane of its own, and its rows' domains."""
        noise = cast(Noise, self.noise)
        rows = [(self.domains.index(group.domain), group.rows) for group in groups]
        with noise_scope(replace(noise, lane=f"{noise.lane}model.{place}/")), group_scope(rows):
            yield

    def _seen(self, view: View, own: Representation, heads: nn.Module) -> View:
        head = cast(nn.ModuleDict, heads)[self.task]
        return replace(view, shared=wide(own.shared), logits=wide(head(own.task)))


def represent_anew(
    encoder: nn.Module,
    joined: Tensor,
    groups: Sequence[Group],
    heads: nn.Module,
    parameters: Mapping[str, Tensor] = NONE,
) -> Found:
    """What an encoder makes of rows, some of its parameters replaced, while its buffers stay as they are."""
    # Clones are made here and not once a step: a gradient taken inside the step may not write to tensors from outside.
    clones = {name: buffer.clone() for name, buffer in encoder.named_buffers()}
    found: Found = functional_call(encoder, {**parameters, **clones}, (joined, groups, heads))
    return found


def _joined(views: Sequence[View]) -> Tensor:
    blocks = [_inputs(view) for view in views]
    return blocks[0] if len(blocks) == 1 else torch.cat(blocks)


def _inputs(view: View) -> Tensor:
    if view.x is None:
        what = f"the {view.role} stream {view.domain} has no inputs"
        raise ContractError("step.model", what, fix="Set `forwards = True` on the alignment that asks for them.")
    return view.x
