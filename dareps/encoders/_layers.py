"""Layers of dareps in the place of PyTorch's, for networks that others have built."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from dareps.encoders._shapes import Norm
from dareps.errors import ConfigError
from dareps.maths.noise import Dropout, current_noise

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
_DROPOUTS: dict[type[nn.Module], bool] = {
    nn.Dropout: False,
    nn.Dropout1d: True,
    nn.Dropout2d: True,
    nn.Dropout3d: True,
}
"""Dropout layers, and whether they drop whole channels."""
_WORDS = ("chain", "adapter")
"""What parts of an encoder are called here."""


class KeyedDropout(Dropout):
    """Dropout of elements or of whole channels that may run several times in a pass, each time with noise of its own.

    Args:
        p: Probability of dropping.
        channels: Whether channels (n, c) are dropped, or elements.
    """

    def __init__(self, p: float, channels: bool) -> None:
        super().__init__(p)
        self.channels, self.calls, self.again = channels, 0, True

    def forward(self, x: Tensor) -> Tensor:
        """x (n, c, ...) with elements or channels dropped and the rest scaled by 1 / (1 - p) in training mode."""
        if not self.training or self.p == 0:
            return x
        place = f"{self.place}/{self.calls}" if self.calls else self.place
        self.calls += self.again
        shape = (*x.shape[:2], *(1,) * (x.dim() - 2)) if self.channels else tuple(x.shape)
        return x * current_noise().keep(place, shape, 1 - self.p).to(x.dtype) / (1 - self.p)


def replace_layers(net: nn.Module, norm: Norm, where: str) -> None:
    """Put layers of dareps in the place of batch normalisation and dropout, with the state of those.

    Raises:
        ConfigError: One of them has no counterpart.
    """
    made: dict[int, nn.Module] = {}
    for path, layer in list(net.named_modules(remove_duplicate=False)):
        new = made.get(id(layer)) or _counterpart(layer, norm, f"{where}: {path}")
        if new is not None:
            made[id(layer)] = new
            above, _, name = path.rpartition(".")
            setattr(net.get_submodule(above), name, new)


def keep_still(net: nn.Module) -> None:
    """Make buffers of parameters that want no gradient, and state of all buffers: what is saved is whole then."""
    for module in net.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            if not parameter.requires_grad:
                delattr(module, name)
                module.register_buffer(name, parameter.detach())
        for name, buffer in list(module.named_buffers(recurse=False)):
            if name in module._non_persistent_buffers_set:
                _note(module, name)
            module.register_buffer(name, buffer)


def _note(module: Any, name: str) -> None:
    """Note a buffer that files of the network's weights do not have."""
    module.not_in_files = (*getattr(module, "not_in_files", ()), name)


def check_state(net: nn.Module, where: str) -> None:
    """Refuse networks whose weights have two names or a name that means something else here, or that hold more.

    Raises:
        ConfigError: Names the first such thing.
    """
    seen: dict[int, str] = {}
    for name, value in (*net.named_parameters(remove_duplicate=False), *net.named_buffers(remove_duplicate=False)):
        if id(value) in seen:
            fix = "Call one module twice, rather than two that hold the same."
            raise ConfigError(where, f"one tensor has two names, {seen[id(value)]} and {name}", fix=fix)
        seen[id(value)] = name
    for path, module in net.named_modules():
        word = next((word for word in _WORDS if path.split(".")[-1] == word), "place" * hasattr(module, "place"))
        if word and not isinstance(module, Dropout) and type(module).__module__.partition(".")[0] != "dareps":
            raise ConfigError(where, f"dareps calls something else {word!r}", path, "Rename this part of the network.")
    for name, state in net.state_dict().items():
        if not isinstance(state, Tensor):
            raise ConfigError(where, "the network's state is more than tensors", name, "Keep tensors in buffers.")


def _counterpart(layer: nn.Module, norm: Norm, where: str) -> nn.Module | None:
    """What takes the place of a layer; None where it may stay."""
    if type(layer) in _DROPOUTS:
        old: Any = layer
        return KeyedDropout(old.p, _DROPOUTS[type(layer)]) if old.p < 1 else None
    if not isinstance(layer, nn.modules.batchnorm._BatchNorm):
        return None
    if type(layer) not in _NORMS or layer.running_mean is None:
        what = "this batch normalisation cannot follow the recipe's normalise"
        fix = "Use PyTorch's own layers, with running statistics."
        raise ConfigError(where, what, type(layer).__name__, fix)
    return _normalisation(layer, norm)


@torch.no_grad()
def _normalisation(old: nn.modules.batchnorm._BatchNorm, norm: Norm) -> nn.Module:
    """A layer that follows the recipe, with the other's statistics and scale for every domain."""
    new: Any = norm(old.num_features)
    new.eps, new.momentum = old.eps, 0.1 if old.momentum is None else old.momentum
    for name in ("weight", "bias"):
        value = getattr(old, name)
        if value is None:
            _note(new, name)
        else:
            getattr(new, name).copy_(value)
        if name not in dict(old.named_parameters(recurse=False)):  # It has none, or one that keeps still.
            fixed = getattr(new, name).detach()
            delattr(new, name)
            new.register_buffer(name, fixed)
    for name, buffer in new.named_buffers(recurse=False):
        if name.startswith("running_"):
            buffer.copy_(getattr(old, name.rpartition("_")[0]))
    module: nn.Module = new
    return module
