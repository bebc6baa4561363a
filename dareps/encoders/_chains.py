"""Anyone's network as a chain of its parts, with normalisation and dropout of dareps in the place of PyTorch's."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from dareps.encoders._shapes import Norm, Shape
from dareps.errors import ConfigError
from dareps.maths.noise import Dropout

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
_DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout, nn.FeatureAlphaDropout)


def timm_stages(model: str, shape: Shape, norm: Norm) -> dict[str, nn.Module]:
    """The parts of a timm network without its classifier.

    Raises:
        ConfigError: timm is not installed, has no such network, or it cannot be cut into a chain.
    """
    timm, where = _timm(), f"encoder.model {model}"
    try:
        net = timm.create_model(model, pretrained=False, num_classes=0, in_chans=shape[0])
    except (RuntimeError, ValueError, TypeError) as error:
        what = f"timm cannot make this network ({str(error).splitlines()[0]})"
        raise ConfigError("encoder.model", what, model, "timm.list_models() names those that it knows.") from None
    try:
        return chain_of(net, shape, norm, where)
    except AssertionError as error:  # Transformers insist on the size of the images that they were made for.
        what = f"the network does not take rows of shape {shape} ({str(error).splitlines()[0]})"
        raise ConfigError(where, what, fix="Choose a network of convolutions, or images of its size.") from None


def timm_weights(model: str, tag: str) -> Mapping[str, Tensor]:
    """The weights that timm has under a tag.

    Raises:
        ConfigError: There are none, or they cannot be downloaded.
    """
    try:
        found: Mapping[str, Tensor] = _timm().create_model(f"{model}.{tag}", pretrained=True).state_dict()
    except (OSError, RuntimeError, ValueError) as error:
        what = f"timm cannot get these weights ({(str(error).strip() or type(error).__name__).splitlines()[0]})"
        fix = "Get the network's safetensors file where there is a network, and give its path."
        raise ConfigError("encoder.weights", what, f"{model}.{tag}", fix) from None
    return found


def chain_of(net: nn.Module, shape: Shape, norm: Norm, where: str) -> dict[str, nn.Module]:
    """The children of a network in order, once it is sure that one after the other they are the network.

    Raises:
        ConfigError: They are not, or one of their layers has no counterpart here.
    """
    parts = {name: part for name, part in net.named_children() if not isinstance(part, nn.Identity)}
    parts |= {} if _flat(parts, shape) else {"flatten": nn.Flatten()}
    if not _is_chain(net, list(parts), shape):
        what = "the network is no chain of its parts, so it has no stages"
        raise ConfigError(where, what, fix="Choose one that is, such as a residual network.")
    holder = nn.ModuleDict(parts)
    for path, layer in list(holder.named_modules()):
        new = _counterpart(layer, norm, f"{where}: {path}")
        if new is not None:
            above, _, name = path.rpartition(".")
            setattr(holder.get_submodule(above), name, new)
    check_drawn(holder, where)
    return dict(holder.items())


def _counterpart(layer: nn.Module, norm: Norm, where: str) -> nn.Module | None:
    """What takes the place of a layer; None where it may stay."""
    if type(layer) in _NORMS:
        old: Any = layer
        new: Any = norm(old.num_features)
        new.eps, new.momentum = old.eps, 0.1 if old.momentum is None else old.momentum
        return new  # type: ignore[no-any-return]
    if type(layer) is nn.Dropout:
        return Dropout(layer.p)
    skips = type(layer).__name__ == "DropPath" and bool(getattr(layer, "drop_prob", None))
    drops = skips or isinstance(layer, _DROPOUTS)
    if isinstance(layer, nn.modules.batchnorm._BatchNorm) or drops:
        fix = "Choose a network with plain batch normalisation and dropout."
        raise ConfigError(where, "this layer has no counterpart here", type(layer).__name__, fix)
    return None


def check_drawn(net: nn.Module, where: str) -> None:
    """Refuse parameters that timm draws and nobody can draw again by the run's seed.

    Raises:
        ConfigError: Names the first of them.
    """
    for path, layer in net.named_modules():
        own = [] if hasattr(layer, "reset_parameters") else layer.named_parameters(recurse=False)
        for name, value in own:
            if value.min() != value.max():
                fix = "Choose a network of plain layers."
                raise ConfigError(where, "its modules do not say how this is drawn", f"{path}.{name}", fix)


@torch.no_grad()
def _is_chain(net: nn.Module, names: Sequence[str], shape: Shape) -> bool:
    """Whether these children in turn give what the network gives, on weights none of which is 0 by design."""
    probe = copy.deepcopy(net).eval()
    for value in probe.parameters():
        value.add_(0.1 * torch.arange(value.numel()).cos().view_as(value))
    x = (0.7 * torch.arange(2 * math.prod(shape))).sin().view(2, *shape) + 0.3
    parts = {name: probe.get_submodule(name) if hasattr(probe, name) else nn.Flatten() for name in names}
    try:
        wanted, found = probe(x), _through(parts, x)
    except (RuntimeError, TypeError, NotImplementedError):
        return False
    return isinstance(found, Tensor) and found.shape == wanted.shape and torch.allclose(found, wanted)


@torch.no_grad()
def _flat(parts: Mapping[str, nn.Module], shape: Shape) -> bool:
    """Whether the parts give one row of features for each image."""
    probe = copy.deepcopy(nn.ModuleDict(parts)).eval()
    try:
        return isinstance(found := _through(dict(probe.items()), torch.zeros(2, *shape)), Tensor) and found.dim() == 2
    except (RuntimeError, TypeError, NotImplementedError):
        return True


def _through(parts: Mapping[str, nn.Module], x: Tensor) -> Tensor:
    for part in parts.values():
        x = part(x)
    return x


def _timm() -> ModuleType:
    try:
        import timm
    except ImportError:
        what = "the package timm is not installed"
        raise ConfigError("encoder timm", what, fix='Install it with pip install "dareps[timm]".') from None
    return timm  # type: ignore[no-any-return]
