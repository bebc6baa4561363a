"""Descriptions of one's own files among a recipe's plug-ins: `plugins: [my_data.yaml]`."""

from __future__ import annotations

import multiprocessing
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dareps.data.own.dataset import dataset_of
from dareps.data.own.description import Description, described, located
from dareps.errors import ConfigError
from dareps.plugin import register
from dareps.recipe.yaml_io import ENDINGS, dump, read

if TYPE_CHECKING:
    from dareps.data.own.dataset import OwnFiles

_known: dict[tuple[Path, int], type[OwnFiles]] = {}


def load_description(path: Path) -> type[OwnFiles]:
    """The dataset that a file describes, registered under its name; read once while the file stays as it is.

    Raises:
        ConfigError: It is no description, or its name is taken.
        DataError: It is not complete, and the files do not say what it leaves open.
    """
    if not path.is_file():
        raise ConfigError("plugins", "there is no such file", str(path), "Give the path of a description or plug-in.")
    stamp = path, path.stat().st_mtime_ns
    if stamp not in _known:
        settings = {"name": path.stem.replace("-", "_").lower(), **read(path)}
        found = located(described(settings, str(path)), path.parent)
        _known[stamp] = dataset_of(_told(found))
    register(_known[stamp])  # Another description may have taken the name since.
    return _known[stamp]


def _told(description: Description) -> Description:
    """The whole description; that not all rows are learned from is a warning, once and not in each worker."""
    if description.complete:
        return description
    from dareps.data.own._whole import thinned

    complete, _ = whole(description)
    if multiprocessing.parent_process() is None:
        for text in thinned(complete):
            warnings.warn(text, stacklevel=4)
    return complete


def whole(description: Description) -> tuple[Description, list[str]]:
    """The description with nothing left open, and what was found in the files; nothing where it was complete."""
    if description.complete:
        return description, []
    from dareps.data.own._infer import completed

    return completed(description)


def nearest(file: str, folders: Iterable[Path]) -> str:
    """A description of this file's name in the first of the folders that has one; else the file as it was named.

    Output folders are moved and copied, and what lies beside a result is about it.
    """
    path = Path(file)
    found = [folder / path.name for folder in folders if path.suffix in ENDINGS and (folder / path.name).is_file()]
    return str(found[0]) if found else file


def beside(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """A stored run's configuration with the descriptions that lie in its output folder."""
    method = config["method"]
    return {**config, "method": {**method, "plugins": [nearest(name, (folder,)) for name in method["plugins"]]}}


def described_text(description: Description) -> str:
    """A description as YAML; read back, it needs no other file."""
    return dump(description.model_dump(exclude_defaults=True))
