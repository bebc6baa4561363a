"""Methods and files of weights for tests of what they start from."""

from __future__ import annotations

from pathlib import Path

import torch

from dareps.engine.pretrained import start_of
from dareps.recipe.method import Method
from dareps.recipe.settings import Recipe
from dareps.types import Task

SHAPE = (1, 16, 16)
TASKS = (Task("kind", "classification", 3), Task("colour", "classification", 2))
NONE: dict[str, tuple[int, ...]] = {}
CNN = {"name": "digit_cnn", "channels": (4, 6), "width": 8, "padding": 2}


def recipe_of(**settings) -> Recipe:
    """A small convolutional recipe, changed as asked."""
    return Recipe.model_validate({"encoder": CNN, "normalise": "joint", **settings})


def method_of(recipe: Recipe, shape=SHAPE, seed: int = 0, forms=NONE) -> Method:
    """The recipe's method on two tasks and two domains, with the weights that it names."""
    return Method(recipe, shape, TASKS, ("books",), ("films",), seed, forms, start_of(recipe))


def encoder_of(seed: int = 5, shape=SHAPE, **settings) -> dict[str, torch.Tensor]:
    """The encoder's weights of another method, by the names of its stages; statistics have moved."""
    method = method_of(recipe_of(**settings), shape, seed)
    start = "encoder.encoder.chain."
    found = {name.removeprefix(start): own for name, own in method.state_dict().items() if name.startswith(start)}
    return {name: own + 0.5 if "running" in name else own for name, own in found.items()}


def started(file: Path, shape=SHAPE, seed: int = 0, more=None, **settings) -> Method:
    """A method that starts from a file."""
    return method_of(recipe_of(pretrained={"file": str(file), **settings}, **(more or {})), shape, seed)


def kept(tensors, folder: Path, name: str = "weights.pt") -> Path:
    """The file into which tensors were saved."""
    torch.save(tensors, folder / name)
    return folder / name
