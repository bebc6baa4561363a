"""A method as it begins: its first weights, and how wide what it makes is."""

from __future__ import annotations

from collections.abc import Callable, Collection

import torch
from torch import nn

from dareps.maths.domains import group_scope
from dareps.maths.drawn import drawn_by, place_of
from dareps.maths.keys import key_of
from dareps.recipe.heads import undecided
from dareps.sharing._base import Blueprint
from dareps.sharing._modules import Group, SharingModule


def initialise(module: nn.Module, seed: int, drawn_as: Callable[[str], str] = lambda path: path) -> None:
    """Draw every submodule's weights by PyTorch's own rule under a generator keyed by (seed, path of the module).

    So modules of the same path and shape start equal in every recipe, and adding one changes no other. `drawn_as` gives
    the path to use in place of a module's own: branches of a sharing scheme start as copies of one draw.
    """
    for path, child in module.named_modules():
        reset = getattr(child, "reset_parameters", None)
        if callable(reset):
            place = place_of(child, drawn_as(path))
            torch.default_generator.manual_seed(key_of("initialise", seed, place) % 2**63)
            reset()


def draw_anew(
    module: nn.Module, names: Collection[str], seed: int, phase: int, drawn_as: Callable[[str], str]
) -> list[str]:
    """Draw some parameters as `initialise` does, under a key that names the phase too, with their modules' statistics.

    Returns:
        The parameters, of those in `names`, whose modules do not say how to draw them; they stay as they are.
    """
    left, done = [], set[str]()
    with torch.random.fork_rng(devices=()):
        for path, child in module.named_modules():
            own = [name for name in (f"{path}.{name}" for name in drawn_by(child)) if name not in done]
            wanted = [name for name in own if name in names]
            reset = getattr(child, "reset_parameters", None)
            done.update(own)
            if wanted and callable(reset):
                place = place_of(child, drawn_as(path))
                torch.default_generator.manual_seed(key_of("initialise", seed, place, phase) % 2**63)
                reset()
            else:
                left += wanted
    return left


def widths(encoder: SharingModule, blueprint: Blueprint) -> tuple[dict[str, int], dict[str, int]]:
    """By task the width of what its head reads, and of what alignments see, by a pass of two rows of zeros."""
    training = encoder.training
    encoder.eval()
    with torch.no_grad(), group_scope([(0, 2)]):
        groups = [Group(2, blueprint.domains[0], blueprint.names)]
        (found,) = encoder(torch.zeros(2, *blueprint.shape), groups, undecided(blueprint.tasks))
    encoder.train(training)
    read = {task: own.task.shape[-1] for task, own in found.items()}
    return read, {task: own.shared.shape[-1] for task, own in found.items()}


def shared_names(encoder: SharingModule) -> tuple[str, ...]:
    """The parameters of a scheme that belong to no task alone, by name."""
    private = {id(value) for name in encoder.names for module in encoder.own(name) for value in module.parameters()}
    own = private if encoder.along == "tasks" else set()
    return tuple(name for name, value in encoder.named_parameters() if id(value) not in own)
