"""What descriptions ask for that rows of their form cannot have."""

from __future__ import annotations

from typing import Final

from dareps.data.own.description import Description, Transforms
from dareps.errors import ConfigError

MOST: Final = 1000
"""A column has at most this many categories with places of their own."""


def refuse_misfits(description: Description) -> None:
    """Refuse transforms and columns that do not go together with what rows are.

    Raises:
        ConfigError: Names the first of them.
    """
    where, asked = f"data {description.name}", description.transforms
    if description.form == "table" and asked.row_norm != "none":
        what = "columns of a table have no unit in common, so rows have no norm"
        raise ConfigError(f"{where}: transforms.row_norm", what, asked.row_norm, "Leave it out.")
    plain = description.crop is None and description.pixels == "unit"
    if description.form != "images" and not plain:
        what = f"only images have a middle and pixels, not {description.form}"
        raise ConfigError(f"{where}: crop, pixels", what, (description.crop, description.pixels), "Leave them out.")
    if description.form in ("series", "images") and asked.numbers in ("log", "rank"):
        what = f"{description.form} are scaled by channel or left alone"
        raise ConfigError(f"{where}: transforms.numbers", what, asked.numbers, "Say standard or none.")
    for name, own in description.columns.items():
        if own.kind == "category" and own.transform is not None:
            fix = "Leave it out, or say kind: number."
            raise ConfigError(f"{where}: columns.{name}.transform", "categories have none", own.transform, fix)
        if len(own.categories) > MOST:
            what = f"at most {MOST} categories have places of their own"
            fix = "List the most common ones; others share a place."
            raise ConfigError(f"{where}: columns.{name}.categories", what, len(own.categories), fix)


def refuse_pixels(name: str, asked: Transforms) -> None:
    """Refuse transforms of images that go in as they are.

    Raises:
        ConfigError: One is asked for.
    """
    if asked != Transforms():
        told = asked.model_dump(exclude_defaults=True)
        raise ConfigError(f"data {name}: transforms", "images of bytes go in as they are", told, "Leave it out.")
