"""`dareps train` from a file of weights: what it says, and what it refuses in one line."""

import re

import torch

from tests.cli._ask import ask, refused

SHORT = ("train", "source_only", "phases.0.steps=5", "engine.evaluations=1")


def test_training_says_what_became_of_every_tensor(tmp_path):
    first = ask(*SHORT, "--out", tmp_path / "first")
    folder = re.search(r"^Model: (.*)$", first.stdout, flags=re.MULTILINE)[1]
    words = ("--split", "digits8/scans:fonts", "--out", tmp_path / "second", f"pretrained={{file: {folder}}}")
    result = ask(*SHORT, *words)
    assert result.exit_code == 0, result.stderr
    assert re.search(
        rf"^Weights from {folder}: \d+ loaded, 0 adapted, 2 re-initialised, 9 dropped\.$", result.stdout, re.M
    )
    assert "re-initialised (not asked for): heads.digit.weight, heads.digit.bias" in result.stdout
    assert "dropped (a classifier, not asked for): heads.digit.bias, heads.digit.weight" in result.stdout
    assert "Weights from" not in first.stdout


def test_mistakes_are_refused(tmp_path):
    assert "no such file" in refused(*SHORT, "--out", tmp_path, "pretrained={file: nowhere.pt}")
    assert "Did you mean 'parts'" in refused(*SHORT, "--out", tmp_path, "pretrained={file: a.pt, part: [encoder]}")
    torch.save({"w": torch.zeros(2)}, tmp_path / "other.pt")
    assert "does not fit the method" in refused(*SHORT, "--out", tmp_path, f"pretrained={{file: {tmp_path}/other.pt}}")
