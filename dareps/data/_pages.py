"""Pages as classes, words and thumbnails; see `dareps.data.pages.Pages`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dareps.data._base import Fitted
from dareps.data._draws import generator, strata, uniform
from dareps.data._page_names import COMMON_WORDS, DOMAINS, GENRES, REGISTER_WORDS, SIDE, TOPIC_WORDS, TOPICS, WORDS
from dareps.data._transforms import column_statistics
from dareps.errors import DataError

VERSION = 1
PIXELS = SIDE * SIDE
TOPICAL, REGISTER = 0.25, 0.2
"""Shares of a page's words that its topic and its register choose; the rest is common to all."""
OWN, TONE = 0.65, 0.85
"""Of topical words, the share that is not the pair's other topic's; and how often a tone is the topic's usual one."""
OFTEN = 0.75
"""Share of register words that are of the page's own register."""
DARK, LIGHT = 0.25, 0.6


@dataclass(frozen=True, slots=True)
class Style:
    """The settings of `dareps.data.pages.Pages` that rows and full labels depend on, for one part."""

    count: int
    words: int
    look_alike: float
    noise: float
    shift: float


@dataclass(frozen=True, slots=True)
class Plan:
    """n pages as numbers, all (n,): classes, and which layout and tone they are drawn in.

    Attributes:
        topic: Position in `TOPICS`.
        genre: Position in `GENRES`.
        layout: Position in `GENRES` of the genre that the page looks like.
        tone: 0 for dark, 1 for light blocks.
    """

    topic: np.ndarray
    genre: np.ndarray
    layout: np.ndarray
    tone: np.ndarray


def planned(domain: str, part: str, style: Style) -> Plan:
    """The pages of a part (`train` or `test`) of a domain: every pair of topic and genre equally often."""
    key = ("pages", VERSION, domain, part)
    pair = np.arange(style.count) % (len(TOPICS) * len(GENRES))
    topic, genre = pair % len(TOPICS), pair // len(TOPICS)
    # The other genre of the same build differs in the last bit.
    twin = strata(genre, *key, "layout") < style.look_alike / 2
    unusual = strata(topic, *key, "tone") >= TONE
    return Plan(topic, genre, genre ^ twin, topic % 2 ^ unusual)


def word_shares(domain: str, shift: float) -> np.ndarray:
    """P(word | topic, register) as (topics, registers, words); rows sum to 1.

    Of every topic's words the first three belong to both domains, the next two to the first and the last two to the
    second: a domain uses the other's with weight 1 - shift and its own with weight 1 + shift.
    """
    weights = np.ones(TOPIC_WORDS)
    weights[3:5] += shift if domain == DOMAINS[0] else -shift
    weights[5:] -= shift if domain == DOMAINS[0] else -shift
    shares = np.zeros((len(TOPICS), 2, WORDS))
    for topic in range(len(TOPICS)):
        for owner, share in ((topic, OWN), (topic ^ 1, 1 - OWN)):
            first = owner * TOPIC_WORDS
            shares[topic, :, first : first + TOPIC_WORDS] = TOPICAL * share * weights / TOPIC_WORDS
    first = len(TOPICS) * TOPIC_WORDS
    for register in range(2):
        for owner, share in ((register, OFTEN), (1 - register, 1 - OFTEN)):
            start = first + owner * REGISTER_WORDS
            shares[:, register, start : start + REGISTER_WORDS] = REGISTER * share / REGISTER_WORDS
    shares[:, :, -COMMON_WORDS:] = (1 - TOPICAL - REGISTER) / COMMON_WORDS
    return shares


def counted(domain: str, part: str, style: Style, plan: Plan) -> np.ndarray:
    """How often each word stands on each page, (n, words) uint8: independent draws of `word_shares`."""
    edges = word_shares(domain, style.shift).cumsum(axis=2)
    draws = uniform(style.count, style.words, "pages", VERSION, domain, part, "words").T
    counts = np.zeros((style.count, WORDS), dtype=np.uint8)
    for row, (topic, genre) in enumerate(zip(plan.topic, plan.genre, strict=True)):
        found = np.searchsorted(edges[topic, genre % 2, :-1], draws[row], side="right")
        counts[row] = np.bincount(found, minlength=WORDS)
    return counts


def drawn(domain: str, part: str, style: Style, plan: Plan) -> np.ndarray:
    """Thumbnails (n, 256) uint8."""
    key = ("pages", VERSION, domain, part)
    places = uniform(style.count, 8, *key, "places").T
    away = style.shift * (domain == DOMAINS[1])
    clean = np.stack([_page(*row, away) for row in zip(plan.layout, plan.tone, places, strict=True)])
    grain = generator(*key, "noise").standard_normal(clean.shape)
    return np.rint(255 * np.clip(clean + style.noise * grain, 0, 1)).astype(np.uint8).reshape(-1, PIXELS)


