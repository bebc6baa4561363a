"""Faults that show in the value, on ordinary samples."""

import numpy as np
import torch

from .plain import biased, cross, rbf


def correct(x, y):
    """A plain biased kernel discrepancy: must pass everything it claims."""
    return biased(x, y)


def returns_number(x, y):
    return 0.5


def forgets_to_reduce(x, y):
    return (x.mean(0) - y.mean(0)) ** 2


def log_of_zero(x, y):
    return ((x.mean(0) - y.mean(0)) ** 2).sum().log()


def overflows(x, y):
    return x.sum().exp() - y.sum().exp()


def float32_constant(x, y):
    return (x.float().mean(0) - y.float().mean(0)).square().sum()


def float64_constant(x, y):
    weights = torch.full(x.shape[1:], 0.5, dtype=torch.float64)
    return (weights * (x.mean(0) - y.mean(0)).square()).sum()


def equal_sizes_assumed(x, y):
    rows = torch.cat((x, y))
    kernel = rbf(rows, rows)
    n = len(x)
    return (kernel[:n, :n] + kernel[n:, n:] - kernel[:n, n:] - kernel[n:, :n]).mean()


def paired_rows(x, y):
    """Compares row i with row i (the channel-wise moments of simshift's CMD)."""
    n = min(len(x), len(y))
    return (x[:n] - y[:n]).square().mean()


def last_row_only(x, y):
    return (x[-1] - y.mean(0)).square().sum()


def source_detached(x, y):
    return biased(x.detach(), y)


def target_detached(x, y):
    return biased(x, y.detach())


def without_gradient(x, y):
    """AdaTime: the kernel inside no_grad."""
    with torch.no_grad():
        return biased(x, y)


def one_class_softmax(x, y):
    """skada: a softmax over one class, so the output is 1 whatever the features are."""
    weights = torch.ones(x.shape[1], 1, dtype=x.dtype)
    p, q = (x @ weights).softmax(1), (y @ weights).softmax(1)
    return -(p.clamp(1e-9, 1).log().mean() + q.clamp(1e-9, 1).log().mean())


def saturated_sigmoid(x, y):
    """tllib: probabilities in place of logits; the gradient is exactly 0 once the sigmoid saturates."""
    p, q = torch.sigmoid(1e3 * x.sum(1)), torch.sigmoid(1e3 * y.sum(1))
    return p.mean() + (1 - q).mean()


def fixed_tiny_bandwidth(x, y):
    """DomainBed: a fixed gamma far from the scale of the features."""
    return biased(x, y, width=1e-3)


def plain_norm(x, y):
    """The square root at 0 of the CMD ports and of M3SDA."""
    return (x.mean(0) - y.mean(0)).norm() + (x.var(0) - y.var(0)).square().sum().sqrt()


def zero_bandwidth(x, y):
    """pytorch-adapt: a collapsed batch has bandwidth 0."""
    rows = torch.cat((x, y))
    width = cross(rows, rows).mean()
    return torch.where(width > 0, biased(x, y, width=width), width)


def reads_item(x, y):
    return (x.mean(0) - y.mean(0)).square().sum() / (1 + x.abs().max().item())


def branches_on_value(x, y):
    gap = (x.mean(0) - y.mean(0)).square().sum()
    return gap if gap > 1 else gap * 2


def boolean_mask(x, y):
    kernel = rbf(x, x)
    return kernel[~torch.eye(len(x), dtype=torch.bool)].mean() + rbf(y, y).mean() - 2 * rbf(x, y).mean()


def through_numpy(x, y):
    scale = float(np.abs(y.detach().numpy()).max()) + 1
    return (x.mean(0) - y.mean(0)).square().sum() / scale


def in_place_on_new(x, y):
    """Writes a mapped value into a tensor that is not mapped."""
    total = torch.zeros((), dtype=x.dtype)
    total += (x.mean(0) - y.mean(0)).square().sum()
    return total


def global_reseed(x, y):
    """skada's CDAN: the random map is rebuilt, and the global generator reseeded, in every call."""
    torch.manual_seed(42)
    random = torch.randn(x.shape[1], 3, dtype=x.dtype)
    return ((x @ random).mean(0) - (y @ random).mean(0)).square().sum()


def global_draw(x, y):
    projection = torch.as_tensor(np.random.randn(x.shape[1]), dtype=x.dtype)
    return ((x.mean(0) - y.mean(0)) * projection).sum().square()


def overwrites_input(x, y):
    with torch.no_grad():
        x -= x.mean(0)
    return (x.var(0) - y.var(0)).square().sum()


def sample_by_sample(x, y):
    """simshift's CMD: moments over features, compared row by row, so unequal batches crash."""
    return ((x**2).sum(1) - (y**2).sum(1)).square().mean()


class _OldSquare(torch.autograd.Function):
    """A derivative written by hand, with a context, which cannot be mapped."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, gradient):
        return 2 * gradient * ctx.saved_tensors[0]


def old_style_function(x, y):
    """tllib and others: reversal and the like as an autograd function without a rule for mapping."""
    return _OldSquare.apply(x.mean(0) - y.mean(0)).sum()


def sorts_its_input(x, y):
    with torch.no_grad():
        y.copy_(y.sort(0).values)
    return (x.mean(0) - y.mean(0)).square().sum()


FAULTS = {
    "scalar": [returns_number, forgets_to_reduce],
    "finite": [log_of_zero, overflows],
    "dtype": [float32_constant, float64_constant],
    "unequal sizes": [equal_sizes_assumed, sample_by_sample],
    "row order": [paired_rows, last_row_only],
    "gradient reaches": [
        source_detached,
        target_detached,
        without_gradient,
        one_class_softmax,
        saturated_sigmoid,
        fixed_tiny_bandwidth,
    ],
    "gradient on identical": [plain_norm, zero_bandwidth],
    "no host synchronisation": [reads_item, branches_on_value, boolean_mask, through_numpy],
    "stacked equals loop": [in_place_on_new, old_style_function],
    "no global randomness": [global_reseed, global_draw],
    "inputs unchanged": [overwrites_input, sorts_its_input],
}
