"""Office-31: things of an office in shop photographs and two cameras."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from dareps.data._base import Origin
from dareps.data._photographs import PUBLISHED, Photographs, named, placed
from dareps.types import Task

_CLASSES = named(
    """
    back_pack bike bike_helmet bookcase bottle calculator desk_chair desk_lamp desktop_computer file_cabinet
    headphones keyboard laptop_computer letter_tray mobile_phone monitor mouse mug paper_notebook pen phone
    printer projector punchers ring_binder ruler scissors speaker stapler tape_dispenser trash_can
    """
)


class Office31(Photographs):
    """Thirty-one classes of office things: `amazon` (2817 shop photographs), `dslr` (498) and `webcam` (795).

    No official test rows. The layout is the archive's: DOMAIN/images/CLASS/FILE.
    """

    domains = (
        "amazon",
        "dslr",
        "webcam",
    )
    tasks = (Task("object", "classification", 31, _CLASSES),)
    files = (
        placed("office31/amazon/images", "office31/amazon", count=2817),
        placed("office31/dslr/images", "office31/dslr", count=498),
        placed("office31/webcam/images", "office31/webcam", count=795),
    )
    by_hand = (
        "Get domain_adaptation_images.tar.gz from the authors' page,\n"
        "https://faculty.cc.gatech.edu/~judy/domainadapt/, and unpack it as office31 below a data root:\n"
        "office31/amazon/images/back_pack/frame_0001.jpg and so on."
    )
    origin = Origin(
        "Office (Saenko et al.), distributed by its authors",
        "none stated; for research",
        "Saenko et al., Adapting Visual Category Models to New Domains, ECCV 2010",
    )
    defaults: ClassVar[Mapping[str, Any]] = PUBLISHED
