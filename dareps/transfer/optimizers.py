"""The shipped optimizers: PyTorch's fused ones, whose counters never go back to the host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from dareps.plugin import Tune
from dareps.transfer._optimizer import Optimizer, Parameters

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Adam as TorchAdam
    from torch.optim import Optimizer as TorchOptimizer


class SGD(Optimizer):
    """Stochastic gradient descent with momentum."""

    lr: Annotated[float, Tune(0.3, 3.0, log=True, relative=True)] = Field(0.01, gt=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    """Share of the last update that is kept."""
    nesterov: bool = False
    """Look ahead along the momentum."""

    def build(self, parameters: Parameters, lr: Tensor, capturable: bool) -> TorchOptimizer:
        """`torch.optim.SGD`, fused."""
        from torch import optim, zeros_like

        optimizer = optim.SGD(
            parameters,
            lr=lr,
            momentum=self.momentum,
            nesterov=self.nesterov and self.momentum > 0,
            weight_decay=self.weight_decay,
            fused=True,
        )
        # The fused step fails where some parameters have momentum and others have not been in a step yet. From 0 the
        # first step leaves the gradient, as torch's own does.
        moving = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        for parameter in moving if self.momentum else ():
            optimizer.state[parameter]["momentum_buffer"] = zeros_like(parameter)
        return optimizer


class Adam(Optimizer):
    """Adam (Kingma & Ba, ICLR 2015); weight decay enters the gradient."""

    beta1: float = Field(0.9, ge=0, lt=1)
    """Decay of the mean gradient."""
    beta2: float = Field(0.999, ge=0, lt=1)
    """Decay of the mean squared gradient."""
    eps: float = Field(1e-8, gt=0)
    """Added to the root of the mean squared gradient."""

    def build(self, parameters: Parameters, lr: Tensor, capturable: bool) -> TorchOptimizer:
        """`torch.optim.Adam`, fused."""
        from torch import optim

        return self._build(optim.Adam, parameters, lr, capturable)

    def _build(self, kind: type[TorchAdam], parameters: Parameters, lr: Tensor, capturable: bool) -> TorchOptimizer:
        betas, decay = (self.beta1, self.beta2), self.weight_decay
        return kind(parameters, lr=lr, betas=betas, eps=self.eps, weight_decay=decay, fused=True, capturable=capturable)


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter, ICLR 2019)."""

    name = "adamw"
    weight_decay: float = Field(0.01, ge=0)

    def build(self, parameters: Parameters, lr: Tensor, capturable: bool) -> TorchOptimizer:
        """`torch.optim.AdamW`, fused."""
        from torch import optim

        return self._build(optim.AdamW, parameters, lr, capturable)
