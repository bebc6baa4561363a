from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.preprocessing import StandardScaler, normalize

from dareps.data import _choice
from dareps.data._base import DomainRows, Fitted
from dareps.data._choice import choose
from dareps.data._feature_names import Auto, RowNorm, Transform
from dareps.data._transforms import ROW_NORMS, TRANSFORMS, inverse_frequencies
from dareps.errors import DataError

from ._drawn import Counts

COUNTS = hnp.arrays(np.float32, st.tuples(st.integers(2, 12), st.just(4)), elements=st.integers(0, 9).map(float))
TRANSFORM = st.sampled_from(["counts", "log", "binary", "tfidf"])
NORM = st.sampled_from(["none", "l1", "l2"])
STANDARDISE = st.sampled_from(["none", "domain"])


def fit(settings: Counts, source: np.ndarray, target: np.ndarray) -> Fitted:
    labels = np.arange(len(source)) % 2
    return settings.fit({"a": DomainRows(source, {"kind": labels})}, {"b": target})


@given(source=COUNTS, target=COUNTS)
def test_tfidf_is_the_smooth_idf_of_source_and_target(source: np.ndarray, target: np.ndarray) -> None:
    fitted = fit(Counts(transform="tfidf", row_norm="none"), source, target)
    both = np.concatenate([source, target])
    peer = TfidfTransformer(norm=None, smooth_idf=True).fit(both)
    assert np.allclose(fitted.state["idf"], peer.idf_, rtol=1e-5)
    assert np.allclose(fitted.apply(source, "a"), np.log1p(source) * peer.idf_, rtol=1e-5)


@given(x=COUNTS, row=st.integers(0, 3))
def test_idf_falls_with_the_number_of_rows_that_hold_a_feature(x: np.ndarray, row: int) -> None:
    assert np.all(inverse_frequencies([x]) >= 1)
    more = x.copy()
    more[:, row] = 1
    idf = inverse_frequencies([more])
    assert idf[row] == pytest.approx(1)
    assert np.all(idf >= idf[row])
    assert np.array_equal(inverse_frequencies([x, more]), inverse_frequencies([np.concatenate([x, more])]))


@given(x=COUNTS, norm=st.sampled_from(["l1", "l2"]), transform=TRANSFORM)
def test_rows_have_unit_norm_or_stay_zero(x: np.ndarray, norm: RowNorm, transform: Transform) -> None:
    plain = fit(Counts(transform=transform, row_norm="none"), x, x).apply(x, "a")
    unit = fit(Counts(transform=transform, row_norm=norm), x, x).apply(x, "a")
    assert np.allclose(unit, normalize(plain, norm), atol=1e-6)


@given(source=COUNTS, target=COUNTS)
def test_columns_are_standardised_within_their_domain(source: np.ndarray, target: np.ndarray) -> None:
    fitted = fit(Counts(transform="log", row_norm="none", standardise="domain"), source, target)
    for domain, x in (("a", source), ("b", target)):
        varies = x.max(axis=0) > x.min(axis=0)
        expected = np.where(varies, StandardScaler().fit_transform(np.log1p(x).astype(np.float64)), 0)
        assert np.allclose(fitted.apply(x, domain), expected, atol=1e-4)


@given(source=COUNTS, target=COUNTS, fresh=COUNTS, transform=TRANSFORM, norm=NORM, standardise=STANDARDISE)
def test_a_restored_transform_is_the_same_on_unseen_rows(
    source: np.ndarray, target: np.ndarray, fresh: np.ndarray, transform: Transform, norm: RowNorm, standardise: str
) -> None:
    settings = Counts.model_validate({"transform": transform, "row_norm": norm, "standardise": standardise})
    fitted = fit(settings, source, target)
    restored = Counts().restore({name: np.array(value) for name, value in fitted.state.items()})
    for domain in ("a", "b"):
        result = fitted.apply(fresh, domain)
        assert result.dtype == np.float32
        assert np.isfinite(result).all()
        assert np.array_equal(result, restored.apply(fresh, domain))


@given(x=COUNTS, transform=TRANSFORM, norm=NORM, standardise=STANDARDISE)
def test_raw_rows_are_left_alone(x: np.ndarray, transform: Transform, norm: RowNorm, standardise: str) -> None:
    before = x.copy()
    settings = Counts.model_validate({"transform": transform, "row_norm": norm, "standardise": standardise})
    fit(settings, x, x).apply(x, "a")
    assert np.array_equal(x, before)


def test_rows_that_do_not_fit_are_one_message() -> None:
    x = np.ones((4, 4), dtype=np.float32)
    fitted = fit(Counts(transform="log", row_norm="none", standardise="domain"), x, x)
    with pytest.raises(DataError, match="rows of 4 features"):
        fitted.apply(x[:, :3], "a")
    with pytest.raises(DataError, match="this domain is not known, got 'c'"):
        fitted.apply(x, "c")
    with pytest.raises(DataError, match="never negative, got -1"):
        fitted.apply(-x, "a")
    assert fit(Counts(transform="counts", row_norm="none"), x, x).apply(-x, "a")[0, 0] == -1


def words(n: int, informative: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows in which the label shows either in which words occur, or only in how often they do."""
    generator = np.random.Generator(np.random.Philox(key=seed))
    y = np.arange(n) % 2
    x = generator.poisson(0.3, (n, 40)).astype(np.float32)
    if informative == "counts":
        x[:, 0] = np.where(y == 1, 9, 1)
        x[:, 1:] = 3 * x[:, 1:] + generator.integers(0, 2, (n, 39)) * 20
    else:
        x[:, 0] = y * generator.integers(1, 50, n)
    return x, y


def chosen(transform: Transform | Auto, norm: RowNorm | Auto, x: np.ndarray, y: np.ndarray) -> tuple[str, str]:
    return choose(transform, norm, {"a": x}, {"a": y})


def test_auto_sees_source_rows_alone_and_repeats_itself() -> None:
    x, y = words(90, "words")
    target = np.ones((5, 40), dtype=np.float32)
    settings = Counts(transform="auto", row_norm="auto")
    source = {"a": DomainRows(x, {"kind": y})}
    first, second = (settings.fit(source, {"b": factor * target}).state["codes"] for factor in (1, 7))
    assert np.array_equal(first, second)
    assert chosen("auto", "auto", x, y) == chosen("auto", "auto", x, y)


def test_auto_takes_what_separates_the_classes() -> None:
    assert chosen("auto", "none", *words(120, "counts"))[0] != "binary"
    assert chosen("auto", "none", *words(120, "words"))[0] != "counts"
    assert chosen("log", "l1", *words(12, "words")) == ("log", "l1")


def test_a_choice_is_kept_in_the_cache(empty_cache: Path) -> None:
    x, y = words(60, "words", seed=1)
    first = chosen("auto", "auto", x, y)
    _choice._chosen.clear()
    (stored,) = (empty_cache / "built").glob("choice-*.npz")
    other = [TRANSFORMS.index("binary"), ROW_NORMS.index("l1")]
    np.savez(stored, codes=np.array(other))
    assert chosen("auto", "auto", x, y) == ("binary", "l1") != first
    _choice._chosen.clear()


def test_auto_works_on_sources_too_small_to_cut() -> None:
    x, y = np.eye(2, dtype=np.float32), np.array([0, 1])
    assert chosen("auto", "auto", x, y) == ("tfidf", "l2")
    assert chosen("auto", "none", x, y) == ("tfidf", "none")


def test_auto_leaves_features_that_are_no_counts() -> None:
    x, y = words(60, "words")
    assert chosen("auto", "auto", x - 1, y)[0] == "counts"
