"""The alarm for negative transfer: for whom it rings, what it leaves alone, and what it does."""

from typing import ClassVar

import numpy as np
import pytest
import torch

from dareps.data._base import DomainRows
from dareps.engine.execute import Surroundings, execute
from dareps.engine.loop import Stopped, Trainer
from dareps.engine.predict import load
from dareps.errors import ConfigError
from dareps.guarding import Guard
from dareps.guarding.baseline import Baseline
from dareps.guarding.shadow import Shadow
from dareps.recipe.bind import dump_run
from dareps.types import Task
from tests.engine._make import CPU, distance, weights_of
from tests.engine._tasks import Tasks, dataset, outcomes_of, register, run_on, split_of

OFTEN = {"precision": "float64", "selection": ["last"], "keep": "last", "evaluations": 6}
SMALL = {"name": "mlp", "width": 4, "norm": True}


def run(guard, seed=0, *, data=None, **changes):
    engine = {**OFTEN, **changes.pop("engine", {})}
    return run_on(data or dataset(), {"encoder": SMALL, "guard": guard, **changes}, seed=seed, engine=engine)


def trainer_of(*runs, stacked=None):
    return Trainer(runs, [split_of(own).restricted(own.tasks) for own in runs], CPU, None, stacked)


def trained(*runs, stacked=None):
    trainer = trainer_of(*runs, stacked=stacked)
    trainer.train()
    return trainer


class Rivals(Tasks, abstract=True):
    """Two regression tasks that need opposite things of one narrow feature; `loud` has by far the larger loss."""

    name: ClassVar[str] = "rivals_toy"
    tasks = (Task("meek", "regression", 1), Task("loud", "regression", 3))
    rival: ClassVar[bool] = True

    def rows(self, domain: str) -> DomainRows:
        draws = np.random.Generator(np.random.Philox(key=3))
        x = draws.normal(size=(400, 5)).astype(np.float32)
        loud = np.stack([x[:, 0], x[:, 1], x[:, 0] + x[:, 1]], axis=1)
        return DomainRows(x, {"meek": x[:, 4:5] if self.rival else x[:, :1] - x[:, 1:2], "loud": loud})


class Friends(Rivals, abstract=True):
    """The same where `meek` reads what `loud` reads."""

    name: ClassVar[str] = "friends_toy"
    rival: ClassVar[bool] = False


NARROW = {"name": "mlp", "width": 2, "activation": "tanh"}
LINEAR = {"name": "shadow", "encoder": {"name": "mlp", "width": 8, "activation": "tanh"}, "margin": 0.1}


def narrow(data, guard, **engine):
    method = {"encoder": NARROW, "guard": guard, "balance": {"name": "fixed", "weights": {"meek": 0.1}}}
    phases = [{"steps": 160, "optimizer": {"name": "adam", "lr": 0.03}, "batch": 64}]
    return run_on(data, {**method, "phases": phases}, engine={**OFTEN, "evaluations": 10, **engine})


def test_it_rings_for_the_task_that_another_pushes_out_of_the_features(tmp_path):
    (outcome,) = outcomes_of([narrow(Rivals(), LINEAR)], tmp_path)
    (said,) = outcome.warnings
    assert said.startswith("negative transfer: meek scores")
    assert "apart" not in said
    (outcome,) = outcomes_of([narrow(Friends(), LINEAR)], tmp_path)
    assert outcome.warnings == ()
    assert {"alarm.meek", "alarm.loud", "reference.meek", "reference.loud"} <= outcome.curves.keys()


def test_a_stored_score_rings_as_well(tmp_path):
    scores = {"meek": 0.9, "loud": 0.5}
    (outcome,) = outcomes_of([narrow(Rivals(), {"name": "baseline", "scores": scores})], tmp_path)
    assert [text.split(" scores")[0] for text in outcome.warnings] == ["negative transfer: meek"]
    curve, figures = outcome.curves["alarm.loud"], dict(outcome.curves["source.loud"])
    assert curve == [(step, figures[step] - 0.5) for step, _ in curve]


