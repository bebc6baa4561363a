"""Settings of a dataset in a split's name: bound, told in tables, and no part of a run's key."""

from __future__ import annotations

from pathlib import Path

import pytest

from dareps.data.split import parse_split
from dareps.engine.identity import identity_of
from dareps.errors import ConfigError
from dareps.recipe.bind import bind_run, dump_run, rebind, run_key
from dareps.suite.expand import expand
from dareps.suite.parts import pairs, parts_of
from dareps.suite.settings import Suite
from tests.cli._ask import ask

SPLIT = "varieties[shift=0.3,pose=0]/stall:studio@5"


def test_a_split_tells_settings_of_its_data() -> None:
    split = parse_split(SPLIT)
    assert (split.dataset_name, split.told, split.labelled) == ("varieties", "shift=0.3,pose=0", 5)
    assert str(split) == SPLIT
    assert parse_split("varieties[ shift = 0.3, pose=0 ]/stall:studio@5") == split


def test_they_are_bound_and_named() -> None:
    run = bind_run("source_only", SPLIT)
    assert (run.data.shift, run.data.pose) == (0.3, 0.0)  # type: ignore[attr-defined]
    assert identity_of(run, "k").dataset == run.dataset == "varieties[shift=0.3,pose=0]"
    assert rebind(dump_run(run)) == run


def test_the_key_is_that_of_the_same_settings_said_otherwise() -> None:
    told = bind_run("source_only", "varieties[shift=0.3]/stall:studio")
    said = bind_run("source_only", "varieties/stall:studio", overrides=[("data.shift", 0.3)])
    assert run_key(told, "") == run_key(said, "")
    assert run_key(told, "") != run_key(bind_run("source_only", "varieties/stall:studio"), "")


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ("varieties[0.3]/stall:studio", "no settings of a dataset in brackets"),
        ("varieties[]/stall:studio", "no settings of a dataset in brackets"),
        ("varieties[shift=0.3/stall:studio", "no settings of a dataset in brackets"),
        ("varieties]shift=0.3[/stall:studio", "no settings of a dataset in brackets"),
        ("[shift=0.3]/stall:studio", "no settings of a dataset in brackets"),
        ("varieties[shif=0.3]/stall:studio", "Did you mean 'shift'"),
        ("varieties[shift=far]/stall:studio", "valid number"),
        ("varieties[name=digits8]/stall:studio", "named by --split"),
        ("variety[shift=0.3]/stall:studio", "Did you mean 'varieties'"),
    ],
)
def test_mistakes_are_one_message(split: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        bind_run("source_only", split)


def test_an_override_that_contradicts_the_name_is_refused() -> None:
    with pytest.raises(ConfigError, match="the split says"):
        bind_run("source_only", "varieties[shift=0.3]/stall:studio", overrides=[("data.shift", 0.4)])


def test_short_forms_keep_them() -> None:
    assert pairs("digits8[a=1]/*:*") == ["digits8[a=1]/fonts:scans", "digits8[a=1]/scans:fonts"]
    assert parts_of("domains", "varieties[shift=0]/stall+studio", (), "x") == [
        ("varieties[shift=0]/stall", []),
        ("varieties[shift=0]/studio", []),
    ]


def test_a_suite_has_a_table_for_each_setting(tmp_path: Path) -> None:
    suite = tmp_path / "near_far.yaml"
    suite.write_text(
        "splits: ['varieties[shift=0]/stall:studio', 'varieties[shift=1]/stall:studio']\n"
        "recipes: [source_only]\nseeds: 1\nheadline: last\n"
        "set: {data.rows_per_domain: 60, data.test_rows: 27, phases.0.steps: 3, tasks: [fruit]}\n"
    )
    done = ask("bench", suite, "--out", tmp_path / "out", "--workers", 1)
    assert done.exit_code == 0, done.stderr
    rows = (tmp_path / "out" / "near_far" / "leaderboard.csv").read_text()
    assert "varieties[shift=0],stall:studio" in rows
    assert "varieties[shift=1],stall:studio" in rows
    page = (tmp_path / "out" / "near_far" / "report.html").read_text()
    assert "varieties[shift=1]" in page


def test_expanding_binds_each_its_own() -> None:
    suite = Suite(
        splits=("varieties[shift=0]/stall:studio", "varieties/stall:studio"), recipes=("source_only",), seeds=1
    )
    assert [run.data.shift for run in expand(suite)] == [0.0, 1.0]  # type: ignore[attr-defined]
