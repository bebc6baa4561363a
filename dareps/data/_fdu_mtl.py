"""The FDU-MTL files: one review per line, a label and a tokenised text."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from dareps.data._base import DomainRows
from dareps.data._roots import digest_of, require, stamp, unreadable
from dareps.data._unpack import opened

TRAIN = {
    "apparel": 1600,
    "baby": 1500,
    "books": 1600,
    "camera_photo": 1597,
    "dvd": 1600,
    "electronics": 1598,
    "health_personal_care": 1600,
    "imdb": 1600,
    "kitchen_housewares": 1600,
    "magazines": 1570,
    "mr": 1600,
    "music": 1600,
    "software": 1515,
    "sports_outdoors": 1600,
    "toys_games": 1600,
    "video": 1600,
}
TEST, VALIDATION = 400, 200
ENCODING = "iso-8859-1"
LABELS = {"0\t": 0, "1\t": 1}
Reviews = tuple[np.ndarray, np.ndarray]


def published(domain: str) -> str:
    """What a domain is called in the files' names."""
    return domain.upper() if domain == "mr" else domain


def domain_rows(dataset: str, domain: str, *, repeats: bool) -> DomainRows:
    """Texts (n, 1) and labels (n,); the last 200 train lines are for validation.

    Args:
        dataset: Whose files these are, for errors.
        domain: The domain.
        repeats: Whether train rows stay whose text is also that of a test row of any domain.
    """
    (x, y), test = (_reviews(dataset, domain, part) for part in ("train", "test"))
    number = np.arange(len(y))
    if not repeats:
        tested = {text for other in TRAIN for text in _reviews(dataset, other, "test")[0][:, 0]}
        number = number[[text not in tested for text in x[:, 0]]]
    validation = np.flatnonzero(number >= len(y) - VALIDATION)
    task = "sentiment"
    return DomainRows(x[number], {task: y[number]}, test[0], {task: test[1]}, validation)


def checksum(dataset: str, domains: tuple[str, ...]) -> str:
    """Digest of the texts and labels of these domains."""
    parts = [_reviews(dataset, domain, part) for domain in domains for part in ("train", "test")]
    return digest_of(*(array for x, y in parts for array in (np.frombuffer(_joined(x), dtype=np.uint8), y)))


def _joined(x: np.ndarray) -> bytes:
    return "\n".join(x[:, 0]).encode()


def _reviews(dataset: str, domain: str, part: str) -> Reviews:
    path = require(f"fdu_mtl/{published(domain)}.task.{part}", dataset)
    return _read(dataset, path, stamp(path), TRAIN[domain] if part == "train" else TEST)


@lru_cache(maxsize=2 * len(TRAIN))
def _read(dataset: str, path: Path, key: str, count: int) -> Reviews:
    try:
        with opened(path) as file:
            content = file.read()
    except Exception as error:
        # The reader lets zlib errors of a damaged file through.
        raise unreadable(path, dataset, error) from error
    # Of the characters that Python takes for line ends, texts hold some: only the line feed ends a review.
    lines = content.decode(ENCODING).removesuffix("\n").split("\n") if content else []
    wrong = [number for number, line in enumerate(lines, 1) if line[:2] not in LABELS]
    if len(lines) != count:
        raise unreadable(path, dataset, f"{count} reviews expected, {len(lines)} found")
    if wrong:
        raise unreadable(path, dataset, f"lines must start with 0 or 1 and a tab, and line {wrong[0]} does not")
    texts = np.empty((count, 1), dtype=object)
    texts[:, 0] = [line[2:] for line in lines]
    return texts, np.array([LABELS[line[:2]] for line in lines], dtype=np.int64)
