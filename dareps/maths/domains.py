"""Normalisation that knows domains: joint, per-domain statistics, domain-specific, frozen.

Rows of several domains pass through an encoder as one tensor; the scope says which rows belong to which domain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dareps.errors import ConfigError, ContractError
from dareps.maths.noise import current_noise
from dareps.maths.scope import Scope

Policy = Literal["joint", "per_domain", "adabn", "domain_specific", "frozen"]
Groups = tuple[tuple[int, int], ...]
"""(index of the domain, number of consecutive rows) for each block of rows."""

_current: list[Groups] = []


def group_scope(groups: Sequence[tuple[int, int]]) -> Scope[Groups]:
    """Say which rows of the tensors inside belong to which domain."""
    return Scope(_current, tuple(groups))


def current_groups() -> Groups:
    """The blocks of rows in force."""
    if not _current:
        fix = "Wrap the call in dareps.maths.domains.group_scope."
        raise ContractError("domain normalisation", "no rows-to-domains scope is in force", fix=fix)
    return _current[-1]


@dataclass(frozen=True, slots=True)
class NormFactory:
    """Makes the normalisation layers of an encoder under one policy.

    Attributes:
        policy: `joint` normalises all rows of a step together; `per_domain` each domain by its own statistics with a
            common affine map; `adabn` likewise, and a domain that no phase reads has the statistics of all its train
            rows, layer by layer (Li et al., 2016), where `per_domain` takes one batch of them; `domain_specific` with
            affine maps of their own (DSBN, Chang et al., CVPR 2019); `frozen` uses the running statistics as they are
            and never moves them.
        domains: Number of domains.
    """

    policy: Policy
    domains: int

    def __call__(self, channels: int) -> DomainNorm:
        """A layer for (n, channels, ...) inputs."""
        return DomainNorm(channels, self.policy, self.domains)


class DomainNorm(nn.Module):
    """Batch normalisation (Ioffe & Szegedy, ICML 2015) with statistics by policy; x is (n, c, ...).

    Args:
        channels: c.
        policy: See `NormFactory`.
        domains: Number of domains.
        momentum: Weight of the newest batch in the running statistics.
        eps: Added to the variance.
    """

    def __init__(self, channels: int, policy: Policy, domains: int, momentum: float = 0.1, eps: float = 1e-5) -> None:
        super().__init__()
        self.policy, self.momentum, self.eps = policy, momentum, eps
        self.own = policy in ("per_domain", "adabn", "domain_specific")
        self.calibrating = False
        self.stochastic, self.place = 0.0, "norm"
        statistics = domains if self.own else 1
        affine = domains if policy == "domain_specific" else 1
        self.weight = nn.Parameter(torch.ones(affine, channels))
        self.bias = nn.Parameter(torch.zeros(affine, channels))
        # One buffer a domain: a mapped batch_norm writes back into whole buffers, not into rows of one.
        for domain in range(statistics):
            self.register_buffer(f"running_mean_{domain}", torch.zeros(channels))
            self.register_buffer(f"running_var_{domain}", torch.ones(channels))

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Scale 1, shift 0, and statistics of standard normal rows."""
        for name, value in (*self.named_parameters(), *self.named_buffers()):
            value.fill_(1.0 if name == "weight" or name.startswith("running_var") else 0.0)

    def forward(self, x: Tensor) -> Tensor:
        """Normalised x, same shape."""
        if not self.own:
            return self._normalise(x, 0)
        groups = current_groups()
        if len(groups) == 1:
            return self._normalise(x, groups[0][0])
        blocks = torch.split(x, [rows for _, rows in groups])
        return torch.cat([self._normalise(block, domain) for block, (domain, _) in zip(blocks, groups, strict=True)])

    def _normalise(self, x: Tensor, domain: int) -> Tensor:
        affine = domain if self.policy == "domain_specific" else 0
        updates = self.calibrating or (self.training and self.policy != "frozen")
        mean, var = getattr(self, f"running_mean_{domain}"), getattr(self, f"running_var_{domain}")
        weight, bias = self.weight[affine], self.bias[affine]
        # Clones, since the batch's branch moves the statistics that this one's gradient needs.
        running = (
            F.batch_norm(x, mean.clone(), var.clone(), weight, bias, False, self.momentum, self.eps)
            if self._draws
            else None
        )
        own = F.batch_norm(x, mean, var, weight, bias, updates, self.momentum, self.eps)
        return own if running is None else torch.where(self._chosen(x, domain), running, own)

    @property
    def _draws(self) -> bool:
        """Whether some channels are normalised by the running statistics in this pass, others by the batch's."""
        return self.stochastic > 0 and self.training and not self.calibrating and self.policy != "frozen"

    def _chosen(self, x: Tensor, domain: int) -> Tensor:
        """Which channels (1, c, 1, ...) take the running statistics in this step."""
        channels = x.shape[1]
        drawn = current_noise().uniform(f"{self.place}.{domain}", (channels,)) < self.stochastic
        return drawn.view(1, channels, *(1,) * (x.dim() - 2))


def set_stochastic(module: nn.Module, probability: float | None, where: str) -> None:
    """Say with which probability the layers inside normalise a channel by the running statistics; None for never.

    Stochastic normalisation (StochNorm, Kou et al., NeurIPS 2020, algorithm 1): in training, and by the statistics as
    they were before the step, which still follows the batch. Here p selects the running branch.

    Raises:
        ConfigError: There is no layer that the probability would act on.
    """
    layers = [child for child in module.modules() if isinstance(child, DomainNorm)]
    if probability and all(layer.policy == "frozen" for layer in layers):
        what = "no layer of the method normalises by the batch's statistics"
        raise ConfigError(where, what, probability, "Leave it out, or choose another encoder or normalise: joint.")
    for layer in layers:
        layer.stochastic = probability or 0.0
