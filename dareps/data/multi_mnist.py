"""MultiMNIST: two overlaid handwritten digits, of which each is a task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from dareps.data._base import DomainRows, Origin
from dareps.data._image_set import ImageSet
from dareps.data.digits import Digits
from dareps.types import Task


class MultiMnist(ImageSet):
    """Two MNIST digits in one 28x28 image, `left` above `right`; 60000/10000 rows, each digit once on either side.

    The left digit lies at the upper left corner of a 36x36 canvas and a keyed other one of the same part at the lower
    right; where they meet the brighter pixel stays, and the canvas is reduced to 28x28 bilinearly. Sener & Koltun
    (NeurIPS 2018) describe this set without publishing its rows, so these are rows of the same kind, not
    the same ones.
    """

    domains = ("mnist",)
    shape = (1, 28, 28)
    tasks = tuple(Task(side, "classification", 10, tuple("0123456789")) for side in ("left", "right"))
    files = tuple(file for file in Digits.files if file.path.startswith("MNIST/"))
    origin = Origin(
        "MNIST: LeCun, Cortes & Burges; overlaid by dareps",
        "CC BY-SA 3.0",
        "Sabour, Frosst & Hinton, NeurIPS 2017; Sener & Koltun, NeurIPS 2018",
    )
    defaults: ClassVar[Mapping[str, Any]] = {
        "encoder": {"name": "digit_cnn", "channels": [10, 20], "width": 50},
        "normalise": "per_domain",
        "steps": 3000,
        "batch": 128,
        "optimizer": {"name": "adam", "lr": 0.001},
    }

    def rows(self, domain: str) -> DomainRows:
        """Pixels (n, 1, 28, 28) uint8 with both digits (n,), and the official test rows, overlaid likewise."""
        from dareps.data._multi_mnist import read_pairs

        return DomainRows(*read_pairs(self.name, "train"), *read_pairs(self.name, "test"))
