"""Files of weights as tensors by name: runs of dareps, safetensors, and files of PyTorch that hold no code."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dareps.engine import checkpoint
from dareps.errors import CheckpointError, ConfigError

NESTS = ("state_dict", "model_state_dict", "model")
"""Keys below which training scripts keep the weights."""
PYTORCH = (".pt", ".pth", ".bin")
NETWORK = ("encoder", "heads")
"""Parts of a method that are its network."""


@dataclass(slots=True)
class WeightFile:
    """What a file holds.

    Attributes:
        tensors: Name -> tensor.
        left: Names of everything else, and why it is no weight.
        notes: How the file was read.
        made_by: For a dareps run, the name of its encoder; else empty.
    """

    tensors: dict[str, Tensor]
    left: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    made_by: str = ""


def read_weights(path: Path, where: str) -> WeightFile:
    """Read a file of weights; nothing in it is executed.

    Raises:
        ConfigError: It is no such file, damaged, or holds more than tensors and plain values.
    """
    if path.suffix == ".safetensors":
        return _safetensors(path, where)
    if path.suffix not in PYTORCH:
        fix = f"Give a run's folder, a .safetensors file, or one of {', '.join(PYTORCH)}."
        raise ConfigError(where, "not a kind of file that weights are read from", str(path), fix)
    return _plain(_unpickled(path, where), path, where)


def _safetensors(path: Path, where: str) -> WeightFile:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            if "dareps" not in (file.metadata() or {}):
                return WeightFile({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118 - not a dict
        return _of_run(*checkpoint.load(path))
    except CheckpointError as error:
        raise ConfigError(where, error.what, str(path), "Train the run again, or give another one.") from None
    except (SafetensorError, OSError, ValueError) as error:
        what = f"the file is damaged or no safetensors file ({str(error).splitlines()[0]})"
        raise ConfigError(where, what, str(path), "Get the file again.") from None


def _of_run(tensors: dict[str, Tensor], record: Mapping[str, Any]) -> WeightFile:
    weights = checkpoint.below(tensors, "model")
    encoder = record.get("run", {}).get("method", {}).get("encoder") or {}
    left = {name: "no weight of the method" for name in tensors if not name.startswith("model/")}
    left |= {name: "not of the network" for name in weights if name.partition(".")[0] not in NETWORK}
    kept = {name: value for name, value in weights.items() if name not in left}
    return WeightFile(kept, left, ["a run of dareps"], str(encoder.get("name", "")))


def _unpickled(path: Path, where: str) -> object:
    try:
        found: object = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "GLOBAL" in str(error) or "global" in str(error):
            what = "the file holds more than tensors, which could run code, so it was not read"
            fix = "Save the weights alone: torch.save(model.state_dict(), FILE)."
            raise ConfigError(where, what, str(path), fix) from None
        raise _damaged(path, where, error) from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError, TypeError, IndexError) as error:
        raise _damaged(path, where, error) from None
    return found


def _damaged(path: Path, where: str, error: Exception) -> ConfigError:
    said = "" if isinstance(error, KeyError) else str(error).strip()  # Of a wrong key the number is all there is.
    reason = (said or type(error).__name__).splitlines()[0][:120]
    return ConfigError(where, f"the file is damaged or holds no weights ({reason})", str(path), "Get the file again.")


def _plain(content: object, path: Path, where: str) -> WeightFile:
    """The weights among what a PyTorch file holds."""
    found = WeightFile({})
    while isinstance(content, Mapping) and not any(isinstance(value, Tensor) for value in content.values()):
        nest = next((key for key in NESTS if isinstance(content.get(key), Mapping)), None)
        if nest is None:
            break
        found.left |= {str(key): "no weight of the method" for key in content if key != nest}
        found.notes.append(f"the weights lie below {nest}")
        content = content[nest]
    for name, value in content.items() if isinstance(content, Mapping) else ():
        if isinstance(value, Tensor) and value.layout == torch.strided:
            found.tensors[str(name)] = value
        else:
            found.left[str(name)] = "no tensor"
    if not found.tensors:
        fix = "Save the weights: torch.save(model.state_dict(), FILE)."
        raise ConfigError(where, "the file holds no tensors by name", str(path), fix)
    return found
