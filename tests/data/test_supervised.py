"""Splits without a target: train, validation and test rows of the same domains, the test rows sealed."""

import numpy as np
import pytest

from dareps.data.split import make_split, parse_split
from dareps.errors import ConfigError, DataError

from ._drawn import drawn, numbered

LABELS = [0, 1, 2] * 20


def split(*domains, seed=0, test=0, **settings):
    data = drawn(a=numbered(LABELS, test=test), b=numbered(LABELS, 1000, test=test))(**settings)
    return make_split(data, domains, (), seed, "supervised")


def numbers(part):
    return set(part.x[:, 0].astype(int).tolist())


@pytest.mark.parametrize("test", [0, 7])
def test_the_parts_are_disjoint_and_all_there(test):
    data = split("a", "b", test=test)
    for place, start in ((0, 0), (1, 1000)):
        parts = [numbers(own[place]) for own in (data.source_train, data.source_validation, data.target_test)]
        assert sum(map(len, parts)) == len(set.union(*parts)) == 60 + test
        assert set.union(*parts) == set(range(start, start + 60 + test))
        assert len(parts[2]) == (test or 24)
    assert data.target_train == data.target_validation == data.labelled_target() == ()
    assert data.fixed_test is bool(test)


def test_the_test_rows_are_those_that_the_same_domain_is_tested_on_as_a_target():
    data = drawn(a=numbered(LABELS), b=numbered(LABELS, 1000))()
    alone = make_split(data, ("b",), (), 3, "supervised")
    adapted = make_split(data, ("a",), ("b",), 3)
    np.testing.assert_array_equal(alone.target_test[0].x, adapted.target_test[0].x)
    labels = [own.sealed.open_for_scorer("test", "b")["kind"] for own in (alone, adapted)]
    np.testing.assert_array_equal(*labels)
    assert not hasattr(alone.target_test[0], "y")


def test_test_rows_reach_neither_the_transform_nor_the_checks_of_training():
    one = split("a", test=5)
    train = numbers(one.source_train[0])
    limited = split("a", test=5, limit=10)
    assert numbers(limited.source_train[0]) < train
    assert numbers(limited.target_test[0]) == numbers(one.target_test[0]) == set(range(60, 65))


def test_every_class_is_trained_on():
    assert set(split("a").source_train[0].y["kind"].tolist()) == {0, 1, 2}


@pytest.mark.parametrize(
    ("text", "sources"), [("digits8/scans", ("scans",)), ("digits8/fonts+scans", ("fonts", "scans"))]
)
def test_a_split_without_a_colon_has_no_target(text, sources):
    found = parse_split(text)
    assert (found.sources, found.targets, str(found)) == (sources, (), text)


@pytest.mark.parametrize(
    "text", ["digits8", "digits8/", "digits8/fonts:", "digits8/:scans", "digits8/fonts+", "/fonts"]
)
def test_half_a_split_is_none(text):
    with pytest.raises(ConfigError, match="DATA/DOMAIN"):
        parse_split(text)


def test_protocol_and_split_go_together():
    data = drawn(a=numbered(LABELS), b=numbered(LABELS))()
    with pytest.raises(ConfigError, match="the protocol supervised has no target, got 'b'"):
        make_split(data, ("a",), ("b",), 0, "supervised")
    with pytest.raises(ConfigError, match="the protocol inductive needs a target"):
        make_split(data, ("a",), (), 0)


def test_too_few_rows_are_one_message():
    data = drawn(a=numbered([0]))()
    with pytest.raises(DataError, match="drawn/a: "):
        make_split(data, ("a",), (), 0, "supervised")
