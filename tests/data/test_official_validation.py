from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dareps.data._base import LabelledPart, Part
from dareps.data.split import make_split
from dareps.errors import DataError

from ._drawn import drawn, numbered


def ids(parts: tuple[Part, ...] | tuple[LabelledPart, ...]) -> list[int]:
    return [int(row) for row in parts[0].x[:, 0]]


@given(labels=st.lists(st.integers(0, 2), min_size=6, max_size=30), seed=st.integers(0, 99), test=st.integers(0, 3))
def test_official_validation_rows_are_those_of_every_seed(labels: list[int], seed: int, test: int) -> None:
    count = max(1, len(labels) // 4)
    official = np.arange(len(labels))[-count:][::-1]
    rows = {
        name: replace(numbered(labels, start, test), validation=official) for name, start in (("a", 0), ("b", 1000))
    }
    data = make_split(drawn(**rows)(), ("a",), ("b",), seed)
    train, validation = ids(data.source_train), ids(data.source_validation)
    target_train, target_validation, tested = map(ids, (data.target_train, data.target_validation, data.target_test))
    assert validation == list(range(len(labels) - count, len(labels)))
    assert train == list(range(len(labels) - count))
    assert target_validation == [1000 + n for n in validation]
    free, end = [*range(1000, 1000 + len(labels) - count)], 1000 + len(labels)
    assert sorted(target_train + tested) == [*free, *range(end, end + test)]


@pytest.mark.parametrize("official", [[], [0, 0], [-1], [12], [0.5], list(range(12)), [[1]]])
def test_wrong_official_validation_rows_are_one_message(official: list[int]) -> None:
    rows = replace(numbered([0, 1, 2] * 4), validation=np.array(official))
    with pytest.raises(DataError, match=r"data drawn/a: official validation rows must be numbers of some rows"):
        make_split(drawn(a=rows, b=numbered([0, 1] * 6))(), ("a",), ("b",), 0)
