"""`list`, `show`, `data list` and `--dry-run`: all there is, told from the classes themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from dareps.commands._fields import field_texts
from dareps.plugin import Settings, families, plugins
from dareps.recipe.bind import rebind, shipped
from dareps.recipe.settings import Engine, Recipe, Run
from dareps.suite.settings import Entry, Suite
from dareps.transfer import Streams
from tests.cli._ask import ask, refused

PARTS = [(family, name) for family, root in families().items() for name in plugins(root)]
SETTINGS: list[type[Settings]] = [
    *(Recipe, Engine, Run, Streams, Suite, Entry),
    *(plugins(root)[name] for family, root in families().items() for name in plugins(root)),
]


def test_list_names_everything():
    found = ask("list")
    assert found.exit_code == 0
    names = {line.split()[0] for line in found.stdout.splitlines() if line.startswith("  ")}
    assert names == {*shipped("recipes"), *shipped("suites"), *(name for _, name in PARTS)}


@pytest.mark.parametrize("family", ["recipes", "suites", *families()])
def test_a_family_is_listed_a_line_each(family: str):
    found = ask("list", family)
    expected = shipped(family) if family in ("recipes", "suites") else plugins(families()[family])
    assert [line.split()[0] for line in found.stdout.splitlines()] == sorted(expected)
    assert all(len(line.split(maxsplit=1)[1]) > 5 for line in found.stdout.splitlines())


def test_a_family_that_is_not_there_is_refused():
    assert "Did you mean 'alignment'?" in refused("list", "alignments")


@pytest.mark.parametrize("name", sorted(shipped("recipes")))
def test_a_recipe_is_shown_whole(name: str):
    found = ask("show", name)
    assert found.exit_code == 0
    assert shipped("recipes")[name].read_text(encoding="utf-8").strip() in found.stdout
    assert "  engine.evaluations = 10 " in found.stdout
    assert "\nsharing " in found.stdout


def test_a_recipe_shows_settings_formula_and_paper():
    page = ask("show", "dann").stdout
    lines = [line.split() for line in page.splitlines()]
    assert ["align.0.weight", "=", "1.0", "float", ">=", "0"] in [line[:6] for line in lines]
    assert "Rows per stream and step." in page
    assert "-log D_k(r(h))" in page
    assert "Ganin et al., JMLR 2016, eq. 9" in page
    assert page.count("\nencoder digit_cnn\n") == 1


@pytest.mark.parametrize(("family", "name"), PARTS)
def test_every_part_is_shown(family: str, name: str):
    found = ask("show", f"{family}/{name}")
    assert found.exit_code == 0, found.stderr
    part = plugins(families()[family])[name]
    assert found.stdout.startswith(f"{family} {name} (version {part.version})")
    assert part.__doc__
    assert part.__doc__.splitlines()[0] in found.stdout
    for name_, setting in part.model_fields.items():
        assert f"  {setting.alias or name_} = " in found.stdout


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: settings.__name__)
def test_every_setting_says_what_it_means(settings: type[Settings]):
    texts = field_texts(settings)
    assert [name for name in settings.model_fields if not texts.get(name, "").endswith(".")] == []


@pytest.mark.parametrize("name", sorted(shipped("suites")))
def test_every_suite_is_shown_with_its_size(name: str):
    found = ask("show", f"suites/{name}")
    assert found.exit_code == 0, found.stderr
    assert " seeds: " in found.stdout


def test_a_name_of_two_things_leads_to_both():
    assert "Also in alignment: dareps show alignment/cmd" in ask("show", "cmd").stdout
    assert ask("show", "alignment/cmd").stdout.startswith("alignment cmd ")


def test_an_unknown_name_gets_the_nearest():
    assert "Did you mean 'dann'?" in refused("show", "dannn")


def test_data_is_listed_with_origin_and_licence():
    found = ask("data", "list")
    assert found.exit_code == 0
    assert "digits8 (embedded)" in found.stdout
    assert "digits (missing)" in found.stdout
    assert "dareps data get digits" in found.stdout
    assert "CC BY 4.0" in found.stdout


def test_a_long_list_of_domains_or_tasks_is_cut():
    for command in (("data", "list"), ("show", "data/school"), ("show", "school_tasks")):
        found = ask(*command)
        assert "s001, s002, s003 ... s139 (139 in all)" in found.stdout.replace(" (regression, 1)", "")
        assert "s050" not in found.stdout


def test_embedded_data_is_there_to_get_and_check():
    assert "nothing to download" in ask("data", "get", "digits8").stdout
    assert "digits8/scans: 1797 rows of shape (1, 8, 8)" in ask("data", "check", "digits8").stdout


def test_data_that_is_not_there_is_refused():
    assert "Did you mean 'digits'?" in refused("data", "check", "digts")
    assert "Run 'dareps data get digits'." in refused("data", "check", "digits")


def test_a_dry_run_prints_what_binds_to_the_same_run_and_its_key(tmp_path: Path):
    found = ask("train", "dann", "--dry-run", "--seed", 3, "encoder.width=50", "--out", tmp_path / "out")
    assert found.exit_code == 0
    run = rebind(yaml.safe_load(found.stdout))
    assert (run.seed, run.method.encoder.width, run.split) == (3, 50, "fonts:scans")
    key = found.stdout.splitlines()[-1]
    assert key.startswith("# key: ")
    assert len(key) == len("# key: ") + 32
    assert not (tmp_path / "out").exists()
    again = ask("train", "dann", "--dry-run", "--seed", 3, "engine.flush=7", "encoder.width=50").stdout
    assert again.splitlines()[-1] == key
    other = ask("train", "dann", "--dry-run", "--seed", 3, "encoder.width=51").stdout
    assert other.splitlines()[-1] != key


def test_a_dry_run_without_the_data_says_so():
    found = ask("train", "dann", "--dry-run", "--split", "digits/mnist:usps")
    assert found.exit_code == 0
    assert yaml.safe_load(found.stdout)["data"]["name"] == "digits"
    assert found.stdout.splitlines()[-1].startswith("# key: not known without the data.")


@pytest.mark.parametrize(("scheme", "own", "shared"), [("hard", 0, 13168), ("soft", 13168, 0)])
def test_a_sharing_scheme_tells_what_it_costs(scheme: str, own: int, shared: int):
    page = ask("show", scheme).stdout
    assert "branch  own parameters  shared parameters  multiply-adds a row" in " ".join(page.split("\n"))
    lines = [line.split() for line in page.splitlines()]
    names = ["all"] if scheme == "hard" else ["fonts", "scans"]
    # Convolutions 3x3 on 8x8 places, then on 4x4 after pooling, then what 2x2 leave.
    cost = 64 * 9 * 16 + 16 * 9 * 16 * 32 + 4 * 32 * 64
    for name in names:
        assert [name, f"{own:,}", f"{shared:,}", f"{cost:,}"] in lines


def test_a_scheme_that_needs_several_tasks_is_shown_on_data_that_has_them():
    page = ask("show", "joint_many_tasks").stdout
    assert "Parameters and cost on attributes/fruit:solids" in page
    lines = {line.split()[0]: line.split() for line in page.splitlines() if line.split()}
    low, high = (int(lines[task][-1].replace(",", "")) for task in ("kind", "colour"))
    assert low < high, "the higher task runs what the lower one does, and more"
    assert lines["kind"][1] == "0"
