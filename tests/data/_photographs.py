"""Small folders of photographs in the layouts of public archives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 12


def photograph(path: Path, seed: int, size: tuple[int, int] = (14, 10)) -> None:
    """A random picture as a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(seed)
    Image.fromarray(draw.integers(0, 256, (*size, 3), dtype=np.uint8)).save(path)


def tree(folder: Path, classes: Sequence[str], each: int = 1) -> None:
    """A sub-folder with some pictures for each class."""
    for number, name in enumerate(classes):
        for count in range(each):
            photograph(folder / name / f"{count:04}.png", 100 * number + count)


def domain_net(folder: Path, domain: str, classes: Sequence[str], parts: Sequence[str] = ("train", "test")) -> None:
    """Pictures of a domain of DomainNet with its official lists, the later of two pictures of a class for the test."""
    tree(folder / domain, classes, each=len(parts))
    for count, part in enumerate(parts):
        lines = [f"{domain}/{name}/{count:04}.png {number}" for number, name in enumerate(classes)]
        (folder / f"{domain}_{part}.txt").write_text("\n".join(lines) + "\n")
