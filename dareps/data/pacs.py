"""PACS: photographs, art, cartoons and sketches of seven classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from dareps.data._base import Origin
from dareps.data._photographs import PUBLISHED, Photographs, placed
from dareps.types import Task

_CLASSES = ("dog", "elephant", "giraffe", "guitar", "horse", "house", "person")


class PACS(Photographs):
    """Seven classes: `art_painting` (2048), `cartoon` (2344), `photo` (1670) and `sketch` (3929).

    No official test rows. The layout is the archive's: DOMAIN/CLASS/FILE, below kfold or not.
    """

    domains = (
        "art_painting",
        "cartoon",
        "photo",
        "sketch",
    )
    tasks = (Task("object", "classification", 7, _CLASSES),)
    files = (
        placed("pacs/art_painting", "PACS/art_painting", "PACS/kfold/art_painting", count=2048),
        placed("pacs/cartoon", "PACS/cartoon", "PACS/kfold/cartoon", count=2344),
        placed("pacs/photo", "PACS/photo", "PACS/kfold/photo", count=1670),
        placed("pacs/sketch", "PACS/sketch", "PACS/kfold/sketch", count=3929),
    )
    by_hand = (
        "Get PACS.zip, for instance from https://drive.google.com/uc?id=1JFr8f805nMUelQWWmfnJR3y4_SYoN5Pd,\n"
        "and unpack its folder kfold as pacs below a data root: pacs/art_painting/dog/pic_001.jpg and so on."
    )
    origin = Origin(
        "PACS (Li et al.), distributed by its authors",
        "none stated; for research",
        "Li et al., Deeper, Broader and Artier Domain Generalization, ICCV 2017",
    )
    defaults: ClassVar[Mapping[str, Any]] = PUBLISHED