def _page(layout: int, tone: int, place: np.ndarray, away: float) -> np.ndarray:
    """One clean thumbnail (16, 16): paper, a header, a bar at the side by `away`, and the layout's blocks and lines."""
    page = np.full((SIDE, SIDE), 0.95 - 0.25 * away)
    shade = (DARK, LIGHT)[tone] + 0.1 * (place[0] - 0.5)
    top = int(2 * place[1])
    page[top : top + 2, 1:-1] = shade
    page[:, :3] -= 0.3 * away
    body = page[top + 3 :, 1 + round(2 * away) : -1]
    (_article, _form, _gallery, _listing)[layout](body, shade, place[2:])
    return page


def _article(body: np.ndarray, shade: float, place: np.ndarray) -> None:
    """Lines of text over the whole width, a short one among them."""
    body[::2] = 0.45
    body[2 * int(6 * place[0]), 4 + int(6 * place[1]) :] = body[1, -1]


def _form(body: np.ndarray, shade: float, place: np.ndarray) -> None:
    """Short labels and long fields, some of them empty."""
    body[::2, : 3 + int(2 * place[0])] = 0.45
    body[::2, 6 + int(2 * place[1]) :] = 0.55


def _gallery(body: np.ndarray, shade: float, place: np.ndarray) -> None:
    """Two rows of two large pictures."""
    gap = 5 + int(3 * place[0])
    for start in (0, 6):
        body[start : start + 5, : gap - 1] = shade
        body[start : start + 5, gap + 1 :] = shade


def _listing(body: np.ndarray, shade: float, place: np.ndarray) -> None:
    """A small picture and a line or two of text in every row."""
    side = 3 + int(2 * place[0])
    for start in (0, 4, 8):
        body[start : start + 3, :side] = shade
        body[start + int(2 * place[1]), side + 1 :] = 0.45


@lru_cache(maxsize=8)
def rendered(domain: str, part: str, style: Style) -> dict[str, np.ndarray]:
    """Rows `x` (n, 256 + words) uint8, pixels first, and full labels `topic` and `genre` (n,) int64."""
    plan = planned(domain, part, style)
    x = np.concatenate([drawn(domain, part, style, plan), counted(domain, part, style, plan)], axis=1)
    return {"x": x, "topic": plan.topic.astype(np.int64), "genre": plan.genre.astype(np.int64)}


def best(domain: str, part: str, style: Style) -> dict[str, float]:
    """Accuracy by task of the most probable class given the words and, without error, the page's layout and tone.

    A thumbnail says no more about the classes than layout and tone do, so no model can be expected to be better.
    """
    plan = planned(domain, part, style)
    counts = counted(domain, part, style, plan).astype(float)
    # At full shift a domain never uses some of the words, so their count is 0 and their logarithm must not matter.
    logs = np.log(np.maximum(word_shares(domain, style.shift), 1e-300))
    words = np.einsum("nw,trw->ntr", counts, logs)
    usual = plan.tone[:, None] == np.arange(len(TOPICS)) % 2
    genres = np.arange(len(GENRES))
    same, twin = plan.layout[:, None] == genres, plan.layout[:, None] == genres ^ 1
    looks = same * (1 - style.look_alike / 2) + twin * style.look_alike / 2
    joint = np.exp(words - words.max(axis=(1, 2), keepdims=True))[:, :, genres % 2]
    joint = joint * np.where(usual, TONE, 1 - TONE)[:, :, None] * looks[:, None, :]
    return {
        "topic": float((joint.sum(axis=2).argmax(axis=1) == plan.topic).mean()),
        "genre": float((joint.sum(axis=1).argmax(axis=1) == plan.genre).mean()),
    }


@dataclass(frozen=True, slots=True)
class Prepared:
    """Rows (n, 256 + words) uint8 -> float32: pixels in [0, 1], then standardised log(1 + count).

    Attributes:
        mean: Of each word's log(1 + count), (words,).
        scale: Reciprocal deviation, likewise.
    """

    mean: np.ndarray
    scale: np.ndarray

    def __call__(self, x: np.ndarray, domain: str) -> np.ndarray:
        """Network input; raises `DataError` for other rows."""
        if x.dtype != np.uint8 or x.shape[1:] != (PIXELS + WORDS,):
            fix = f"Give uint8 rows of {PIXELS} pixels and {WORDS} counts."
            raise DataError(f"data pages/{domain}", "not its rows", (str(x.dtype), x.shape), fix)
        counts = (np.log1p(x[:, PIXELS:], dtype=np.float32) - self.mean) * self.scale
        return np.concatenate([x[:, :PIXELS].astype(np.float32) / 255, counts], axis=1)


def fit(x: list[np.ndarray]) -> Fitted:
    """Measure the words' columns on the train rows of all domains together."""
    mean, scale = column_statistics(np.log1p(np.concatenate(x)[:, PIXELS:], dtype=np.float32))
    return restore({"mean": mean, "scale": scale})


def restore(state: dict[str, np.ndarray]) -> Fitted:
    """The transform of a state."""
    return Fitted(state, Prepared(state["mean"], state["scale"]))
