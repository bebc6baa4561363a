"""Learning without a target: by the command's own way of binding, honest about test rows, tasks as the recipe says."""

import dataclasses

import numpy as np
import pytest

import dareps.engine.building as building_module
from dareps.data._base import Sealed
from dareps.data.split import make_split
from dareps.engine import checkpoint
from dareps.engine.predict import load
from dareps.errors import ConfigError
from dareps.recipe.bind import bind_run, dump_run, rebind, run_key
from dareps.recipe.defaults import with_fitting_rules
from dareps.suite.parts import pairs
from tests.engine._make import outcome_of, run_of
from tests.engine._tasks import AGE, KIND, TAGS, Tasks, dataset, outcomes_of, register, run_on

SHORT = [("encoder", {"name": "mlp", "width": 16}), ("phases.*.steps", 20), ("engine.evaluations", 2)]
ALONE = {"target": (), "protocol": "supervised", "engine": {"selection": ["last", "source_score"], "keep": "last"}}


def alone(**changes):
    return run_on(dataset(), changes.pop("method", None), **{**ALONE, **changes})


def test_a_split_without_a_target_binds_with_rules_that_need_none(tmp_path):
    run = bind_run("source_only", "digits8/scans", 0, SHORT)
    assert (run.protocol, run.split, run.target) == ("supervised", "scans", ())
    assert [rule.name for rule in run.engine.selection] == ["last", "source_accuracy", "source_score"]
    assert run.engine.keep == "source_score"
    outcome = outcome_of(run, tmp_path)
    assert (outcome.status, outcome.target_labels, outcome.identity.split) == ("ok", 0, "scans")
    scores = {row.selection: row.score for row in outcome.selected}
    assert scores["source_score"] == scores["source_accuracy"]
    assert load(tmp_path / outcome.folder).domain == "scans"


@pytest.mark.parametrize(
    ("recipe", "split", "overrides", "message"),
    [
        ("dann", "digits8/scans", [], "a phase reads target rows, but the split has no target"),
        ("target_only", "digits8/scans", [], "a phase reads target rows, but the split has no target"),
        ("source_only", "digits8/scans", [("protocol", "paper")], "source and target need different domains"),
        ("source_only", "digits8/fonts:scans", [("protocol", "supervised")], "a supervised run has no target"),
        ("source_only", "digits8/scans", [("engine.selection", ["dev"]), ("engine.keep", "dev")], "no target, which"),
        ("source_only", "digits8/fonts:scans", [("tasks", ["digits"])], "no task 'digits'. Did you mean 'digit'"),
        ("source_only", "digits8/fonts:scans", [("tasks", ["digit", "digit"])], "named twice"),
    ],
)
def test_what_does_not_go_together_is_one_message(recipe, split, overrides, message):
    with pytest.raises(ConfigError, match=message):
        bind_run(recipe, split, 0, overrides)


def test_naming_no_task_leaves_keys_as_they_were():
    run = run_of("source_only")
    assert "tasks" not in dump_run(run)["method"]
    assert rebind(dump_run(run)) == run
    named = run.model_copy(update={"method": run.method.model_copy(update={"tasks": ("digit",)})})
    assert dump_run(named)["method"]["tasks"] == ["digit"]
    assert run_key(named, "x") != run_key(run, "x")


def test_every_domain_alone():
    assert pairs("digits8/*") == ["digits8/fonts", "digits8/scans"]


@pytest.mark.parametrize("tasks", [("age",), ("tags", "kind"), ()])
def test_a_recipe_says_which_tasks_are_learned(tasks, tmp_path):
    (outcome,) = outcomes_of([alone(method={"tasks": list(tasks)})], tmp_path)
    names = [outcome.identity.task, *outcome.others]
    assert sorted(names) == sorted(tasks or ("age", "kind", "tags"))
    assert names[0] == ("kind" if "kind" in names else "age")
    weights = checkpoint.load(tmp_path / outcome.folder / "model.safetensors")[0]
    heads = {name.split(".")[1] for name in weights if name.startswith("model/heads")}
    assert heads == set(names)


def test_a_task_alone_starts_from_the_weights_and_rows_of_the_joint_run():
    def first(tasks):
        run = alone(method={"tasks": tasks})
        data = make_split(run.data, run.source, (), 0, "supervised").restricted(run.tasks)
        return building_module.build_method(run, data).state_dict(), data.source_train[0].x

    (one, rows), (both, same) = first(["age"]), first(["kind", "age"])
    assert all((one[name] == both[name]).all() for name in one)
    np.testing.assert_array_equal(rows, same)


