"""VisDA-2017: rendered models of things, and things in photographs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from dareps.data._base import Origin
from dareps.data._photographs import PUBLISHED, Photographs, named, placed
from dareps.types import Task

_CLASSES = named(
    """
    aeroplane bicycle bus car horse knife motorcycle person plant skateboard train truck
    """
)


class VisDA2017(Photographs):
    """Twelve classes: `synthetic` (152397 renderings, the challenge's training part), `real` (55388, its validation).

    No official test rows: published tables train without labels and test on all of `real`, and report the mean accuracy
    of classes, which is `balanced_accuracy` here.
    """

    name = "visda2017"
    domains = (
        "synthetic",
        "real",
    )
    tasks = (Task("object", "classification", 12, _CLASSES),)
    files = (
        placed("visda2017/train", count=152397),
        placed("visda2017/validation", count=55388),
    )
    by_hand = (
        "Get train.tar and validation.tar from http://csr.bu.edu/ftp/visda17/clf/ and unpack both in the\n"
        "folder visda2017 below a data root: visda2017/train/aeroplane/...,\n"
        "visda2017/validation/aeroplane/..."
    )
    origin = Origin(
        "VisDA-2017 challenge (Peng et al.)",
        "non-commercial research",
        "Peng et al., VisDA: The Visual Domain Adaptation Challenge, arXiv:1710.06924",
    )
    defaults: ClassVar[Mapping[str, Any]] = PUBLISHED
