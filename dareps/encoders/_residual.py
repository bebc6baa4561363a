"""Torchvision's residual networks as stages, and its weights as files."""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from pathlib import Path
from urllib.parse import urlsplit

import torch
from torch import nn

from dareps.encoders._shapes import Norm
from dareps.errors import ConfigError
from dareps.plugin import suggestion

WHERE = "encoder.weights"
_HASH = re.compile(r"-([0-9a-f]{8,})\.")


def residual_stages(model: str, channels: int, norm: Norm) -> dict[str, nn.Module]:
    """The parts of a network for images of so many channels, its classifier left out."""
    from torchvision import models

    net = models.get_model(model, norm_layer=norm)
    if channels != net.conv1.in_channels:
        first = net.conv1
        net.conv1 = nn.Conv2d(
            channels, first.out_channels, first.kernel_size, first.stride, first.padding, bias=first.bias is not None
        )
    names = ("conv1", "bn1", "relu", "maxpool")
    stages: dict[str, nn.Module] = {"stem": nn.Sequential(OrderedDict((name, getattr(net, name)) for name in names))}
    stages |= {name: getattr(net, name) for name in ("layer1", "layer2", "layer3", "layer4")}
    return {**stages, "pool": nn.Sequential(net.avgpool, nn.Flatten())}


def named_weights(model: str, name: str) -> Path:
    """The file of torchvision's weights of a name, in torch's cache; downloaded where it is not there.

    Raises:
        ConfigError: There are no weights of this name, they cannot be downloaded, or the file is damaged.
    """
    from torchvision import models

    known = models.get_model_weights(model).__members__
    if name not in known:
        raise ConfigError(
            WHERE, f"{model} has no weights of this name, and no file has it", name, suggestion(name, known)
        )
    url = known[name].url
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlsplit(url).path).name
    if not path.is_file():
        _download(url, path, name)
    if not _hash(path).startswith(_begins(path)):
        raise ConfigError(WHERE, "the file does not have the content that its name says", str(path), "Delete it.")
    return path


def _download(url: str, path: Path, name: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), _begins(path) or None, progress=False)
    except (OSError, RuntimeError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        what = f"the weights could not be downloaded ({reason})"
        fix = f"Get {path.name} where there is a network, and put it into {path.parent}; TORCH_HOME moves that folder."
        raise ConfigError(WHERE, what, name, fix) from None


def _begins(path: Path) -> str:
    """How the checksum of a file begins, by its name."""
    found = _HASH.search(path.name)
    return found[1] if found else ""


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
