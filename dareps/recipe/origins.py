"""What a run's key says of files of weights: what is in them, and not where they lie."""

from __future__ import annotations

from typing import Any

from dareps.recipe.settings import Recipe
from dareps.transfer.pretrained import checksum_of


def by_content(method: dict[str, Any], recipe: Recipe) -> dict[str, Any]:
    """A recipe's plain settings with checksums in the place of paths.

    Raises:
        ConfigError: There is no such file.
    """
    changed = dict(method)
    if recipe.pretrained is not None:
        changed["pretrained"] = {**method["pretrained"], "file": checksum_of(recipe.pretrained.path())}
    if recipe.encoder is not None:
        changed["encoder"] = {**method["encoder"], **recipe.encoder.keyed(checksum_of)}
    return changed
