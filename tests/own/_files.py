"""Files of rows as people have them."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import numpy as np

HEAD = ("age", "income", "city")
CITIES = ("Bern", "Basel, Stadt", "Chur")


def cells(n: int = 40, seed: int = 0) -> list[tuple[float, float | None, str | None, str]]:
    """Rows of age, income with gaps, city with gaps and a label."""
    draw = np.random.default_rng(seed)
    found = []
    for number in range(n):
        age, income = round(float(draw.normal(40, 10)), 1), round(float(draw.normal(3000, 800)), 2)
        city = CITIES[int(draw.integers(3))]
        label = "yes" if age + income / 100 > 70 else "no"
        found.append((age, None if number % 7 == 3 else income, None if number % 11 == 5 else city, label))
    return found


def text(
    rows: list[tuple[float, float | None, str | None, str]],
    separator: str = ",",
    comma: bool = False,
    header: bool = True,
    gap: str = "",
    label: bool = True,
) -> str:
    """The rows as a text table."""

    def written(cell: object) -> str:
        if cell is None:
            return gap
        return str(cell).replace(".", ",") if comma and isinstance(cell, float) else str(cell)

    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator)
    if header:
        writer.writerow([*HEAD, *(["bought"] if label else [])])
    writer.writerows([[written(cell) for cell in (row if label else row[:3])] for row in rows])
    return out.getvalue()


def save(path: Path, content: str, encoding: str = "utf-8") -> Path:
    """Write a text, packed if its name says so."""
    data = content.encode(encoding)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def images(folder: Path, classes: tuple[str, ...] = ("cat", "dog"), count: int = 4) -> Path:
    """A folder of small images of several modes, sizes and kinds of file."""
    from PIL import Image

    draw = np.random.default_rng(len(classes))
    modes = ("RGB", "L", "RGBA", "P", "1", "I;16", "CMYK")
    for place, name in enumerate(classes or ("",)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            mode = modes[(number + place) % len(modes)]
            size = (20 + 7 * number, 30 + place)
            pixels = draw.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8) // 2 + 100 * place
            picture = Image.fromarray(pixels.astype(np.uint8))
            if mode == "I;16":
                picture = Image.fromarray(pixels[..., 0].astype(np.uint16) * 200)
            else:
                picture = picture.convert(mode)
            ending = "jpg" if mode in ("RGB", "L", "CMYK") else "png"
            picture.save(folder / name / f"{number:02d}.{ending}")
    return folder
