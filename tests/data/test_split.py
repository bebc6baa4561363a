from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dareps.data._base import LabelledPart, Part, Protocol, SplitData
from dareps.data.split import Split, make_split, parse_split
from dareps.errors import ConfigError, DataError

from ._drawn import Drawn, drawn, numbered

LABELS = st.lists(st.integers(0, 2), min_size=8, max_size=60)


PROTOCOLS = st.sampled_from(["inductive", "paper", "transductive"])


def ids(parts: tuple[Part, ...] | tuple[LabelledPart, ...], number: int = 0) -> list[int]:
    return [int(row) for row in parts[number].x[:, 0]]


def two(source: list[int], target: list[int], test: int = 0) -> type[Drawn]:
    return drawn(a=numbered(source), b=numbered(target, start=1000, test=test))


def all_ids(data: SplitData) -> list[list[int]]:
    parts = (data.source_train, data.source_validation, data.target_train, data.target_validation, data.target_test)
    return [ids(part) for part in parts]


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("digits8/fonts:scans", Split("digits8", ("fonts",), ("scans",))),
        ("amazon_reviews/books+dvd:kitchen", Split("amazon_reviews", ("books", "dvd"), ("kitchen",))),
        ("digits/mnist:usps+mnist_m", Split("digits", ("mnist",), ("usps", "mnist_m"))),
    ],
)
def test_a_split_reads_and_writes(text: str, split: Split) -> None:
    assert parse_split(text) == split
    assert str(split) == text


