"""Mistakes of the user: one line that says where, what, got and fix; exit 2."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from dareps.suite.store import FILE, Store
from tests.cli._ask import ask, refused, spawned

TRAIN = ("train", "source_only", "phases.0.steps=5", "--out")


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["train", "dnan"], ["no shipped one has this name", "'dnan'", "Did you mean 'dan"]),
        (["train", "./absent.yaml"], ["there is no such file", "absent.yaml"]),
        (["bench", "quik"], ["suite", "'quik'"]),
        (["train", "dann", "--split", "digts8/fonts:scans"], ["no dataset", "Did you mean 'digits8'?"]),
        (["train", "dann", "--split", "digits8/fonts:scan"], ["no domain", "Did you mean 'scans'?"]),
        (["train", "dann", "--split", "digits8/fonts:fonts"], ["both source and target", "'fonts'"]),
        (["train", "dann", "--split", "digits8"], ["not a split", "DATA/SOURCE:TARGET"]),
        (["train", "dann", "encodr.width=3"], ["unknown key", "Did you mean 'encoder'?"]),
        (["train", "dann", "encoder.widht=3"], ["encoder.widht", "unknown key", "Did you mean 'width'?"]),
        (["train", "dann", "encoder.width=wide"], ["encoder.width", "got 'wide'"]),
        (["train", "dann", "encoder.width=3.5"], ["encoder.width", "got 3.5"]),
        (["train", "dann", "phases.0.steps=-1"], ["phases.0.steps", "got -1"]),
        (["train", "dann", "align.0.weight=yes"], ["align.0.weight", "got 'yes'"]),
        (["train", "dann", "align.0=corall"], ["align.0", "Did you mean 'coral'?"]),
        (["train", "dann", "align.2.weight=1"], ["no such item", "There are 1 items"]),
        (["train", "source_only", "align.0.weight=1"], ["align.0.weight", "no such item", "The list is empty."]),
        (["bench", "quick", "--recipes", ","], ["--recipes", "it names nothing"]),
        (["bench", "quick", "--full"], ["suite quick", "no paper-sized variant"]),
        (["train", "dann", "data.augment=[affine, crop"], ["not valid YAML", "quote"]),
        (["train", "dann", "align.0.weight=[1"], ["not valid YAML"]),
        (["train", "dann", "width"], ["key.path=value", "got 'width'"]),
        (["train", "source_only", "align=[mmd]"], ["no phase reads source and target"]),
        (["train", "dann", "--seed", "-1"], ["seed", "got -1"]),
        (["train", "dann", "--device", "gpu"], ["--device", "got 'gpu'"]),
        (["train", "dann", "--split", "digits/mnist:usps"], ["is missing", "dareps data get digits"]),
        (["report", "absent"], ["no such folder"]),
    ],
)
def test_a_mistake_is_one_line(words: list[str], parts: list[str]):
    line = refused(*words)
    for part in parts:
        assert part in line


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["phases.0.trains=[encodr]"], ["phases.0.trains", "no such part of the method", "Did you mean 'encoder'?"]),
        (["phases=[{steps: 5}, {trains: [encoder.conv7]}]"], ["phases.1.trains", "Did you mean 'encoder.conv2'?"]),
        (["encoder=digit_cnn"], ["encoder digit_cnn", "too small", "Set encoder.padding=2."]),
    ],
)
def test_parts_that_do_not_fit_are_told_before_anything_is_trained(words: list[str], parts: list[str], tmp_path: Path):
    line = refused(*TRAIN, tmp_path, *words)
    for part in parts:
        assert part in line
    store = Store(tmp_path / "train", create=False)
    assert store.outcomes() == []
    assert not list(tmp_path.rglob("*.safetensors"))


def test_in_a_suite_they_are_failed_runs(tmp_path: Path):
    bad = "{name: wide, recipe: source_only, set: {encoder: digit_cnn}}"
    text = f"splits: [digits8/fonts:scans]\nrecipes: [source_only, {bad}]\nseeds: 1\n"
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    result = ask("bench", tmp_path / "mine.yaml", "--out", tmp_path, "--workers", 1, "phases.0.steps=5")
    assert result.exit_code == 1
    found = {own.identity.recipe: own for own in Store(tmp_path / "mine").outcomes()}
    assert {name: own.status for name, own in found.items()} == {"source_only": "ok", "wide": "failed"}
    assert "encoder digit_cnn" in found["wide"].error


def test_several_mistakes_in_options_keep_exit_code_2():
    result = ask("train", "dann", "--sedd", "3")
    assert result.exit_code == 2
    assert "--seed" in result.stderr
    assert ask("bench", "quick", "--seeds", "0").exit_code == 2


@pytest.mark.parametrize("words", [("train", "dann"), ("bench", "tiny.yaml")])
def test_output_that_cannot_be_written_is_refused(words: tuple[str, str], tmp_path: Path):
    (tmp_path / "tiny.yaml").write_text("splits: [digits8/fonts:scans]\nrecipes: [source_only]\n", encoding="utf-8")
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    line = refused(*words, "--out", blocked)
    assert str(blocked) in line
    assert "Choose" in line


def test_results_of_a_newer_version_are_refused_and_kept(tmp_path: Path):
    Store(tmp_path / "train")
    with sqlite3.connect(tmp_path / "train" / FILE) as connection:
        connection.execute("PRAGMA user_version = 999")
    before = (tmp_path / "train" / FILE).read_bytes()
    assert "Upgrade dareps" in refused(*TRAIN, tmp_path)
    assert "Upgrade dareps" in refused("report", tmp_path / "train")
    assert (tmp_path / "train" / FILE).read_bytes() == before


def test_a_second_process_on_the_folder_is_refused(tmp_path: Path):
    with Store(tmp_path / "train").exclusive():
        assert "another process" in refused(*TRAIN, tmp_path)
    assert ask(*TRAIN, tmp_path).exit_code == 0


def test_a_report_of_a_folder_without_results_is_refused(tmp_path: Path):
    assert "no results" in refused("report", tmp_path)


def test_the_oracle_is_never_the_headline(trained: Path):
    assert "never the headline" in refused("report", trained / "train", "--selection", "oracle")


def test_a_long_message_stays_one_line_in_a_process_of_its_own(tmp_path: Path):
    deep = Path("long-" * 25) / "missing recipe.yaml"
    done = spawned("train", deep, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert str(deep) in done.stderr


def test_an_unexpected_fault_is_one_line_that_says_how_to_see_more(monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object) -> None:
        raise ZeroDivisionError("oh\nno")

    monkeypatch.setattr("dareps.commands.catalogue.listing", broken)
    result = ask("list")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "error: this should not have happened (ZeroDivisionError: oh). Set DAREPS_DEBUG=1 to see the whole traceback."
    ]
    monkeypatch.setenv("DAREPS_DEBUG", "1")
    assert "Traceback" in ask("list").stderr
