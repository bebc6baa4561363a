from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dareps.data._base import Fitted
from dareps.data._text import fit_vocabulary, restore_vocabulary, terms
from dareps.errors import DataError

WORDS = st.sampled_from(["a", "bad", "c", "good", "\xe9t\xe9", "!"])
TEXTS = st.lists(st.lists(WORDS, max_size=8).map(" ".join), min_size=1, max_size=8)
SPACES = st.sampled_from([" ", "  ", "\x85", "\xa0", "\t"])


def column(texts: list[str]) -> np.ndarray:
    rows = np.empty((len(texts), 1), dtype=object)
    rows[:, 0] = texts
    return rows


@given(text=st.lists(WORDS, max_size=8), space=SPACES)
def test_terms_are_words_and_neighbours(text: list[str], space: str) -> None:
    assert list(terms(space.join(text), pairs=False)) == text
    both = [*text, *(f"{first} {second}" for first, second in pairwise(text))]
    assert list(terms(space.join(text), pairs=True)) == both


@given(texts=TEXTS, pairs=st.booleans(), size=st.integers(1, 30))
def test_counts_are_those_of_a_count_by_hand(texts: list[str], pairs: bool, size: int) -> None:
    vocabulary = fit_vocabulary("data here", [column(texts)], size, pairs)
    counts = vocabulary.counts(column(texts))
    assert counts.shape == (len(texts), size)
    for row, text in zip(counts, texts, strict=True):
        expected = Counter(terms(text, pairs))
        assert {word: row[place] for place, word in enumerate(vocabulary.words)} == {
            word: expected[word] for word in vocabulary.words
        }
    assert not counts[:, len(vocabulary.words) :].any()


@given(first=TEXTS, second=TEXTS, size=st.integers(1, 12))
def test_the_vocabulary_is_the_words_in_most_rows(first: list[str], second: list[str], size: int) -> None:
    vocabulary = fit_vocabulary("data here", [column(first), column(second)], size, pairs=True)
    frequency = Counter(word for text in (*first, *second) for word in set(terms(text, True)))
    assert list(vocabulary.words) == sorted(frequency, key=lambda word: (-frequency[word], word))[:size]
    again = fit_vocabulary("data here", [column(second[::-1]), column(first)], size, pairs=True)
    assert again == vocabulary


@given(texts=TEXTS, pairs=st.booleans())
def test_a_restored_transform_is_the_fitted_one(texts: list[str], pairs: bool) -> None:
    inner = Fitted({"own": np.ones(1)}, lambda x, domain: x * 2, lambda x, domain: x + 1)
    fitted = fit_vocabulary("data here", [column(texts)], 10, pairs).around(inner)
    again = restore_vocabulary("data here", fitted.state).around(inner)
    assert set(fitted.state) == {"own", "words", "words/shape"}
    for transform in (fitted, again):
        counts = fit_vocabulary("data here", [column(texts)], 10, pairs).counts(column(texts))
        assert np.array_equal(transform.apply(column(texts), "a"), counts * 2)
        assert transform.before is not None
        assert np.array_equal(transform.before(column(texts), "a"), counts + 1)


def test_a_plain_transform_has_nothing_before_it() -> None:
    inner = Fitted({}, lambda x, domain: x)
    assert fit_vocabulary("data here", [column(["a"])], 3, False).around(inner).before is None


def test_unseen_words_count_nothing_and_many_are_capped() -> None:
    vocabulary = fit_vocabulary("data here", [column(["a b"])], 4, pairs=False)
    assert vocabulary.counts(column(["x y", "", "b " * 70000])).tolist() == [[0] * 4, [0] * 4, [0, 65535, 0, 0]]


@pytest.mark.parametrize(
    "rows", [np.zeros((3, 1)), np.array(["a", "b"]), column(["a"])[:, [0, 0]], np.array([[1], ["a"]], dtype=object)]
)
def test_other_rows_are_one_message(rows: np.ndarray) -> None:
    vocabulary = fit_vocabulary("data here", [column(["a b"])], 4, pairs=False)
    with pytest.raises(DataError, match=r"data here: expected texts.*Give an array of texts"):
        vocabulary.counts(rows)