def test_a_harmed_task_goes_on_apart_and_is_better_for_it(tmp_path, monkeypatch):
    early = {**LINEAR, "demote": True, "after": 0.5, "patience": 2}
    register(monkeypatch, Rivals)
    (outcome,) = outcomes_of([narrow(Rivals(), early)], tmp_path)
    (plain,) = outcomes_of([narrow(Rivals(), LINEAR)], tmp_path)
    assert outcome.warnings[0].endswith("from there on it is trained apart")
    assert outcome.curves["source.meek"][-1][1] > plain.curves["source.meek"][-1][1] + 0.1
    model = load(tmp_path / outcome.folder)
    assert model.method.apart == ("meek",)
    assert not any(name.startswith("shadow") for name in model.method.state_dict())


@pytest.mark.parametrize("calls", [(3, 6), (8, 1, 1)])
def test_a_run_with_a_task_let_go_continues_exactly(calls, tmp_path):
    early = {**LINEAR, "demote": True, "after": 0.5, "patience": 2}
    given = narrow(Rivals(), early, flush=24, checkpoint_seconds=0.0)
    (whole,) = outcomes_of([given], tmp_path / "whole")
    assert "trained apart" in whole.warnings[0]
    for number in calls:
        left = iter(range(number))
        with pytest.raises(Stopped):
            execute([given], Surroundings(tmp_path / "parts", CPU, stop=lambda left=left: next(left, None) is None))
    (parts,) = outcomes_of([given], tmp_path / "parts")
    assert (whole.curves, whole.selected, whole.others) == (parts.curves, parts.selected, parts.others)


@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_letting_a_task_go_changes_neither_predictions_nor_momenta(stacked, optimizer):
    phases = [{"optimizer": optimizer, "steps": 30}]
    harsh = {"name": "baseline", "scores": {"age": 2.0, "kind": -2.0, "tags": -2.0}, "patience": 1, "demote": True}
    trainer = trainer_of(run(harsh, phases=phases), stacked=stacked)
    plan = trainer.plans[0]
    seen = []
    enter, evaluate = trainer.enter, trainer._evaluate

    def evaluated(step):
        evaluate(step)
        seen.append((weights_of(trainer), _momenta(trainer)))

    trainer._evaluate = evaluated
    let_go = trainer._let_go

    def gone(plan, step):
        new = let_go(plan, step)
        if new:
            seen.append((weights_of(trainer), _momenta(trainer)))
            raise Stopped
        return new

    trainer._let_go, trainer.enter = gone, enter
    with pytest.raises(Stopped):
        trainer._phase(plan)
    (before, earlier), (after, later) = seen[-2:]
    for name, value in after.items():
        own = name.replace("encoder.alone.age.", "encoder.").replace("encoder.shared.", "encoder.")
        assert torch.equal(value, before[own])
        assert later.get(name, {}).keys() == earlier.get(own, {}).keys()
        assert all(torch.equal(item, earlier[own][field]) for field, item in later.get(name, {}).items())
    assert any(later.values())
    assert trainer.population.method.apart == ("age",)


def _momenta(trainer):
    state = trainer.optimizer.state
    return {
        name: {field: value.clone() for field, value in state[parameter].items()}
        for name, parameter in trainer.population.parameters.items()
        if parameter in state
    }


@pytest.mark.parametrize("clip", [None, 0.3])
@pytest.mark.parametrize(
    "guard", ["shadow", {"name": "baseline", "scores": dict.fromkeys(("age", "kind", "tags"), 1.0)}]
)
def test_watching_changes_nothing_to_the_last_bit(guard, clip):
    phases = [{"steps": 20, "clip": clip, "trains": ["heads"]}, {"steps": 10, "clip": clip}]
    watched, plain = trained(run(guard, phases=phases)), trained(run(None, phases=phases))
    ours, theirs = weights_of(watched), weights_of(plain)
    assert distance({name: ours[name] for name in theirs}, theirs) == 0
    logged = {name: curve for name, curve in watched.ledgers[0].curves.items() if name in plain.ledgers[0].curves}
    assert logged == plain.ledgers[0].curves


