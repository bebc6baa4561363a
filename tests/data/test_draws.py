from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dareps.data._draws import kept, strata, uniform

GROUPS = hnp.arrays(np.int64, st.integers(1, 60), elements=st.integers(-1, 4))
SHARES = st.floats(0.01, 1)


@given(groups=GROUPS, share=SHARES)
def test_a_share_of_all_is_a_share_of_each_group(groups: np.ndarray, share: float) -> None:
    places = strata(groups, "here")
    assert places.min() > 0
    assert places.max() < 1
    for group in np.unique(groups):
        own = places[groups == group]
        assert len(np.unique(own)) == len(own)
        assert abs((own < share).sum() - share * len(own)) <= 0.5 + 1e-9


@given(groups=GROUPS, low=SHARES, high=SHARES)
def test_what_is_kept_is_kept_at_larger_shares(groups: np.ndarray, low: float, high: float) -> None:
    labels = np.maximum(groups, 0)
    few, many = (kept(labels, share, -1, "here") for share in sorted((low, high)))
    assert np.array_equal(few[few >= 0], labels[few >= 0])
    assert np.all((few < 0) | (few == many))
    assert np.array_equal(kept(labels, 1.0, -1, "here"), labels)


def test_numbers_lose_labels_to_nan() -> None:
    labels = np.linspace(0, 1, 200)
    few = kept(labels, 0.25, np.nan, "here")
    assert np.isfinite(few).sum() == 50
    assert np.array_equal(few[np.isfinite(few)], labels[np.isfinite(few)])


def test_draws_are_keyed_and_their_order_is_no_pattern() -> None:
    groups = np.arange(3000) % 3
    assert np.array_equal(strata(groups, "here"), strata(groups, "here"))
    places = [strata(groups, place) for place in ("here", "there")]
    assert abs(np.corrcoef(*places)[0, 1]) < 0.06
    assert abs(np.corrcoef(places[0], np.arange(3000))[0, 1]) < 0.06
    assert not np.array_equal(uniform(9, 2, "here"), uniform(9, 2, "there"))


@pytest.mark.parametrize("count", [1, 5, 30])
def test_more_rows_keep_the_first_ones(count: int) -> None:
    assert np.array_equal(uniform(count, 4, "here"), uniform(30, 4, "here")[:, :count])