@pytest.mark.parametrize("text", ["", "digits8", "digits8/fonts+", "fonts:scans", "digits8/:scans", "digits8/fonts:"])
@pytest.mark.parametrize("end", ["", "+", ":x:y"])
def test_malformed_splits_say_how_to_write_one(text: str, end: str) -> None:
    with pytest.raises(ConfigError, match="DATA/SOURCE:TARGET"):
        parse_split(text + end)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("digit8/fonts:scans", "Did you mean 'digits8'"),
        ("digits8/font:scans", "Did you mean 'fonts'"),
        ("digits8/fonts:scan", "Did you mean 'scans'"),
        ("digits8/fonts:fonts", "both source and target"),
        ("amazon_reviews/books+books:dvd", "named twice"),
        ("amazon_reviews/books:dvd+dvd", "named twice"),
    ],
)
def test_wrong_names_are_one_message(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_split(text)


def test_reading_a_split_imports_neither_torch_nor_numpy() -> None:
    code = (
        "import sys; from dareps.data.split import parse_split; from dareps.data.catalogue import datasets_table;"
        "parse_split('digits8/fonts:scans'); datasets_table();"
        "bad = {'torch', 'numpy', 'scipy', 'sklearn', 'matplotlib'} & set(sys.modules); assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@given(source=LABELS, target=LABELS, seed=st.integers(0, 2**31), test=st.integers(0, 5))
def test_inductive_parts_are_disjoint_and_cover(source: list[int], target: list[int], seed: int, test: int) -> None:
    data = make_split(two(source, target, test)(), ("a",), ("b",), seed)
    train, validation, *rest = all_ids(data)
    assert sorted(train + validation) == list(range(len(source)))
    assert sorted(i for part in rest for i in part) == list(range(1000, 1000 + len(target) + test))
    assert all(rest)


@given(source=LABELS, target=LABELS, seed=st.integers(0, 2**31), test=st.integers(0, 5))
def test_the_paper_protocol_is_transductive(source: list[int], target: list[int], seed: int, test: int) -> None:
    data = make_split(two(source, target, test)(), ("a",), ("b",), seed, "paper")
    _, _, train, validation, tested = all_ids(data)
    assert train == validation == list(range(1000, 1000 + len(target)))
    assert tested == (train if not test else list(range(1000 + len(target), 1000 + len(target) + test)))


@given(source=LABELS, target=LABELS, seed=st.integers(0, 2**31), test=st.integers(0, 5))
def test_the_transductive_protocol_trains_on_the_rows_that_it_scores(
    source: list[int], target: list[int], seed: int, test: int
) -> None:
    split = two(source, target, test)()
    data, paper = (make_split(split, ("a",), ("b",), seed, protocol) for protocol in ("transductive", "paper"))
    first, _, train, validation, tested = all_ids(data)
    assert train == validation == list(range(1000, 1000 + len(target) + test))
    assert set(tested) <= set(train)
    assert (first, tested) == (all_ids(paper)[0], all_ids(paper)[4])
    # Labels of official test rows are for scoring alone, even where a recipe may read target labels.
    (known,) = data.labelled_target()
    assert ids((known,)) == list(range(1000, 1000 + len(target)))
    assert known.y["kind"].tolist() == target


@given(target=LABELS, test=st.integers(1, 9), limit=st.integers(1, 30))
def test_a_limit_takes_test_rows_last(target: list[int], test: int, limit: int) -> None:
    kind = two([0, 1] * 5, target, test)
    data = make_split(kind(limit=limit), ("a",), ("b",), 0, "transductive")
    assert len(data.target_train[0].x) == min(limit, len(target) + test)
    assert len(data.labelled_target()[0].x) == min(limit, len(target))


@given(source=LABELS, target=LABELS, seed=st.integers(0, 2**31))
def test_labels_follow_their_rows(source: list[int], target: list[int], seed: int) -> None:
    data = make_split(two(source, target)(), ("a",), ("b",), seed)
    for part in (data.source_train, data.source_validation):
        assert part[0].y["kind"].tolist() == [source[i] for i in ids(part)]
    for name, rows in (
        ("train", data.target_train),
        ("validation", data.target_validation),
        ("test", data.target_test),
    ):
        sealed = data.sealed.open_for_scorer(name, "b")["kind"]
        assert sealed.tolist() == [target[i - 1000] for i in ids(rows)]
    assert data.labelled_target()[0].y["kind"].tolist() == [target[i - 1000] for i in ids(data.target_train)]


@given(source=LABELS, target=LABELS, garbage=st.data(), protocol=PROTOCOLS)
def test_no_cut_depends_on_target_labels(
    source: list[int], target: list[int], garbage: st.DataObject, protocol: Protocol
) -> None:
    other = garbage.draw(st.lists(st.integers(0, 2), min_size=len(target), max_size=len(target)))
    cuts = [all_ids(make_split(two(source, labels)(), ("a",), ("b",), 3, protocol)) for labels in (target, other)]
    assert cuts[0] == cuts[1]


@given(counts=st.lists(st.integers(1, 25), min_size=3, max_size=3), seed=st.integers(0, 99))
def test_source_is_cut_by_class(counts: list[int], seed: int) -> None:
    source = np.repeat(np.arange(3), counts)
    if len(source) == 3:
        return
    data = make_split(two(source.tolist(), [0] * 10)(), ("a",), ("b",), seed)
    held = np.bincount(data.source_validation[0].y["kind"], minlength=3)
    assert len(np.unique(data.source_train[0].y["kind"])) == 3
    assert held.sum() == max(1, round(0.2 * len(source)))
    free = np.array(counts) - 1
    assert np.all(np.abs(held - held.sum() * free / free.sum()) < 1)


def test_rows_depend_on_seed_dataset_and_domain_alone() -> None:
    labels = [0, 1, 2] * 10
    rows = {domain: numbered(labels, start=1000 * n) for n, domain in enumerate("abc")}
    split = drawn(**rows)()
    pair = make_split(split, ("a",), ("b",), 0)
    assert all_ids(pair) == all_ids(make_split(split, ("a",), ("b",), 0))
    assert ids(pair.source_train) == ids(make_split(split, ("c", "a"), ("b",), 0).source_train, 1)
    assert ids(pair.target_train) == ids(make_split(split, ("c",), ("a", "b"), 0).target_train, 1)
    assert ids(pair.source_train) != ids(make_split(split, ("a",), ("b",), 1).source_train)
    assert ids(pair.target_train) != ids(make_split(split, ("a",), ("b",), 1).target_train)


@given(source=LABELS, target=LABELS, limit=st.integers(1, 30), protocol=PROTOCOLS)
def test_a_limit_takes_some_of_the_same_train_rows(
    source: list[int], target: list[int], limit: int, protocol: Protocol
) -> None:
    kind = two(source, target)
    full, few = (make_split(kind(limit=n), ("a",), ("b",), 0, protocol) for n in (None, limit))
    for whole, part in ((full.source_train, few.source_train), (full.target_train, few.target_train)):
        assert set(ids(part)) <= set(ids(whole))
        assert len(ids(part)) == min(limit, len(ids(whole)))
    for whole, part in ((full.source_validation, few.source_validation), (full.target_test, few.target_test)):
        assert ids(whole) == ids(part)


def test_one_row_per_class_is_one_message() -> None:
    with pytest.raises(DataError, match="no class has two rows"):
        make_split(two([0, 1, 2], [0] * 10)(), ("a",), ("b",), 0)
    data = make_split(two([0, 1, 2, 2], [0] * 10)(), ("a",), ("b",), 0)
    assert sorted(data.source_train[0].y["kind"].tolist()) == [0, 1, 2]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_too_few_target_rows_work_or_are_one_message(count: int) -> None:
    split = two([0, 1] * 5, [0] * count)()
    assert len(make_split(split, ("a",), ("b",), 0, "paper").target_train[0].x) == count
    if count == 3:
        assert all(all_ids(make_split(split, ("a",), ("b",), 0)))
        return
    with pytest.raises(DataError, match="too few target rows"):
        make_split(split, ("a",), ("b",), 0)


def test_unknown_domains_are_refused_without_a_text() -> None:
    with pytest.raises(ConfigError, match="no domain has this name"):
        make_split(two([0] * 9, [0] * 9)(), ("a",), ("x",), 0)
    with pytest.raises(ConfigError, match="needs a target"):
        make_split(two([0] * 9, [0] * 9)(), ("a",), (), 0)
