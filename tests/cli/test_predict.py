"""`dareps predict`: every kind of file, and files that do not fit."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import dareps
from dareps.data.digits8 import Digits8
from dareps.engine import checkpoint
from tests.cli._ask import ask, refused

Writer = Callable[[Path, np.ndarray], None]


@pytest.fixture
def model(trained: Path) -> Path:
    [folder] = (trained / "train" / "models").iterdir()
    return folder


@pytest.fixture
def rows() -> np.ndarray:
    return Digits8().rows("scans").x[:12]


def _svmlight(path: Path, rows: np.ndarray) -> None:
    lines = [" ".join(["0", *(f"{j}:{v}" for j, v in enumerate(row) if v)]) for row in rows.reshape(len(rows), -1)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _csv(header: str) -> Writer:
    def write(path: Path, rows: np.ndarray) -> None:
        np.savetxt(path, rows.reshape(len(rows), -1), delimiter=",", header=header, comments="")

    return write


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("rows.npy", lambda path, rows: np.save(path, rows)),
        ("flat.npy", lambda path, rows: np.save(path, rows.reshape(len(rows), -1))),
        ("images.npy", lambda path, rows: np.save(path, rows[:, 0])),
        ("one.npz", lambda path, rows: np.savez(path, anything=rows)),
        ("two.npz", lambda path, rows: np.savez(path, x=rows, y=np.zeros(3))),
        ("plain.csv", _csv("")),
        ("headed.csv", _csv(",".join(f"p{pixel}" for pixel in range(64)))),
        ("rows.svmlight", _svmlight),
        ("rows.libsvm", _svmlight),
        ("rows.txt", _svmlight),
    ],
)
def test_every_kind_of_file_gives_what_the_model_gives(
    name: str, write: Writer, model: Path, rows: np.ndarray, tmp_path: Path
):
    write(tmp_path / name, rows)
    result = ask("predict", model, tmp_path / name)
    assert result.exit_code == 0, result.stderr
    lines = list(csv.DictReader(io.StringIO(result.stdout)))
    loaded = dareps.load(model)
    assert [int(line["row"]) for line in lines] == list(range(len(rows)))
    assert [line["class"] for line in lines] == [loaded.classes[label] for label in loaded.predict(rows)]
    expected = loaded.predict_proba(rows).max(axis=1)
    np.testing.assert_allclose([float(line["confidence"]) for line in lines], expected, atol=1e-5)


def test_predictions_go_to_a_file(model: Path, rows: np.ndarray, tmp_path: Path):
    np.save(tmp_path / "x.npy", rows)
    printed = ask("predict", model, tmp_path / "x.npy").stdout
    result = ask("predict", model, tmp_path / "x.npy", "--out", tmp_path / "new" / "p.csv")
    assert (result.exit_code, result.stdout) == (0, f"{len(rows)} rows: {tmp_path / 'new' / 'p.csv'}\n")
    assert (tmp_path / "new" / "p.csv").read_text(encoding="utf-8") == printed


def test_sets_are_a_column_of_classes(model: Path, rows: np.ndarray, tmp_path: Path):
    _csv("")(tmp_path / "x.csv", rows)
    loaded, plain = dareps.load(model), ask("predict", model, tmp_path / "x.csv")
    result = ask("predict", model, tmp_path / "x.csv", "--sets", "0.8")
    assert result.exit_code == 0, result.stderr
    lines = list(csv.DictReader(io.StringIO(result.stdout)))
    names = np.array(loaded.classes)
    assert [line["set"] for line in lines] == ["|".join(names[own]) for own in loaded.predict_sets(rows, 0.8)]
    kept = [",".join(line[name] for name in ("row", "class", "confidence")) for line in lines]
    assert kept == plain.stdout.splitlines()[1:]


def test_sets_that_cannot_be_are_refused(model: Path, rows: np.ndarray, tmp_path: Path):
    np.save(tmp_path / "x.npy", rows)
    result = ask("predict", model, tmp_path / "x.npy", "--sets", "90")
    assert result.exit_code == 2
    assert "sets: expected a probability between 0 and 1" in result.stderr


def test_few_calibration_rows_are_told(model: Path, rows: np.ndarray, tmp_path: Path):
    tensors, record = checkpoint.load(model / "model.safetensors")
    tensors["conformal/weights"] = torch.eye(len(tensors["conformal/scores"]))[0].double()
    checkpoint.save(tmp_path / "m" / "model.safetensors", tensors, record)
    np.save(tmp_path / "x.npy", rows)
    result = ask("predict", tmp_path / "m", tmp_path / "x.npy", "--sets", "0.8")
    assert "say as much as 1: source and target differ so much" in result.stderr
    assert len(result.stdout.splitlines()) == len(rows) + 1


WRONG: list[tuple[str, Writer, list[str]]] = [
    ("narrow.npy", lambda path, rows: np.save(path, rows[..., :7]), ["(n, 1, 8, 8)", "(12, 1, 8, 7)"]),
    ("levels.npy", lambda path, rows: np.save(path, rows * 16), ["from 0 to 1", "Divide", "16"]),
    ("nan.npy", lambda path, rows: np.save(path, rows * np.nan), ["not finite"]),
    ("none.npy", lambda path, rows: np.save(path, rows[:0]), ["n > 0"]),
    ("number.npy", lambda path, rows: np.save(path, np.float64(3)), ["expected rows"]),
    ("words.npy", lambda path, rows: np.save(path, np.full((2, 64), "a")), ["not finite numbers"]),
    ("objects.npy", lambda path, rows: np.save(path, np.array([{}], dtype=object)), ["plain arrays"]),
    ("torn.npy", lambda path, rows: path.write_bytes(b"\x93NUMPY\x01\x00"), ["cannot be read"]),
    ("text.npz", lambda path, rows: path.write_text("hello"), ["cannot be read"]),
    ("many.npz", lambda path, rows: np.savez(path, a=rows, b=rows), ["several arrays", "'x'"]),
    ("empty.csv", lambda path, rows: path.write_text(""), ["the file is empty"]),
    ("header.csv", lambda path, rows: path.write_text("a,b\n"), ["expected rows"]),
    ("words.csv", lambda path, rows: path.write_text("a,b\n1,2\n3,x\n"), ["cannot be read", "'x'"]),
    ("ragged.csv", lambda path, rows: path.write_text("1,2\n3\n"), ["cannot be read"]),
    ("nan.csv", lambda path, rows: path.write_text(",".join(["nan"] * 64) + "\n"), ["not finite"]),
    ("wide.txt", lambda path, rows: path.write_text("0 64:1\n"), ["beyond the model's 64", "got 64"]),
    ("words.txt", lambda path, rows: path.write_text("a b c\n"), ["cannot be read"]),
    ("rows.xlsx", lambda path, rows: path.write_text(""), ["not a kind of file", ".npy"]),
    ("absent.npy", lambda path, rows: None, ["there is no such file"]),
]


@pytest.mark.parametrize(("name", "write", "parts"), WRONG, ids=[name for name, _, _ in WRONG])
@pytest.mark.filterwarnings("ignore:loadtxt")
def test_a_file_that_does_not_fit_is_refused(
    name: str, write: Writer, parts: list[str], model: Path, rows: np.ndarray, tmp_path: Path
):
    write(tmp_path / name, rows)
    line = refused("predict", model, tmp_path / name)
    for part in parts:
        assert part in line


def test_a_folder_of_rows_is_refused(model: Path, tmp_path: Path):
    assert "this is a folder" in refused("predict", model, tmp_path)


def test_a_folder_without_a_model_is_refused(rows: np.ndarray, tmp_path: Path):
    np.save(tmp_path / "x.npy", rows)
    assert "no saved model" in refused("predict", tmp_path, tmp_path / "x.npy")


def test_a_damaged_model_is_refused(model: Path, rows: np.ndarray, tmp_path: Path):
    np.save(tmp_path / "x.npy", rows)
    content = bytearray((model / "model.safetensors").read_bytes())
    content[-5] ^= 1
    (tmp_path / "model.safetensors").write_bytes(content)
    assert "damaged" in refused("predict", tmp_path / "model.safetensors", tmp_path / "x.npy")


def test_output_that_cannot_be_written_is_refused(model: Path, rows: np.ndarray, tmp_path: Path):
    np.save(tmp_path / "x.npy", rows)
    assert "cannot be written" in refused("predict", model, tmp_path / "x.npy", "--out", tmp_path / "x.npy" / "p.csv")