def _spoilt(change):
    def make(*arguments):
        data = make_split(*arguments)
        draws = np.random.default_rng(0)
        if change == "rows":
            parts = tuple(dataclasses.replace(part, x=draws.normal(size=part.x.shape)) for part in data.target_test)
            return dataclasses.replace(data, target_test=tuple(_float32(part) for part in parts))
        n = len(data.target_test[0].x)
        labels = {
            "kind": draws.integers(0, 3, n),
            "age": draws.normal(size=(n, 1)),
            "tags": draws.integers(0, 2, (n, 2)),
        }
        return dataclasses.replace(data, sealed=Sealed({"test": {"a": labels}}))

    return make


def _float32(part):
    return dataclasses.replace(part, x=part.x.astype(np.float32))


@pytest.mark.parametrize("change", ["labels", "rows"])
def test_test_rows_are_seen_by_their_score_alone(change, tmp_path, monkeypatch):
    (honest,) = outcomes_of([alone()], tmp_path / "honest")
    monkeypatch.setattr(building_module, "make_split", _spoilt(change))
    (spoilt,) = outcomes_of([alone()], tmp_path / "spoilt")
    assert honest.curves == spoilt.curves
    assert honest.others["age"][0].metrics != spoilt.others["age"][0].metrics
    for task in ("kind", "age", "tags"):
        one, other = (dict({own.identity.task: own.selected}, **own.others)[task] for own in (honest, spoilt))
        blind = [[(row.selection, row.step, row.score, row.source_metric) for row in rows] for rows in (one, other)]
        assert blind[0] == blind[1]
    models = [
        checkpoint.load(tmp_path / side / own.folder / "model.safetensors")[0]
        for side, own in (("honest", honest), ("spoilt", spoilt))
    ]
    assert all((models[0][name] == models[1][name]).all() for name in models[0] if name.startswith("model/"))


def test_a_saved_model_predicts_every_task_in_its_units(tmp_path, monkeypatch):
    register(monkeypatch, Tasks)
    run = run_on(Tasks(), {"phases": [{"steps": 200, "optimizer": {"name": "adam", "lr": 0.01}}]}, **ALONE)
    (outcome,) = outcomes_of([run], tmp_path)
    model = load(tmp_path / outcome.folder)
    saved = checkpoint.load(tmp_path / outcome.folder / "model.safetensors")[0]
    data = make_split(run.data, run.source, (), 0, "supervised")
    x = data.target_test[0].x
    for task, name in ((KIND, "predicted"), (AGE, "predicted/age"), (TAGS, "predicted/tags")):
        np.testing.assert_allclose(model.predict(x, task.name), saved[name].numpy(), rtol=1e-5)
    truth = data.sealed.open_for_scorer("test", "a")["age"]
    assert np.abs(model.predict(x, "age") - truth).mean() < 40
    assert np.array_equal(model.predict(x), model.predict_proba(x).argmax(axis=1))
    assert (np.abs(model.predict_proba(x, "tags") - 0.5) <= 0.5).all()
    with pytest.raises(ConfigError, match="numbers have no probabilities"):
        model.predict_proba(x, "age")
    with pytest.raises(ConfigError, match=r"no task of this name, got 'ages'\. Did you mean 'age'"):
        model.predict(x, "ages")


def test_numbers_alone_are_selected_by_their_own_figure(tmp_path):
    run = run_on(dataset(tasks=(AGE,)), engine={"selection": ["last", "source_score", "oracle"], "keep": "oracle"})
    (outcome,) = outcomes_of([run], tmp_path)
    rows = {row.selection: row for row in outcome.selected}
    assert rows["source_score"].score == rows["source_score"].source_metric
    assert rows["oracle"].score == max(value for _, value in outcome.curves["score.oracle"])
    assert outcome.scatter is None


def test_one_task_of_several_has_the_rule_that_all_together_have():
    both, one = (with_fitting_rules(run_on(dataset(), {"tasks": tasks})) for tasks in ([], ["kind"]))
    assert [rule.name for rule in both.engine.selection] == [rule.name for rule in one.engine.selection]
    assert both.engine.selection[-1].name == "source_score"
    assert both.engine.keep == one.engine.keep == "information_maximisation"
    alone = with_fitting_rules(run_on(dataset(), {"tasks": ["age"]}))
    assert [rule.name for rule in alone.engine.selection] == ["last", "oracle", "source_score"]
    assert alone.engine.keep == "source_score"
