"""Sound pieces that the faulty losses are made of."""

import torch


def cross(x, y):
    """Squared distances of all pairs."""
    return ((x[:, None] - y[None]) ** 2).sum(-1)


def rbf(x, y, width=1e4):
    """A Gaussian kernel of a fixed width."""
    return torch.exp(-cross(x, y) / width)


def biased(x, y, width=1e4):
    """The biased kernel discrepancy."""
    return rbf(x, x, width).mean() + rbf(y, y, width).mean() - 2 * rbf(x, y, width).mean()


def gap(x, y):
    """The squared distance of the means."""
    return (x.mean(0) - y.mean(0)).square().sum()
