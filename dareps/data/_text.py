"""Texts as bags of words: which words are counted, and the counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from dareps.data._base import Fitted
from dareps.errors import DataError

PREFIX = "words"
MOST = np.iinfo(np.uint16).max


def terms(text: str, pairs: bool) -> Iterator[str]:
    """The words of a tokenised text, and where `pairs` is set every two words that follow each other."""
    words = text.split()
    yield from words
    if pairs:
        yield from map(" ".join, pairwise(words))


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The terms that are counted.

    Attributes:
        where: The dataset, for errors.
        words: In the order of the columns.
        size: Number of columns; those without a term stay 0.
        pairs: Whether pairs of words are counted as well.
    """

    where: str
    words: tuple[str, ...]
    size: int
    pairs: bool
    places: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the words once."""
        object.__setattr__(self, "places", {word: place for place, word in enumerate(self.words)})

    def counts(self, x: np.ndarray) -> np.ndarray:
        """How often each term stands in each text: (n, 1) of texts -> (n, size) uint16."""
        if x.ndim != 2 or x.shape[1] != 1 or not all(isinstance(text, str) for text in x[:, 0]):
            raise DataError(self.where, "expected texts", (str(x.dtype), x.shape), "Give an array of texts (n, 1).")
        found = np.empty((len(x), self.size), dtype=np.uint16)
        for row, text in zip(found, x[:, 0], strict=True):
            known = [place for place in map(self.places.get, terms(text, self.pairs)) if place is not None]
            row[:] = np.minimum(np.bincount(np.array(known, dtype=np.int64), minlength=self.size), MOST)
        return found

    def around(self, inner: Fitted) -> Fitted:
        """The transform of texts that counts, then does what `inner` does with counts."""
        written = np.frombuffer("\n".join(self.words).encode(), dtype=np.uint8)
        state: dict[str, np.ndarray] = {
            PREFIX: written,
            f"{PREFIX}/shape": np.array([self.size, self.pairs], dtype=np.int64),
        }
        before = inner.before
        return Fitted(
            {**inner.state, **state},
            lambda x, domain: inner.apply(self.counts(x), domain),
            None if before is None else lambda x, domain: before(self.counts(x), domain),
        )


def fit_vocabulary(where: str, x: Iterable[np.ndarray], size: int, pairs: bool) -> Vocabulary:
    """The terms that stand in most of the texts (n, 1) of all domains; of equally frequent ones the first by letter."""
    frequency: Counter[str] = Counter()
    for rows in x:
        for text in rows[:, 0]:
            frequency.update(set(terms(text, pairs)))
    # Sorting a million terms by two keys takes longer than finding the smallest frequency that is needed first.
    least = sorted(frequency.values(), reverse=True)[:size][-1] if frequency else 0
    candidates = [term for term, count in frequency.items() if count >= least]
    candidates.sort(key=lambda term: (-frequency[term], term))
    return Vocabulary(where, tuple(candidates[:size]), size, pairs)


def restore_vocabulary(where: str, state: Mapping[str, np.ndarray]) -> Vocabulary:
    """The vocabulary of a state that `Vocabulary.around` wrote."""
    text = np.asarray(state[PREFIX]).tobytes().decode()
    size, pairs = (int(value) for value in state[f"{PREFIX}/shape"])
    return Vocabulary(where, tuple(text.split("\n")) if text else (), size, bool(pairs))
