"""A small method for the tests of losses that run it: an encoder with normalisation and dropout, and a head."""

from dataclasses import replace

import torch

from dareps.maths.domains import NormFactory
from dareps.maths.networks import Networks
from dareps.maths.noise import Dropout, Noise, name_places
from dareps.recipe.forward import Forward
from dareps.sharing._modules import HardSharing
from dareps.types import Shapes, View
from tests.alignment._built import ONE, filled, step_of

DOMAINS = ("d0", "d1")
INPUTS, FEATURES, CLASSES = 5, 3, 4
SHAPES = Shapes(FEATURES, CLASSES, ("d0",), ("d1",))


def student(dropout=0.0, norm=False):
    """Networks in float64 with fixed weights."""
    layers = [torch.nn.Linear(INPUTS, FEATURES)]
    layers += [NormFactory("per_domain", 2)(FEATURES)] if norm else []
    layers += [torch.nn.Tanh(), Dropout(dropout)]
    heads = torch.nn.ModuleDict({"task": torch.nn.Linear(FEATURES, CLASSES)})
    networks = filled(Networks(HardSharing(torch.nn.Sequential(*layers)), heads))
    name_places(networks)
    return networks


def linear():
    """Networks that are one affine map from inputs to logits."""
    heads = torch.nn.ModuleDict({"task": torch.nn.Linear(INPUTS, CLASSES)})
    return filled(Networks(HardSharing(torch.nn.Identity()), heads))


def model_of(networks, number=0, augment=None):
    """What runs rows through them."""
    zero = torch.zeros((), dtype=torch.int64)
    return Forward(networks, DOMAINS, "task", Noise(zero, zero + number), augment)


def stepping(networks, number=0, augment=None):
    """A step that has a model."""
    return replace(step_of(number=number), model=model_of(networks, number, augment))


def views_through(networks, x, y, labels=None, number=0):
    """Source rows x and target rows y, with what the networks make of them."""
    empty = torch.zeros(0)
    views = [View("d0", "source", empty, None, labels, x, x), View("d1", "target", empty, None, None, y, y)]
    return model_of(networks, number)(views, "own")


def attached(settings, networks, shapes=SHAPES):
    """The loss as a module that has seen the networks, at the start of a phase."""
    module = settings.build(shapes)
    module.attach(networks)
    with torch.no_grad():
        module.begin(networks)
    return module.double()


def keep_their_statistics(networks, module, views):
    """Whether a pass of the loss leaves every buffer of the networks as it was."""
    before = {name: value.clone() for name, value in networks.named_buffers()}
    module(views, ONE, stepping(networks))
    return bool(before) and all(torch.equal(before[name], value) for name, value in networks.named_buffers())
