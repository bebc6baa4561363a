"""Whatever a YAML file or an override says: it binds, or it is a `ConfigError`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dareps.errors import ConfigError
from dareps.recipe.bind import bind_recipe, bind_run, dump_run, rebind, run_key
from dareps.recipe.overrides import apply_overrides, parse_override
from dareps.recipe.settings import Recipe, Run
from dareps.recipe.yaml_io import dump, parse
from tests.recipe._drawn import (
    RECIPES,
    SPLITS,
    lacks_classes,
    mappings,
    scalars,
    spoilt_recipes,
    structures,
    valid_overrides,
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recipes") / "drawn.yaml"


def bound(file: Path, content: Any, split: str) -> Run | None:
    file.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
    try:
        return bind_run(str(file), split)
    except ConfigError:
        return None


@given(content=st.one_of(mappings, structures), split=st.sampled_from(SPLITS))
@settings(max_examples=150, deadline=None)
def test_any_structure_binds_or_is_refused(file: Path, content: Any, split: str):
    found = bound(file, content, split)
    assert found is None or isinstance(found, Run)


@given(content=spoilt_recipes(), split=st.sampled_from(SPLITS))
@settings(max_examples=200, deadline=None)
def test_a_spoilt_recipe_binds_or_is_refused(file: Path, content: Any, split: str):
    found = bound(file, content, split)
    assert found is None or isinstance(found, Run)


@given(content=st.text(st.characters(codec="utf-8"), max_size=60))
@settings(max_examples=150, deadline=None)
def test_any_text_binds_or_is_refused(file: Path, content: str):
    found = bound(file, content, SPLITS[0])
    assert found is None or isinstance(found, Run)


@given(text=st.text(max_size=40))
@settings(max_examples=150, deadline=None)
def test_any_yaml_text_parses_or_is_refused(text: str):
    with suppress(ConfigError):
        parse(text, "here")


@given(
    recipe=st.sampled_from(sorted(RECIPES)),
    path=st.lists(st.sampled_from(["align", "phases", "encoder", "0", "1", "*", "weight", "data", "x"]), max_size=4),
    value=st.one_of(scalars, st.just("[1, {a: 2}]"), st.just("{name: mlp}"), st.just("[unclosed")),
)
@settings(max_examples=200, deadline=None)
def test_any_override_binds_or_is_refused(recipe: str, path: list[str], value: Any):
    try:
        found = bind_run(recipe, SPLITS[0], overrides=[parse_override(f"{'.'.join(path)}={value}")])
    except ConfigError:
        return
    assert isinstance(found, Run)


@given(split=st.one_of(st.text(max_size=20), st.from_regex(r"digits8/[a-z+]{0,9}:?[a-z+]{0,9}", fullmatch=True)))
@settings(max_examples=100, deadline=None)
def test_any_split_binds_or_is_refused(split: str):
    try:
        found = bind_run("dann", split)
    except ConfigError:
        return
    assert f"digits8/{found.split}" == split.strip()


@pytest.mark.parametrize("recipe", sorted(RECIPES))
@pytest.mark.parametrize("split", SPLITS)
@given(data=st.data())
@settings(max_examples=3, deadline=None)
def test_bind_dump_bind_is_the_identity(recipe: str, split: str, data: st.DataObject):
    if lacks_classes(recipe, split):
        return
    changes = data.draw(valid_overrides(recipe))
    run = bind_run(recipe, split, data.draw(st.integers(0, 2**31 - 1)), changes)
    again = rebind(parse(dump(dump_run(run)), "dump"))
    assert again == run
    assert dump_run(again) == dump_run(run)
    assert run_key(again, "data") == run_key(run, "data")


@given(data=st.data(), recipe=st.sampled_from(sorted(RECIPES)))
@settings(max_examples=50, deadline=None)
def test_a_dumped_recipe_file_binds_to_the_same_recipe(file: Path, data: st.DataObject, recipe: str):
    run = bind_run(recipe, SPLITS[0], overrides=data.draw(valid_overrides(recipe)))
    file.write_text(dump(dump_run(run)["method"]), encoding="utf-8")
    assert bind_run(str(file), SPLITS[0]).method == run.method


@given(value=structures)
@settings(max_examples=150, deadline=None)
def test_what_is_dumped_parses_back(value: Any):
    # NaN is not equal to itself, so equality is asked of the texts.
    text = dump(value)
    assert dump(parse(text, "dump")) == text


def test_the_encoder_and_steps_come_from_the_dataset():
    runs = [
        bind_run("dann", split) for split in ("digits8/fonts:scans", "digits/mnist:usps", "amazon_reviews/books:dvd")
    ]
    assert [type(run.method.encoder).name for run in runs] == ["digit_cnn", "digit_cnn", "mlp"]
    for key in ("steps", "batch"):
        assert [getattr(run.method.phases[0], key) for run in runs] == [type(run.data).defaults[key] for run in runs]
    assert len({run.method.phases[0].steps for run in runs}) > 1


def test_an_override_wins_over_the_dataset():
    run = bind_run("dann", SPLITS[0], overrides=[("phases.0.steps", 5), ("encoder.width", 7)])
    assert run.method.phases[0].steps == 5
    assert run.method.encoder.width == 7


@pytest.mark.parametrize(
    ("settings_", "where", "words"),
    [
        ({"encodr": "mlp"}, "recipe r.encodr", "Did you mean 'encoder'?"),
        ({"encoder": "mpl"}, "recipe r.encoder", "Did you mean 'mlp'?"),
        ({"align": [{"name": "mmd", "wieght": 1}]}, "recipe r.align.0.wieght", "Did you mean 'weight'?"),
        ({"align": [{"name": "mmd", "weight": "much"}]}, "recipe r.align.0.weight", "'much'"),
        ({"align": [{"name": "mmd", "weight": -1}]}, "recipe r.align.0.weight", "-1"),
        ({"align": {"name": "mmd"}}, "recipe r.align", "name"),
        ({"align": [{"weight": 1}]}, "recipe r.align.0", "the alignment's name"),
        ({"phases": []}, "recipe r.phases", "at least one phase"),
        ({"align": ["mmd"], "phases": [{"streams": {"source": "labelled"}}]}, "recipe r.align", "no phase reads"),
        ({"phases": [{"streams": {}}]}, "recipe r.phases.0", "reads no stream"),
        ({"phases": [{"streams": {"target": "unlabelled"}}]}, "recipe r.phases.0", "no labels"),
        ({"phases": ["linear_svm", "train"]}, "recipe r.phases", "cannot be combined"),
        ({"phases": [{"steps": True}]}, "recipe r.phases.0.steps", "True"),
        ({"phases": [{"steps": -1}]}, "recipe r.phases.0.steps", "-1"),
        ({"phases": [{"steps": 1.5}]}, "recipe r.phases.0.steps", "1.5"),
        ({"phases": [{"trains": []}]}, "recipe r.phases.0", "nothing is trainable"),
    ],
)
def test_a_mistake_names_its_place_and_the_way_out(settings_: dict[str, Any], where: str, words: str):
    with pytest.raises(ConfigError) as caught:
        bind_recipe(settings_, "recipe r")
    assert caught.value.where == where
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("align.1.weight=1", "There are 1 items, counted from 0."),
        ("align.x.weight=1", "no such item"),
        ("encodr.width=1", "Did you mean 'encoder'?"),
        ("encoder.widht=1", "Did you mean 'width'?"),
        ("data=digits", "--split"),
        ("data.name=digits", "--split"),
        ("plugins=[x.py]", "--plugin"),
        ("seed=3", "unknown key"),
        ("align.0.weight.x=1", "below a plain value"),
        ("engine.keep=best", "no selected rule"),
        ("engine.flush=0", "greater than or equal to 1"),
    ],
)
def test_a_wrong_override_says_what_is_wrong(override: str, words: str):
    with pytest.raises(ConfigError) as caught:
        bind_run("dann", SPLITS[0], overrides=[parse_override(override)])
    assert words in str(caught.value)


def test_an_empty_value_leaves_the_choice_to_the_dataset():
    assert bind_run("dann", SPLITS[0], overrides=[parse_override("encoder=")]) == bind_run("dann", SPLITS[0])


@pytest.mark.parametrize("text", ["", "=1", "noequals", ".a=1", "a.=1", "a..b=1"])
def test_an_override_needs_a_path_and_a_value(text: str):
    with pytest.raises(ConfigError, match=r"key\.path=value"):
        parse_override(text)


def test_overrides_do_not_touch_what_they_are_applied_to():
    before = {"align": [{"name": "mmd"}], "encoder": "mlp"}
    after = apply_overrides(before, [("align.*.weight", 2), ("encoder.width", 3), ("new.key", 1)])
    assert before == {"align": [{"name": "mmd"}], "encoder": "mlp"}
    assert after["align"] == [{"name": "mmd", "weight": 2}]
    assert after["encoder"] == {"name": "mlp", "width": 3}
    assert after["new"] == {"key": 1}


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-3", 0.001), ("1E3", 1000.0), ("yes", "yes"), ("on", "on"), ("true", True), ("0.5", 0.5), ("7", 7)],
)
def test_values_are_what_people_mean(text: str, value: object):
    found = parse(text, "here")
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", ["a: 1\na: 2", "x: {b: 1, b: 1}", "a: [1", "a: &x [*x", "!!python/object:os.system x"])
def test_broken_yaml_is_refused(text: str):
    with pytest.raises(ConfigError, match="not valid YAML"):
        parse(text, "here")


def test_a_recipe_that_contains_itself_is_refused(file: Path):
    file.write_text("align: &x [*x]\n", encoding="utf-8")
    with pytest.raises(ConfigError):
        bind_run(str(file), SPLITS[0])


@pytest.mark.parametrize("name", ["~nobody-here/x.py", "a\x00b.py", "x" * 5000 + ".py", "absent.py", ".", ""])
def test_a_plug_in_file_that_cannot_be_is_refused(file: Path, name: str):
    file.write_text(dump({"plugins": [name]}), encoding="utf-8")
    with pytest.raises(ConfigError):
        bind_run(str(file), SPLITS[0])


@pytest.mark.parametrize("name", ["~nobody-here/x.yaml", "a\x00b.yaml", "x" * 5000 + ".yaml", "absent.yaml", ".", ""])
def test_a_recipe_file_that_cannot_be_is_refused(name: str):
    with pytest.raises(ConfigError):
        bind_run(name, SPLITS[0])


def test_settings_are_equal_when_their_values_are():
    assert bind_recipe({"align": ["mmd"], "phases": BOTH}, "a") == bind_recipe({"align": [MMD], "phases": BOTH}, "b")
    assert hash(Recipe()) == hash(bind_recipe({}, "c"))


BOTH = [{"streams": {"source": "labelled", "target": "unlabelled"}}]
MMD = {"name": "mmd", "weight": 1.0}
