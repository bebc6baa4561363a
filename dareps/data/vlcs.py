"""VLCS: four sets of photographs of five classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from dareps.data._base import Origin
from dareps.data._photographs import PUBLISHED, Photographs, placed
from dareps.types import Task

_CLASSES = ("bird", "car", "chair", "dog", "person")


class VLCS(Photographs):
    """Five classes that four sets of photographs share: `caltech` (1415), `labelme` (2656), `sun` (3282), `voc` (3376).

    No official test rows. The layout is that of DomainBed's archive: DOMAIN/CLASS/FILE.
    """

    domains = (
        "caltech",
        "labelme",
        "sun",
        "voc",
    )
    tasks = (Task("object", "classification", 5, _CLASSES),)
    files = (
        placed("vlcs/Caltech101", "VLCS/Caltech101", count=1415),
        placed("vlcs/LabelMe", "VLCS/LabelMe", count=2656),
        placed("vlcs/SUN09", "VLCS/SUN09", count=3282),
        placed("vlcs/VOC2007", "VLCS/VOC2007", count=3376),
    )
    by_hand = (
        "Get VLCS.tar.gz, for instance from https://drive.google.com/uc?id=1skwblH1_okBwxWxmRsp9_qi15hyPpxg8,\n"
        "and unpack it as vlcs below a data root: vlcs/Caltech101/bird/..., vlcs/LabelMe/bird/... and so on."
    )
    origin = Origin(
        "Caltech-101, LabelMe, SUN09 and VOC2007, put together by Fang et al.",
        "none stated; for research",
        "Fang et al., Unbiased Metric Learning, ICCV 2013",
    )
    defaults: ClassVar[Mapping[str, Any]] = PUBLISHED
