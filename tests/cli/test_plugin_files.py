"""A part in a user's own file is listed, shown, set and refused like a shipped one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli._ask import ask, refused, spawned


def test_it_is_listed_with_its_first_line(loss_file: Path):
    lines = ask("list", "alignment", "--plugin", loss_file).stdout.splitlines()
    assert ["mean_gap", "Squared distance of the means."] in [line.split(maxsplit=1) for line in lines]


def test_it_is_shown_with_formula_paper_and_settings(loss_file: Path):
    page = ask("show", "mean_gap", "--plugin", loss_file).stdout
    assert f"alignment mean_gap (version 1): {loss_file}" in page
    assert "|mean(x) - mean(y)|^2. Nobody, Journal of Nothing, 2000, eq. 1." in page
    lines = [line.split() for line in page.splitlines()]
    assert ["broken", "=", "false", "true", "|", "false", "Divide", "by", "zero."] in lines
    assert ["weight", "=", "1.0", "float", ">=", "0"] in [line[:6] for line in lines]


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("align=[{name: mean_gap, brokn: true}]", ["align.0.brokn", "Did you mean 'broken'?"]),
        ("align=[{name: mean_gap, broken: 3}]", ["align.0.broken", "got 3"]),
        ("align=[mean_gapp]", ["align.0", "Did you mean 'mean_gap'?"]),
    ],
)
def test_its_settings_are_checked(override: str, parts: list[str], loss_file: Path):
    line = refused("train", "dann", override, "--plugin", loss_file)
    for part in parts:
        assert part in line


def test_it_needs_no_option_when_the_recipe_names_its_file(
    loss_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    streams = "phases: [{streams: {source: labelled, target: unlabelled}}]"
    text = f"plugins: [{loss_file.name}]\nalign: [mean_gap]\n{streams}\n"
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    monkeypatch.chdir("/")
    done = ask("train", tmp_path / "mine.yaml", "--dry-run")
    assert done.exit_code == 0, done.stderr
    assert "name: mean_gap" in done.stdout


def test_the_key_does_not_depend_on_where_the_file_lies(loss_file: Path, tmp_path: Path):
    words = ("train", "dann", "align=[mean_gap]", "--dry-run", "--plugin")
    (tmp_path / "else").mkdir()
    moved = (tmp_path / "else" / loss_file.name).resolve()
    moved.write_text(loss_file.read_text(encoding="utf-8"), encoding="utf-8")
    here, there = ask(*words, loss_file), ask(*words, moved)
    assert here.stdout.splitlines()[-1] == there.stdout.splitlines()[-1]
    assert here.stdout.splitlines()[-1].startswith("# key: ")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("def broken(:\n", ["cannot be imported", "SyntaxError"]),
        ("import no_such_module_at_all\n", ["cannot be imported", "no_such_module_at_all"]),
        ("from dareps.alignment import Alignment\nclass MMD(Alignment):\n    pass\n", ["the name 'mmd' is taken"]),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(text: str, parts: list[str], tmp_path: Path):
    path = tmp_path / "mine.py"
    path.write_text(text, encoding="utf-8")
    line = refused("train", "dann", "--plugin", path)
    for part in parts:
        assert part in line


def test_a_taken_name_is_the_users_mistake_whoever_is_imported_first(tmp_path: Path):
    body = "    def __call__(self, source, target):\n        return (source.mean(0) - target.mean(0)).square().sum()\n"
    text = f'from dareps.alignment import Alignment\n\n\nclass MMD(Alignment):\n    """Mine."""\n\n{body}'
    (tmp_path / "mine.py").write_text(text, encoding="utf-8")
    done = spawned("train", "source_only", "--dry-run", "--plugin", "mine.py", cwd=tmp_path)
    assert done.returncode == 2
    [line] = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "mine.MMD: the name 'mmd' is taken by dareps.alignment.mmd.MMD. Choose another class name." in line
