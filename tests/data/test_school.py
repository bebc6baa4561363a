from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import savemat

from dareps.data import _school
from dareps.data._school import cut, explained_variance, schools
from dareps.data.school import NAMES, School
from dareps.data.school_tasks import SchoolTasks
from dareps.data.split import make_split
from dareps.errors import DataError

EACH = 8


def written(path: Path, columns: int = 28, count: int = 139, each: int = EACH, missing: int = 0) -> None:
    """A file of the published form, in which every pupil's score is the pupil's own number."""
    x, y = (np.empty((1, count), dtype=object) for _ in range(2))
    for school in range(count):
        numbers = np.arange(each * school, each * (school + 1))
        x[0, school] = np.outer(numbers, np.ones(columns)) * (np.arange(columns) < columns - 1)
        y[0, school] = numbers[: each - missing, None]
    savemat(path, {"X": x, "Y": y})


@pytest.fixture
def small(tmp_path: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root with a school file of 139 times 8 pupils."""
    monkeypatch.setenv("DAREPS_DATA", str(tmp_path))
    monkeypatch.setattr(_school, "PUPILS", 139 * EACH)
    (tmp_path / "school").mkdir()
    written(tmp_path / "school/school.mat")
    return tmp_path / "school/school.mat"


@given(count=st.integers(2, 300), draw=st.integers(0, 9), share=st.floats(0.01, 0.99))
def test_a_cut_is_disjoint_and_of_its_share(count: int, draw: int, share: float) -> None:
    train, test = cut(count, share, draw, 3)
    assert sorted([*train, *test]) == list(range(count))
    assert min(len(train), len(test)) >= 1
    assert abs(len(test) - share * count) <= 1


def test_cuts_differ_by_draw_and_school_and_come_again() -> None:
    first = cut(100, 0.25, 0, 0)[1]
    assert np.array_equal(first, cut(100, 0.25, 0, 0)[1])
    assert not np.array_equal(first, cut(100, 0.25, 1, 0)[1])
    assert not np.array_equal(first, cut(100, 0.25, 0, 1)[1])


@given(truth=st.lists(st.integers(1, 70), min_size=2, max_size=20).filter(lambda values: len(set(values)) > 1))
def test_explained_variance_has_its_closed_forms(truth: list[int]) -> None:
    values = np.array(truth, dtype=float)
    mean = np.full(len(values), values.mean())
    assert explained_variance(values, values) == 100
    assert explained_variance(values, mean) == pytest.approx(0)
    assert explained_variance(values, values + values.std()) == pytest.approx(0, abs=1e-9)
    assert explained_variance(values, (values + mean) / 2) == pytest.approx(75)


@pytest.mark.usefixtures("small")
def test_both_forms_hold_the_same_pupils() -> None:
    table, own = SchoolTasks().rows("ilea"), [School().rows(name) for name in NAMES]
    assert np.array_equal(table.x, np.concatenate([rows.x for rows in own]))
    assert np.array_equal(table.test_x, np.concatenate([rows.test_x for rows in own if rows.test_x is not None]))
    known = np.array([np.isfinite(table.y[name]) for name in NAMES])
    assert known.sum(axis=0).tolist() == [1] * len(table.x)
    for name, rows in zip(NAMES, own, strict=True):
        assert table.y[name][np.isfinite(table.y[name])].tolist() == rows.y["score"].tolist()
        assert table.test_y is not None
        assert rows.test_y is not None
        tested = table.test_y[name]
        assert tested[np.isfinite(tested)].tolist() == rows.test_y["score"].tolist()


@pytest.mark.usefixtures("small")
def test_every_school_has_train_and_validation_pupils_in_the_form_of_tasks() -> None:
    rows = SchoolTasks().rows("ilea")
    assert rows.validation is not None
    held = np.isin(np.arange(len(rows.x)), rows.validation)
    known = np.array([np.isfinite(rows.y[name]) for name in NAMES])
    assert (known & held).sum(axis=1).tolist() == [1] * 139
    assert (known & ~held).sum(axis=1).tolist() == [EACH * 3 // 4 - 1] * 139
    assert not np.array_equal(rows.validation, SchoolTasks(draw=1).rows("ilea").validation)


@pytest.mark.usefixtures("small")
def test_labels_follow_their_pupils_whatever_the_draw() -> None:
    seen = set()
    for draw in range(3):
        rows = School(draw=draw, test_share=0.5).rows("s002")
        assert rows.test_x is not None
        assert rows.test_y is not None
        for x, y in ((rows.x, rows.y["score"]), (rows.test_x, rows.test_y["score"])):
            assert x[:, 0].tolist() == y.tolist()
            assert len(y) == EACH // 2
        assert sorted([*rows.y["score"], *rows.test_y["score"]]) == list(range(EACH, 2 * EACH))
        seen.add(tuple(rows.test_y["score"]))
    assert len(seen) > 1


@pytest.mark.usefixtures("small")
def test_columns_are_standardised_over_all_schools_of_the_split() -> None:
    data = make_split(School(), ("s001", "s002"), ("s003",), 0)
    x = np.concatenate([part.x for part in (*data.source_train, *data.target_train)])
    assert x.dtype == np.float32
    assert np.allclose(x.mean(axis=0), 0, atol=1e-5)
    assert np.allclose(x[:, :-1].std(axis=0), 1, atol=1e-5)
    assert not x[:, -1].any()
    raw = School().rows("s003").test_x
    assert raw is not None
    again = School().restore(data.fitted.state)
    assert np.array_equal(again.apply(raw, "s003"), data.target_test[0].x)
    with pytest.raises(DataError, match=r"data school/s003.*Give \(n, 28\)"):
        again.apply(raw[:, :5], "s003")


@pytest.mark.parametrize("fault", [{"columns": 27}, {"count": 138}, {"each": 7}, {"missing": 1}])
def test_other_files_are_one_message(small: Path, fault: dict[str, int]) -> None:
    written(small, **fault)
    with pytest.raises(DataError, match=r"school\.mat.*139 schools of 1112 pupils with 28 columns expected"):
        School().rows("s001")


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.99])
def test_truncated_files_are_one_message(small: Path, keep: float) -> None:
    content = small.read_bytes()
    small.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(DataError, match=r"school\.mat.*broken or truncated.*dareps data get school"):
        schools("school")


def test_checksums_follow_the_file(small: Path) -> None:
    before = School().checksum(("s001",))
    assert before == School(draw=3).checksum(("s002",)) == SchoolTasks().checksum(("ilea",))
    written(small, columns=29)
    with pytest.raises(DataError):
        School().checksum(("s001",))


@pytest.mark.data
def test_the_published_counts(real_data: Path) -> None:
    if not (real_data / "school").is_dir():
        pytest.skip("DAREPS_DATA holds no school/school.mat")
    pupils = schools("school")
    sizes = [len(y) for _, y in pupils]
    assert (len(sizes), sum(sizes), min(sizes), max(sizes)) == (139, 15362, 22, 251)
    scores = np.concatenate([y for _, y in pupils])
    assert (scores.min(), scores.max()) == (1, 70)
    table = SchoolTasks().rows("ilea")
    assert table.test_x is not None
    assert (table.x.shape, table.test_x.shape) == ((11517, 28), (3845, 28))


@pytest.mark.data
def test_sharing_helps_on_it(real_data: Path) -> None:
    """Ridge regression with a part common to all schools explains more than schools on their own do."""
    if not (real_data / "school").is_dir():
        pytest.skip("DAREPS_DATA holds no school/school.mat")
    own = [School().rows(name) for name in NAMES]
    apply = School().fit(dict(zip(NAMES, own, strict=True)), {}).apply
    x, test = [apply(rows.x, "") for rows in own], [apply(rows.test_x, "") for rows in own if rows.test_x is not None]
    y = [rows.y["score"] for rows in own]
    truth = np.concatenate([rows.test_y["score"] for rows in own if rows.test_y is not None])
    common = ridge(np.concatenate(x), np.concatenate(y), 10, np.concatenate(test))
    rest = [b - ridge(np.concatenate(x), np.concatenate(y), 10, a) for a, b in zip(x, y, strict=True)]
    alone = np.concatenate([ridge(a, b, 30, c) for a, b, c in zip(x, y, test, strict=True)])
    joint = common + np.concatenate([ridge(a, b, 300, c) for a, b, c in zip(x, rest, test, strict=True)])
    assert 25 < explained_variance(truth, alone) < explained_variance(truth, common) + 3
    assert explained_variance(truth, joint) > explained_variance(truth, alone) + 2


def ridge(x: np.ndarray, y: np.ndarray, penalty: float, asked: np.ndarray) -> np.ndarray:
    """Predictions of ridge regression with a free intercept."""
    centre = x.mean(axis=0, dtype=np.float64)
    rows = x - centre
    weights = np.linalg.solve(rows.T @ rows + penalty * np.eye(x.shape[1]), rows.T @ (y - y.mean()))
    predicted: np.ndarray = (asked - centre) @ weights + y.mean()
    return predicted
