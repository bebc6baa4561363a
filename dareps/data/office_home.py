"""Office-Home: things of offices and homes as art, clip art, product pictures and photographs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from dareps.data._base import Origin
from dareps.data._photographs import PUBLISHED, Photographs, named, placed
from dareps.types import Task

_CLASSES = named(
    """
    Alarm_Clock Backpack Batteries Bed Bike Bottle Bucket Calculator Calendar Candles Chair Clipboards Computer
    Couch Curtains Desk_Lamp Drill Eraser Exit_Sign Fan File_Cabinet Flipflops Flowers Folder Fork Glasses Hammer
    Helmet Kettle Keyboard Knives Lamp_Shade Laptop Marker Monitor Mop Mouse Mug Notebook Oven Pan Paper_Clip Pen
    Pencil Postit_Notes Printer Push_Pin Radio Refrigerator Ruler Scissors Screwdriver Shelf Sink Sneakers Soda
    Speaker Spoon TV Table Telephone ToothBrush Toys Trash_Can Webcam
    """
)


class OfficeHome(Photographs):
    """Sixty-five classes of things: `art` (2427), `clipart` (4365), `product` (4439) and `real_world` (4357).

    No official test rows. The layout is the archive's: DOMAIN/CLASS/FILE.
    """

    domains = (
        "art",
        "clipart",
        "product",
        "real_world",
    )
    tasks = (Task("object", "classification", 65, _CLASSES),)
    files = (
        placed("office_home/Art", count=2427),
        placed("office_home/Clipart", count=4365),
        placed("office_home/Product", count=4439),
        placed("office_home/Real World", "office_home/Real_World", count=4357),
    )
    by_hand = (
        "Get OfficeHomeDataset_10072016.zip from the authors' page,\n"
        "https://www.hemanthdv.org/officeHomeDataset.html, and unpack it as office_home below a data root:\n"
        "office_home/Art/Alarm_Clock/00001.jpg and so on."
    )
    origin = Origin(
        "Office-Home (Venkateswara et al.), distributed by its authors",
        "none stated; for research",
        "Venkateswara et al., Deep Hashing Network for Unsupervised Domain Adaptation, CVPR 2017",
    )
    defaults: ClassVar[Mapping[str, Any]] = PUBLISHED
