"""Networks such as users write them; dareps knows nothing of them."""

from __future__ import annotations

import random

import torch
from torch import nn
from torch.nn import functional as F


class Digits(nn.Module):
    """A small convolutional network with steps between its layers."""

    def __init__(self, width=8, channels=1):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 4, 3)
        self.conv2 = nn.Conv2d(4, 6, 3)
        self.fc = nn.Linear(6, width)
        self.offset = nn.Parameter(torch.randn(6))

    def forward(self, x, scale=1.0):
        x = F.relu(self.conv1(x * scale))
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = x.mean((2, 3)) + self.offset
        return torch.tanh(self.fc(x))


class Normed(nn.Module):
    """Batch normalisation with a history of its own, and one dropout layer that runs three times."""

    def __init__(self, width=6, frozen=False):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, width, 3), nn.BatchNorm2d(width, eps=1e-3, momentum=0.2), nn.ReLU())
        self.fc1, self.fc2 = nn.Linear(width, width), nn.Linear(width, width)
        self.norm = nn.BatchNorm1d(width, affine=False)
        self.drop = nn.Dropout(0.4)
        self.maps = nn.Dropout2d(0.2)
        self.register_buffer("steps", torch.arange(width) / width, persistent=False)
        with torch.no_grad():
            for norm in (self.body[1], self.norm):
                norm.running_mean.uniform_(-0.5, 0.5)
                norm.running_var.uniform_(0.5, 1.5)
            self.body[1].weight.uniform_(0.5, 1.5)
        self.body[0].requires_grad_(not frozen)

    def forward(self, x):
        x = self.maps(self.body(x)).mean((2, 3))
        x = self.drop(self.norm(self.fc1(self.drop(x + self.steps))))
        return self.drop(self.fc2(x))


class Skipping(nn.Module):
    """The input joins in again at the end."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return self.b(self.a(x)) + x


class Deciding(nn.Module):
    """What it computes depends on values."""

    def __init__(self):
        super().__init__()
        self.fc = nn.LazyLinear(8)

    def forward(self, x):
        x = self.fc(x.flatten(1))
        return x if x.mean() > 0 else 2 * x


class Noisy(nn.Module):
    """Noise of its own, from generators that all programs share."""

    def __init__(self):
        super().__init__()
        self.fc = nn.LazyLinear(8)

    def forward(self, x):
        x = F.dropout(self.fc(x.flatten(1)), 0.3, self.training)
        return x * random.choice((1.0, 1.5)) if self.training else x


class Twice(nn.Module):
    """One layer that runs twice."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return self.b(self.a(self.a(x)))


class Tied(nn.Module):
    """One weight under two names."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)
        self.b.weight = self.a.weight

    def forward(self, x):
        return self.b(self.a(x))


class Moving(nn.Module):
    """A buffer that is replaced."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.register_buffer("mean", torch.zeros(4))

    def forward(self, x):
        self.mean = 0.9 * self.mean + 0.1 * x.mean(0)
        return self.fc(x - self.mean)


class Adapted(nn.Module):
    """A part with a name that means something else."""

    def __init__(self):
        super().__init__()
        self.adapter = nn.Linear(4, 4)

    def forward(self, x):
        return self.adapter(x)


class Always(nn.Module):
    """Noise in prediction."""

    def forward(self, x):
        return F.dropout(x, 0.5, training=True)


class Several(nn.Module):
    """Two results."""

    def forward(self, x):
        return x, x


def sequence(width=5):
    """A sequence with one activation that stands in it twice."""
    relu = nn.ReLU()
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(7), relu, nn.Linear(7, width), relu)


def maps():
    """A network that ends in maps, not in a row of features."""
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())


def ended(width=8):
    """Weights that are known."""
    net = nn.Linear(4, width)
    nn.init.constant_(net.weight, 0.25)
    return net


def untrue():
    """No network."""
    return "network"


def faulty(reason="why"):
    """Nothing."""
    raise ValueError(f"no network today, {reason}\nsecond line")


KEPT = nn.Linear(4, 4)


def kept():
    """The same network every time."""
    return KEPT


NUMBER = 3
