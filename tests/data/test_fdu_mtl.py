from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from dareps.data import _fdu_mtl
from dareps.data._fdu_mtl import TRAIN, published
from dareps.data.fdu_mtl import FduMtl
from dareps.data.split import make_split
from dareps.errors import DataError

COUNT, TEST, VALIDATION = 30, 6, 8
SMALL = FduMtl(features=40)


def lines(domain: str, part: str, count: int) -> list[str]:
    """Reviews with a word of their own, a word of their part, and one that tells their label."""
    mood = ("bad", "good")
    return [f"{n % 2}\t{mood[n % 2]} {part}word {domain}{part}{n}" for n in range(count)]


def write(root: Path, domain: str, part: str, content: list[str]) -> Path:
    path = root / f"fdu_mtl/{published(domain)}.task.{part}.gz"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in content).encode("iso-8859-1")))
    return path


@pytest.fixture
def small(tmp_path: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root with 30 train and 6 test reviews per domain, of which the last 8 train reviews are for validation."""
    monkeypatch.setenv("DAREPS_DATA", str(tmp_path))
    monkeypatch.setattr(_fdu_mtl, "TRAIN", dict.fromkeys(TRAIN, COUNT))
    monkeypatch.setattr(_fdu_mtl, "TEST", TEST)
    monkeypatch.setattr(_fdu_mtl, "VALIDATION", VALIDATION)
    for domain in TRAIN:
        write(tmp_path, domain, "train", lines(domain, "train", COUNT))
        write(tmp_path, domain, "test", lines(domain, "test", TEST))
    return tmp_path


def words(state: object) -> list[str]:
    assert isinstance(state, np.ndarray)
    return state.tobytes().decode().split("\n")


def test_the_domains_are_those_of_the_files() -> None:
    assert FduMtl.domains == tuple(TRAIN)
    assert len(FduMtl.files) == 2 * len(TRAIN) == 32
    assert {file.path for file in FduMtl.files} == {
        f"fdu_mtl/{published(domain)}.task.{part}" for domain in TRAIN for part in ("train", "test")
    }


@pytest.mark.usefixtures("small")
def test_rows_are_texts_with_their_labels() -> None:
    rows = SMALL.rows("mr")
    assert rows.x[:2].tolist() == [["bad trainword mrtrain0"], ["good trainword mrtrain1"]]
    assert rows.y["sentiment"].tolist() == [0, 1] * 15
    assert rows.test_x is not None
    assert rows.test_x.shape == (TEST, 1)


def test_only_a_line_feed_ends_a_review(small: Path) -> None:
    content = lines("dvd", "test", TEST)
    content[1:3] = ["1\tgood \x85 and \x0b more\ttabs \x1d", "0\t"]
    write(small, "dvd", "test", content)
    rows = SMALL.rows("dvd")
    assert rows.test_x is not None
    assert rows.test_x[1:3, 0].tolist() == ["good \x85 and \x0b more\ttabs \x1d", ""]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("seed", [0, 1])
def test_the_last_train_lines_are_the_validation_rows_of_both_sides(seed: int) -> None:
    data = make_split(SMALL, ("books",), ("dvd",), seed)
    parts = (data.source_train, data.source_validation, data.target_train, data.target_validation, data.target_test)
    assert [part[0].x.shape for part in parts] == [(n, 40) for n in (22, 8, 22, 8, 6)]
    rows = SMALL.rows("books")
    assert rows.validation is not None
    assert rows.validation.tolist() == list(range(22, 30))
    assert data.source_validation[0].y["sentiment"].tolist() == rows.y["sentiment"][22:].tolist()
    assert np.array_equal(data.source_validation[0].x, data.fitted.apply(rows.x[22:], "books"))


@pytest.mark.usefixtures("small")
def test_no_word_is_known_from_validation_or_test_rows() -> None:
    data = make_split(FduMtl(features=500), ("books",), ("dvd",), 0)
    known = words(data.fitted.state["words"])
    unseen = {f"{domain}train{n}" for domain in ("books", "dvd") for n in range(22, 30)}
    assert not [word for word in known if word in unseen or "test" in word]
    assert {f"{domain}train{n}" for domain in ("books", "dvd") for n in range(22)} <= set(known)
    assert not [word for word in known if "video" in word]


@pytest.mark.usefixtures("small")
def test_target_labels_choose_no_word(small: Path) -> None:
    before = make_split(SMALL, ("books",), ("dvd",), 0)
    flipped = [str(1 - int(line[0])) + line[1:] for line in lines("dvd", "train", COUNT)]
    write(small, "dvd", "train", flipped)
    after = make_split(SMALL, ("books",), ("dvd",), 0)
    assert all(np.array_equal(before.fitted.state[key], after.fitted.state[key]) for key in before.fitted.state)
    assert np.array_equal(before.target_train[0].x, after.target_train[0].x)


@pytest.mark.usefixtures("small")
def test_settings_of_the_bag_and_its_restored_form() -> None:
    rows = {"books": SMALL.rows("books")}
    for settings in ({"pairs": False}, {"features": 7}, {"transform": "counts", "row_norm": "none"}):
        data = SMALL.model_copy(update=settings)
        fitted = data.fit(rows, {})
        x = fitted.apply(rows["books"].x, "books")
        assert x.shape == (COUNT, settings.get("features", 40))
        assert x.dtype == np.float32
        assert any(" " in word for word in words(fitted.state["words"])) == ("pairs" not in settings)
        assert np.array_equal(data.restore(fitted.state).apply(rows["books"].x, "books"), x)
        norm = 1 if settings.get("row_norm") is None else np.sqrt((x**2).sum(axis=1))
        assert np.allclose(np.sqrt((x**2).sum(axis=1)), norm, atol=1e-5)
        assert ("transform" in settings) == bool((x == x.round()).all())


def test_repeats_may_be_taken_out_of_the_train_rows(small: Path) -> None:
    content = lines("music", "train", COUNT)
    content[3] = lines("music", "test", TEST)[2]
    content[25] = lines("video", "test", TEST)[1]
    write(small, "music", "train", content)
    whole, fewer = (FduMtl(repeats=way).rows("music") for way in ("keep", "drop"))
    kept = [n for n in range(COUNT) if n not in (3, 25)]
    assert np.array_equal(fewer.x, whole.x[kept])
    assert np.array_equal(fewer.y["sentiment"], whole.y["sentiment"][kept])
    assert np.array_equal(fewer.test_x, whole.test_x)
    assert fewer.validation is not None
    assert fewer.x[fewer.validation].tolist() == whole.x[[22, 23, 24, 26, 27, 28, 29]].tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content[:-1], "30 reviews expected, 29 found"),
        (lambda content: [], "30 reviews expected, 0 found"),
        (lambda content: [*content[:-1], "2\tthree"], "0 or 1 and a tab, and line 30 does not"),
        (lambda content: ["no label", *content[1:]], "0 or 1 and a tab, and line 1 does not"),
        (lambda content: [content[0], "0", *content[2:]], "0 or 1 and a tab, and line 2 does not"),
    ],
)
def test_wrong_files_are_one_message(small: Path, change: object, message: str) -> None:
    assert callable(change)
    write(small, "books", "train", change(lines("books", "train", COUNT)))
    with pytest.raises(DataError, match=rf"books\.task\.train.*{message}.*dareps data get fdu_mtl"):
        SMALL.rows("books")


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.99])
def test_truncated_files_are_one_message(small: Path, keep: float) -> None:
    path = write(small, "baby", "test", lines("baby", "test", TEST))
    path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])
    with pytest.raises(DataError, match=r"baby\.task\.test.*broken or truncated"):
        SMALL.rows("baby")


def test_checksums_follow_texts_and_labels(small: Path) -> None:
    before = SMALL.checksum(("books", "dvd"))
    assert SMALL.checksum(("books", "dvd")) == before != SMALL.checksum(("dvd", "books"))
    for change in ("0\tother words here", "1\tbad trainword bookstrain0"):
        write(small, "books", "train", [change, *lines("books", "train", COUNT)[1:]])
        assert SMALL.checksum(("books", "dvd")) != before


@pytest.mark.data
def test_the_published_counts(real_data: Path) -> None:
    if not (real_data / "fdu_mtl").is_dir():
        pytest.skip("DAREPS_DATA holds no fdu_mtl")
    repeated = {}
    for domain, count in TRAIN.items():
        rows = FduMtl().rows(domain)
        assert rows.test_x is not None
        assert rows.test_y is not None
        assert rows.validation is not None
        assert (len(rows.x), len(rows.test_x), len(rows.validation)) == (count, 400, 200)
        for labels in (rows.y["sentiment"], rows.test_y["sentiment"]):
            assert abs(labels.mean() - 0.5) < 0.05
        train = set(rows.x[:, 0])
        repeated[domain] = sum(text in train for text in rows.test_x[:, 0])
    assert {domain: count for domain, count in repeated.items() if count > 30} == {
        "camera_photo": 72,
        "magazines": 169,
        "software": 62,
        "video": 99,
    }
    assert len(FduMtl(repeats="drop").rows("magazines").x) == 1384


@pytest.mark.data
def test_the_bag_of_words_tells_sentiment_across_domains(real_data: Path) -> None:
    """A linear classifier on the bag of words of electronics is right on kitchen ware's test rows far above chance."""
    if not (real_data / "fdu_mtl").is_dir():
        pytest.skip("DAREPS_DATA holds no fdu_mtl")
    source, target = FduMtl().rows("electronics"), FduMtl().rows("kitchen_housewares")
    assert target.test_x is not None
    assert target.test_y is not None
    fitted = FduMtl(features=1000).fit({"electronics": source}, {"kitchen_housewares": target.x})
    x, test = (fitted.apply(rows, "") for rows in (source.x, target.test_x))
    side = 2 * source.y["sentiment"] - 1
    weights = np.linalg.solve(x.T @ x + np.eye(1000), x.T @ (side - side.mean()))
    assert ((test @ weights > 0) == target.test_y["sentiment"]).mean() > 0.75
