"""Facts of the public datasets, read from the folders in DAREPS_DATA."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest

from dareps.data._base import Dataset
from dareps.data._roots import locate_any
from dareps.data.amazon_reviews import AmazonReviews
from dareps.data.catalogue import check
from dareps.data.digits import Digits
from dareps.data.office_caltech10_surf import OfficeCaltech10Surf
from dareps.data.split import make_split
from dareps.errors import DataError
from dareps.plugin import plugins

pytestmark = [pytest.mark.data, pytest.mark.usefixtures("real_data")]

OFFICE = {"C": "caltech", "W": "webcam", "D": "dslr", "A": "amazon"}
NEAREST_NEIGHBOUR = {
    "CA": 23.7,
    "CW": 25.8,
    "CD": 25.5,
    "AC": 26.0,
    "AW": 29.8,
    "AD": 25.5,
    "WC": 19.9,
    "WA": 23.0,
    "WD": 59.2,
    "DC": 26.3,
    "DA": 28.5,
    "DW": 63.4,
}
"""Accuracy in percent of 1-NN on SURF features (Gong et al. 2012; Wang et al., MEDA, 2018, table 2)."""


def test_the_published_nearest_neighbour_row() -> None:
    from sklearn.neighbors import KNeighborsClassifier

    data = OfficeCaltech10Surf()
    rows = {short: data.rows(domain) for short, domain in OFFICE.items()}
    found = {}
    for pair in NEAREST_NEIGHBOUR:
        source, target = pair[0], pair[1]
        fitted = data.fit({OFFICE[source]: rows[source]}, {OFFICE[target]: rows[target].x})
        known, asked = (fitted.apply(rows[side].x, OFFICE[side]) for side in (source, target))
        model = KNeighborsClassifier(1, algorithm="brute").fit(known, rows[source].y["object"])
        found[pair] = 100 * model.score(asked, rows[target].y["object"])
    assert {pair: round(value, 1) for pair, value in found.items()} == NEAREST_NEIGHBOUR
    assert round(float(np.mean(list(found.values()))), 1) == 31.4


@pytest.mark.parametrize("name", sorted(plugins(Dataset)))
def test_the_data_at_hand_is_whole(name: str) -> None:
    dataset = plugins(Dataset)[name]
    if dataset.by_hand and all(locate_any((file.path, *file.others)) is None for file in dataset.files):
        pytest.skip(f"{name} has to be got by hand, and is not there")
    assert len(check(name)) == len(dataset.files) + len(dataset.domains) + len(dataset().best_scores())


def test_review_counts_and_classes() -> None:
    tests = {"books": 4465, "dvd": 3586, "electronics": 5681, "kitchen": 5945}
    for domain, count in tests.items():
        rows = AmazonReviews().rows(domain)
        assert rows.x.shape == (2000, 5000)
        assert np.bincount(rows.y["sentiment"]).tolist() == [1000, 1000]
        assert rows.test_x is not None
        assert rows.test_x.shape == (count, 5000)
        assert rows.x.dtype == rows.test_x.dtype == np.float32
        assert rows.x.min() == 0
        assert np.array_equal(rows.x, rows.x.round())


def test_a_review_split_has_official_test_rows_and_unit_rows() -> None:
    data = make_split(AmazonReviews(), ("books",), ("dvd",), 0)
    shapes = [part[0].x.shape for part in (data.source_train, data.source_validation, data.target_train)]
    assert shapes == [(1600, 5000), (400, 5000), (1600, 5000)]
    assert data.target_test[0].x.shape == (3586, 5000)
    restored = AmazonReviews().restore(data.fitted.state)
    raw = AmazonReviews().rows("dvd").test_x
    assert raw is not None
    assert np.array_equal(restored.apply(raw, "dvd"), data.target_test[0].x)
    assert np.allclose(np.linalg.norm(data.target_train[0].x, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(("source", "target", "channels"), [("mnist", "usps", 1), ("mnist", "mnist_m", 3)])
def test_digit_splits(source: str, target: str, channels: int) -> None:
    data = make_split(Digits(limit=500), (source,), (target,), 0)
    for part in (data.source_train, data.source_validation, data.target_train, data.target_test):
        assert part[0].x.shape[1:] == (channels, 28, 28)
        assert part[0].x.dtype == np.uint8
    assert len(data.source_train[0].x) == len(data.target_train[0].x) == 500


def test_the_digit_domains_show_what_they_should() -> None:
    mnist, usps, blended = (Digits().rows(domain) for domain in Digits.domains)
    assert np.bincount(mnist.y["digit"]).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(usps.y["digit"]).tolist() == [1194, 1005, 731, 658, 652, 556, 664, 645, 542, 644]
    black = mnist.x[:200] == 0
    # Where a digit has no ink the photograph shows, so colours are the photograph's; they vary, and not in unison.
    grounds = blended.x[:200].astype(int)[np.repeat(black, 3, axis=1)]
    assert grounds.std() > 30
    assert np.abs(blended.x[:200, 0].astype(int) - blended.x[:200, 1]).max() > 50
    assert np.array_equal(blended.y["digit"], mnist.y["digit"])


@pytest.mark.parametrize(
    ("name", "folder", "file", "domain"),
    [
        ("amazon_reviews", "amazon_reviews", "books_train.svmlight.gz", "books"),
        ("office_caltech10_surf", "office_caltech10_surf", "dslr_SURF_L10.mat", "dslr"),
    ],
)
@pytest.mark.parametrize("keep", [0.0, 0.5, 0.99])
def test_truncated_feature_files_are_one_message(
    real_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    folder: str,
    file: str,
    domain: str,
    keep: float,
) -> None:
    copy = tmp_path / folder
    shutil.copytree(real_data / folder, copy)
    content = (copy / file).read_bytes()
    (copy / file).chmod(0o644)
    (copy / file).write_bytes(content[: int(keep * len(content))])
    monkeypatch.setenv("DAREPS_DATA", str(tmp_path))
    with pytest.raises(DataError, match=f"{file}.*broken or truncated.*dareps data get {name}"):
        plugins(Dataset)[name]().rows(domain)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace(b"-1 ", b"7 ", 1), "labels must be -1 or 1"),
        (lambda text: text[: text.rindex(b"\n", 0, -1) + 1], "2000 rows expected, 1999 found"),
        (lambda text: text.replace(b" 0:", b" 5000:", 1), "broken or truncated"),
        (lambda text: text.replace(b":1 ", b":x ", 1), "broken or truncated"),
    ],
)
def test_wrong_review_files_are_one_message(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: object, message: str
) -> None:
    assert callable(change)
    folder = tmp_path / "amazon_reviews"
    folder.mkdir()
    text = gzip.decompress((real_data / "amazon_reviews/kitchen_train.svmlight.gz").read_bytes())
    (folder / "kitchen_train.svmlight").write_bytes(change(text))
    monkeypatch.setenv("DAREPS_DATA", str(tmp_path))
    with pytest.raises(DataError, match=message):
        AmazonReviews().rows("kitchen")
