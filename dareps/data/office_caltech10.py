"""Office-Caltech-10 as photographs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from dareps.data._base import Origin
from dareps.data._photographs import Photographs, named, placed
from dareps.types import Task

_CLASSES = named(
    """
    backpack bike calculator headphones keyboard laptop_computer monitor mouse mug projector
    """
)


class OfficeCaltech10(Photographs):
    """Ten classes of office things: `amazon` (958 shop photographs), `caltech` (1123), `dslr` (157) and `webcam` (295).

    The classes that Office-31 and Caltech-256 share. No official test rows. The layout is DOMAIN/CLASS/FILE. By default
    rows are 64 by 64 pixels and networks small, for training from scratch; set side, crop and encoder for others.
    """

    domains = (
        "amazon",
        "caltech",
        "dslr",
        "webcam",
    )
    tasks = (Task("object", "classification", 10, _CLASSES),)
    files = (
        placed("office_caltech10/amazon", count=958),
        placed("office_caltech10/caltech", count=1123),
        placed("office_caltech10/dslr", count=157),
        placed("office_caltech10/webcam", count=295),
    )
    by_hand = (
        "Get domain_adaptation_images.tar.gz from https://faculty.cc.gatech.edu/~judy/domainadapt/ (amazon,\n"
        "dslr, webcam) and 256_ObjectCategories.tar from https://data.caltech.edu/records/nyy15-4j048\n"
        "(caltech). Of each take ten classes, as office_caltech10/DOMAIN/CLASS/FILE below a data root:\n"
        "backpack (back_pack, 003.backpack), bike (bike, 224.touring-bike), calculator (027), headphones\n"
        "(101.head-phones), keyboard (045.computer-keyboard), laptop_computer (127.laptop-101), monitor\n"
        "(046.computer-monitor), mouse (047.computer-mouse), mug (041.coffee-mug), projector (238.video-\n"
        "projector)."
    )
    origin = Origin(
        "Office (Saenko et al.) and Caltech-256 (Griffin et al.), classes chosen by Gong et al.",
        "none stated; for research",
        "Gong et al., Geodesic Flow Kernel, CVPR 2012",
    )
    defaults: ClassVar[Mapping[str, Any]] = {
        "encoder": "conv2d",
        "normalise": "per_domain",
        "steps": 600,
        "batch": 32,
        "optimizer": {"name": "adam", "lr": 0.001},
    }

    side: int = Field(64, ge=8)
    """Side of the squares that photographs are squeezed to, bilinear."""
    crop: int | None = Field(None, ge=8)
    """Side of the middle that encoders see, where no augmentation has cropped yet; None for all."""
