"""The embedded benchmark of two views: what a page is about and of which kind it is, from its look and its words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from dareps.data._base import Dataset, DomainRows, Fitted, Origin
from dareps.data._page_names import DOMAINS, GENRES, SIDE, TOPICS, WORDS
from dareps.types import Task

if TYPE_CHECKING:
    import numpy as np

    from dareps.data._pages import Style


class Pages(Dataset):
    """Drawn pages in two views, a 16x16 grey thumbnail and counts of 64 words, with two tasks: `topic` and `genre`.

    Words tell most of the topic, but topics come in pairs that use each other's words; how dark the page's blocks are
    tells the two of a pair apart, mostly. The layout tells whether a page is made of lines (article, form) or boxes
    (gallery, listing); which of the two it is, layout and words tell together: pages look like the other genre of
    their build in `look_alike` / 2 of all cases, and articles and galleries have other words than forms and listings.

    Topics and genres are independent and balanced. The domains `magazine` and `intranet` differ by `shift`: in paper,
    margins, and the part of each topic's vocabulary that they use. There are official test rows, with all labels.
    Network input: 256 pixels in [0, 1], then 64 times log(1 + count), standardised on all train rows without labels.
    """

    domains = DOMAINS
    tasks = (Task("topic", "classification", 6, TOPICS), Task("genre", "classification", 4, GENRES))
    embedded = True
    origin = Origin("drawn by dareps", "MIT, as dareps", "none: this benchmark is the package's own")
    defaults: ClassVar[Mapping[str, Any]] = {
        "encoder": {
            "name": "two_view",
            "views": [
                {
                    "shape": [1, SIDE, SIDE],
                    "encoder": {"name": "digit_cnn", "channels": [8, 16], "kernel": 3, "padding": 1, "width": 32},
                },
                {"shape": [WORDS], "encoder": {"name": "mlp", "width": 32}},
            ],
            "width": 64,
        },
        "normalise": "per_domain",
        "steps": 300,
        "batch": 64,
        "optimizer": {"name": "adam", "lr": 0.002},
    }

    rows_per_domain: int = Field(1200, ge=48)
    """Training rows, validation included, of each domain."""
    test_rows: int = Field(960, ge=48)
    """Official test rows of each domain."""
    words: int = Field(40, ge=1, le=255)
    """Words on each page."""
    look_alike: float = Field(0.5, ge=0, le=1)
    """0: the layout alone tells the genre; 1: it tells no more than lines from boxes."""
    noise: float = Field(0.1, ge=0, le=1)
    """Standard deviation of each pixel's noise, of a range of 1."""
    shift: float = Field(0.7, ge=0, le=1)
    """0: both domains are alike; 1: they share three of seven words of a topic, and differ most in style."""
    topic_labels: float = Field(1.0, gt=0, le=1)
    """Share of the training rows, of every topic, that have a label of `topic`."""
    genre_labels: float = Field(1.0, gt=0, le=1)
    """Share of the training rows, of every genre, that have a label of `genre`; drawn apart from `topic_labels`."""

    def rows(self, domain: str) -> DomainRows:
        """Rows (n, 320) uint8 and both labels (n,), -1 where one is missing, with the official test rows."""
        from dareps.data._draws import kept
        from dareps.data._pages import rendered

        train, test = (rendered(domain, part, self._style(part)) for part in ("train", "test"))
        shares = {"topic": self.topic_labels, "genre": self.genre_labels}
        y = {task: kept(train[task], share, -1, self.name, domain, task) for task, share in shares.items()}
        return DomainRows(train["x"], y, test["x"], {task: test[task] for task in shares})

    def fit(self, source: Mapping[str, DomainRows], target_x: Mapping[str, np.ndarray]) -> Fitted:
        """Measure the words' columns on source and unlabelled target train rows."""
        from dareps.data._pages import fit

        return fit([*(rows.x for rows in source.values()), *target_x.values()])

    def restore(self, state: Mapping[str, np.ndarray]) -> Fitted:
        """The transform that `fit` returned, from its saved state."""
        from dareps.data._pages import restore

        return restore(dict(state))

    def best_scores(self) -> dict[str, float]:
        """Accuracy on test rows of the most probable classes given words, layout and tone: an upper bound."""
        from dareps.data._pages import best

        found = {domain: best(domain, "test", self._style("test")) for domain in self.domains}
        return {f"accuracy of {task} on {d}": score for d, own in found.items() for task, score in own.items()}

    def checksum(self, domains: tuple[str, ...]) -> str:
        """Digest of the domains' rows and labels."""
        from dareps.data._roots import digest_of

        return digest_of(*(array for domain in domains for array in self.rows(domain).arrays()))

    def _style(self, part: str) -> Style:
        from dareps.data._pages import Style

        count = {"train": self.rows_per_domain, "test": self.test_rows}[part]
        return Style(count, self.words, self.look_alike, self.noise, self.shift)
