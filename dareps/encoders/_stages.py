"""Encoders as ordered, named stages whose output shapes are found by one pass of two rows."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from dareps.encoders._shapes import Norm, Shape
from dareps.errors import ConfigError
from dareps.maths.domains import group_scope
from dareps.maths.noise import Dropout
from dareps.maths.staged import Staged

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}


class Stages(Staged):
    """A chain of named stages whose output shapes are measured.

    Args:
        where: Who is building, for errors.
        shape: Shape of one input.
        stages: Stage name -> module, in order.
    """

    def __init__(self, where: str, shape: Shape, stages: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.names = tuple(stages)
        self.chain = nn.ModuleDict(dict(stages))
        self.shapes = self._measure(where, shape)

    def _measure(self, where: str, shape: Shape) -> dict[str, Shape]:
        training = self.training
        self.eval()
        try:
            with torch.no_grad(), group_scope([(0, 2)]):
                shapes = {name: tuple(out.shape[1:]) for name, out in self.taps(torch.zeros(2, *shape)).items()}
        except RuntimeError as error:
            what = f"the stages do not fit inputs of shape {shape} ({str(error).splitlines()[0]})"
            raise ConfigError(where, what, fix="Choose another encoder or change its settings.") from None
        self.train(training)
        if len(shapes[self.names[-1]]) != 1:
            raise ConfigError(where, "the last stage must give one row of features", shapes[self.names[-1]], "Flatten.")
        return shapes


def dense(inputs: int, width: int, activation: str, norm: Norm | None, dropout: float) -> nn.Sequential:
    """A linear layer with optional normalisation, an activation and optional dropout: (n, inputs) -> (n, width).

    Before a normalisation there is no bias: it would have no effect, and Adam would turn its rounding into steps.
    """
    layers: list[nn.Module] = [nn.Linear(inputs, width, bias=norm is None)]
    if norm is not None:
        layers.append(norm(width))
    layers.append(ACTIVATIONS[activation]())
    if dropout > 0:
        layers.append(Dropout(dropout))
    return nn.Sequential(*layers)


def convolution(inputs: int, width: int, kernel: int, padding: int, norm: Norm | None) -> nn.Sequential:
    """A convolution, 2x2 max pooling, optional normalisation, ReLU: (n, inputs, h, w) -> (n, width, h', w').

    Pooling comes first because it leaves a quarter of the values to normalise; it commutes with ReLU. Weights lie in
    channels-last order, which the input then follows and which CPU convolutions prefer.
    """
    layer = nn.Conv2d(inputs, width, kernel, padding=padding, bias=norm is None)
    layers: list[nn.Module] = [layer.to(memory_format=torch.channels_last), nn.MaxPool2d(2)]
    if norm is not None:
        layers.append(norm(width))
    return nn.Sequential(*layers, nn.ReLU())


class Places(nn.Module):
    """The mean over all places of an image: (n, c, h, w) -> (n, c)."""

    def forward(self, x: Tensor) -> Tensor:
        """Of x."""
        return x.mean((2, 3))


def flat(shape: Shape) -> int:
    """Number of values in one row."""
    return math.prod(shape)
