"""Parts of encoders for series: convolutions along time, patches with their places, blocks of attention."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from dareps.encoders._shapes import Norm, Shape
from dareps.errors import ConfigError
from dareps.maths.noise import Dropout

SMALL = 0.02
"""Standard deviation of places that are learned, as they begin."""
LONGEST = 10_000.0
"""Of the wave lengths of places that are given, over 2 pi."""


def check_series(where: str, shape: Shape) -> None:
    """Refuse inputs that are no series.

    Raises:
        ConfigError: Shows their shape.
    """
    if len(shape) != 2:
        fix = "Use digit_cnn for images and mlp for other rows."
        raise ConfigError(where, "needs series (channels, length)", shape, fix)


def convolution1d(inputs: int, width: int, kernel: int, norm: Norm | None) -> nn.Sequential:
    """A convolution, max pooling of 2, optional normalisation, ReLU: (n, inputs, t) -> (n, width, t').

    Zeros on both sides keep the length for odd kernels, and pooling halves it. It comes before the normalisation, which
    then has half as many values to see.
    """
    layer = nn.Conv1d(inputs, width, kernel, padding=kernel // 2, bias=norm is None)
    layers: list[nn.Module] = [layer, nn.MaxPool1d(2)]
    if norm is not None:
        layers.append(norm(width))
    return nn.Sequential(*layers, nn.ReLU())


class Mean(nn.Module):
    """The mean over time: (n, width, t) -> (n, width)."""

    def forward(self, x: Tensor) -> Tensor:
        """Of x."""
        return x.mean(2)


class NormedMean(nn.Module):
    """The mean over time of vectors that are each normalised: (n, width, t) -> (n, width).

    Args:
        width: Of the vectors.
        bias: Whether the normalisation adds one; a normalisation of what follows would take it away again.
    """

    def __init__(self, width: int, bias: bool) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Of x."""
        result: Tensor = self.norm(x.transpose(1, 2)).mean(1)
        return result


class LearnedPlaces(nn.Module):
    """Adds a learned vector for each of `count` places to (n, width, count)."""

    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.empty(width, count))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw small vectors."""
        nn.init.normal_(self.table, std=SMALL)

    def forward(self, x: Tensor) -> Tensor:
        """X with its places."""
        return x + self.table


class GivenPlaces(nn.Module):
    """Adds sines and cosines of each place to (n, width, count) (Vaswani et al., NeurIPS 2017, section 3.5)."""

    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.register_buffer("table", waves(count, width))

    def forward(self, x: Tensor) -> Tensor:
        """X with its places."""
        return x + self.get_buffer("table").to(x.dtype)


def waves(count: int, width: int) -> Tensor:
    """sin(p / LONGEST^(2i / width)) of place p in row 2i and the cosine in 2i + 1, (width, count)."""
    row = torch.arange(width)[:, None]
    angle = torch.arange(count).double() * LONGEST ** (-(row - row % 2).double() / width)
    return torch.where(row % 2 == 0, angle.sin(), angle.cos()).float()


PLACES: dict[str, type[LearnedPlaces] | type[GivenPlaces]] = {"learned": LearnedPlaces, "sinusoidal": GivenPlaces}


class Attention(nn.Module):
    """Every vector takes from all others what fits its question: softmax(q k' / sqrt(c)) v in each head.

    Written out in plain products, which map over stacked seeds and have forward and second derivatives. Questions and
    keys have no bias: that of keys would have no effect, and Adam would turn its rounding into steps.

    Args:
        width: Of the vectors.
        heads: Parts of `width` that attend apart, each c = width / heads wide.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.inputs, self.output = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """New vectors of x (n, t, width), same shape."""
        parts = self.inputs(x).unflatten(-1, (3, self.heads, -1))
        query, key, value = (part.transpose(-2, -3) for part in parts.unbind(-3))
        fit = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
        mixed = fit.softmax(-1) @ value
        result: Tensor = self.output(mixed.transpose(-2, -3).flatten(-2))
        return result


class Block(nn.Module):
    """x + attention(norm(x)), then x + dense(norm(x)): (n, width, t) -> the same (Xiong et al., ICML 2020, figure 1b).

    Args:
        width: Of the vectors.
        heads: Of the attention.
        hidden: Units of the dense layers between.
        dropout: Share dropped, in training, of what either part adds.
    """

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        dense = (nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.attend = nn.Sequential(nn.LayerNorm(width), Attention(width, heads), Dropout(dropout))
        self.dense = nn.Sequential(nn.LayerNorm(width), *dense, Dropout(dropout))

    def forward(self, x: Tensor) -> Tensor:
        """New vectors of x; between stages channels stand before places, as everywhere."""
        x = x.transpose(1, 2)
        x = x + self.attend(x)
        result: Tensor = x + self.dense(x)
        return result.transpose(1, 2)