@pytest.mark.parametrize("stacked", [False, True])
def test_the_shadow_with_the_recipes_encoder_is_the_run_on_the_task_alone(stacked):
    noisy = {**SMALL, "dropout": 0.3}
    phases = [{"steps": 20, "clip": 0.5}]
    method = {"encoder": noisy, "phases": phases}
    watched = trained(run({"name": "shadow", "encoder": noisy}, **method), stacked=stacked)
    ours = weights_of(watched)
    for task in ("age", "kind", "tags"):
        alone = trained(run(None, tasks=[task], **method))
        theirs = weights_of(alone)
        assert distance({name: ours[f"shadow.{task}.{name}"] for name in theirs}, theirs) < 1e-12
        evaluator = alone.evaluators[0]
        (found,) = evaluator.outputs(alone.population.single(0).eval(), evaluator.source).values()
        figure = evaluator._scores(alone.tasks[0], evaluator.labels[task], found.logits).primary
        assert watched.ledgers[0].curves[f"reference.{task}"][-1][1] == pytest.approx(figure, abs=1e-9)


def test_stacked_seeds_are_watched_as_separate_ones():
    stack = trained(run("shadow"), run("shadow", 4))
    for copy, seed in enumerate((0, 4)):
        single = trained(run("shadow", seed))
        assert distance(weights_of(stack, copy), weights_of(single)) < 1e-12
        for task in ("age", "kind", "tags"):
            ours, theirs = (own.curves[f"alarm.{task}"] for own in (stack.ledgers[copy], single.ledgers[0]))
            assert np.allclose(ours, theirs, atol=1e-9)


def test_a_task_without_validation_labels_has_no_alarm():
    data = dataset({"a": {"tags": 0.99}})
    trainer = trainer_of(run("shadow", data=data))
    trainer.evaluators[0].labels["tags"][:] = np.nan
    trainer.train()
    assert "alarm.tags" not in trainer.ledgers[0].curves
    assert "alarm.kind" in trainer.ledgers[0].curves


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([-0.1, -0.1, -0.1, -0.1], None),
        ([-0.1] * 8, 80),
        ([0.0] * 5 + [-0.1, -0.1, 0.0, -0.1, -0.1], None),
        ([0.0] * 7 + [-0.1, -0.1, -0.1], 100),
        ([-0.05] * 10, None),
        ([], None),
    ],
)
def test_when_the_alarm_rings(values, expected):
    guard = Shadow(margin=0.05, patience=3, after=0.5)
    assert guard.rings([(10 * (number + 1), value) for number, value in enumerate(values)], 100) == expected


def test_what_cannot_be_guarded_is_refused():
    demote = {"name": "shadow", "demote": True}
    with pytest.raises(ValueError, match=r"guard\.demote: soft couples the tasks by a penalty"):
        run(demote, sharing="soft")
    with pytest.raises(ValueError, match=r"guard\.demote: the balancer gradnorm needs all tasks"):
        run(demote, balance="gradnorm")
    both = [{"streams": {"source": "labelled", "target": "unlabelled"}}]
    with pytest.raises(ValueError, match=r"guard\.demote: the alignments act"):
        run(demote, align=["mmd"], phases=both)
    with pytest.raises(ValueError, match="guard: there is one task only"):
        run("shadow", tasks=["kind"])
    with pytest.raises(ConfigError, match=r"guard\.scores: a task has no score.*got 'kind'"):
        Baseline(scores={"age": 0.5}).scores_of(("age", "kind"))
    with pytest.raises(ConfigError, match=r"guard\.scores: no task has this name, got 'size'"):
        Baseline(scores={"size": 0.5}).scores_of(("age", "kind"))


def test_a_missing_score_is_told_before_training():
    with pytest.raises(ConfigError, match=r"guard\.scores"):
        trainer_of(run({"name": "baseline", "scores": {"age": 0.5}}))


def test_seeds_that_differ_in_who_is_harmed_are_not_stacked():
    assert not run({"name": "shadow", "demote": True}).method.stacks
    assert run("shadow").method.stacks


def test_nothing_is_said_of_a_guard_where_there_is_none():
    assert "guard" not in dump_run(run(None))["method"]
    assert dump_run(run("shadow"))["method"]["guard"]["name"] == "shadow"
    assert not Guard.scores_of(Shadow(), ("kind",))
