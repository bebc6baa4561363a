"""Several tasks of all kinds in one run."""

import dataclasses

import numpy as np
import pytest
import torch

from dareps.data._base import DomainRows
from dareps.engine import checkpoint
from dareps.engine.loop import Trainer
from dareps.engine.phases import stream_parts
from dareps.engine.rows import Pool
from dareps.engine.votes import ensemble_accuracy, read_votes
from dareps.errors import ConfigError
from dareps.tasks import kind_of
from tests.engine._make import CPU
from tests.engine._tasks import (
    AGE,
    KIND,
    ROWS,
    TAGS,
    Tasks,
    dataset,
    first_batch,
    outcomes_of,
    rows_of,
    run_on,
    split_of,
)

SOME = {"a": {"age": 0.5, "kind": 0.4, "tags": 0.3}}


def test_all_tasks_are_learned_and_scored_in_their_own_units(tmp_path):
    run = run_on(dataset(SOME), {"phases": [{"steps": 300, "optimizer": {"name": "adam", "lr": 0.01}}]})
    (outcome,) = outcomes_of([run], tmp_path)
    figures = {outcome.identity.task: outcome.selected, **outcome.others}
    assert outcome.identity.task == "kind"
    assert set(outcome.others) == {"age", "tags"}
    last = {task: next(row for row in rows if row.selection == "last") for task, rows in figures.items()}
    assert last["kind"].target_metric > 0.8
    assert last["age"].target_metric > 0.8
    assert last["age"].metrics["rmse"] < 40
    assert last["tags"].target_metric > 0.8
    assert last["tags"].source_metric > 0.8
    assert last["tags"].confusion == last["age"].confusion == []
    assert len({row.step for row in last.values()}) == 1
    saved = checkpoint.load(tmp_path / outcome.folder / "model.safetensors")[0]
    assert 1800 < saved["predicted/age"].mean() < 2200
    assert saved["scale/age/spread"].dtype == torch.float64


def test_one_batch_against_the_losses_by_hand():
    run = run_on(dataset(SOME), engine={"precision": "float64"}, source=("a", "c"))
    trainer, pool, (x, y), inputs = first_batch(run)
    _, values = trainer.population.losses(pool, x, y, inputs)
    method, data = trainer.population.method, trainer.data[0]
    outputs = {task.name: method.heads[task.name](method.encoder.encoder(x)) for task in (AGE, KIND, TAGS)}
    for task in (AGE, KIND, TAGS):
        found = kind_of(task).elements(outputs[task.name], y[task.name])
        assert 0 < found[1].sum() < found[1].numel()
        expected = (found[0] * found[1]).sum() / found[1].sum()
        assert values[f"task.{task.name}"].item() == pytest.approx(expected.item(), rel=1e-12)
    ages = data.scales["age"].restore(y["age"].numpy())
    assert 1500 < np.nanmin(ages) < np.nanmax(ages) < 2500


def test_a_stream_without_labels_of_a_task_does_not_count_for_it_and_is_told_of():
    run = run_on(dataset({"c": {"age": 1.0}}), source=("a", "c"), engine={"precision": "float64"})
    with pytest.warns(UserWarning, match="tasks.age: no labels in c, which do not train it"):
        trainer, pool, (x, y), inputs = first_batch(run)
    streams = pool.batch(x, y, None).streams
    assert [set(stream.y) for stream in streams] == [{"age", "kind", "tags"}, {"kind", "tags"}]
    assert streams[0].complete == {"age", "kind", "tags"}
    _, values = trainer.population.losses(pool, x, y, inputs)
    method = trainer.population.method
    own = (method.heads["age"](method.encoder.encoder(x[:16])) - y["age"][:16]).square().mean()
    assert values["task.age"].item() == pytest.approx(own.item(), rel=1e-12)


@pytest.mark.parametrize("task", ["age", "kind", "tags"])
def test_a_task_without_any_label_is_refused_before_training(task):
    run = run_on(dataset({"a": {task: 1.0}}))
    with pytest.raises(ConfigError, match=f"tasks.{task}: no stream of training has a label of this task"):
        Trainer([run], [split_of(run)], CPU)


def test_a_batch_without_any_label_of_a_task_gives_loss_zero_and_moves_no_head():
    run = run_on(dataset({"a": {"age": 0.97}}), {"phases": [{"batch": 2, "optimizer": "sgd"}]})
    trainer, pool, _, _ = first_batch(run)
    plan, seen = trainer.plans[0], []
    for inputs in trainer.inputs(plan, pool, 0, 20):
        x, y = pool.gather(inputs.index)
        _, values = trainer.population.losses(pool, x, y, inputs)
        if y["age"].isnan().all():
            seen.append(values["task.age"].item())
            (slope,) = torch.autograd.grad(values["task.age"], [trainer.population.parameters["heads.age.weight"]])
            assert (slope == 0).all()
    assert seen
    assert set(seen) == {0.0}


def test_stacked_seeds_train_as_if_alone_with_missing_labels():
    runs = [
        run_on(dataset({"a": {"age": 0.5, "kind": 0.1, "tags": 0.9}}), seed=seed, engine={"precision": "float64"})
        for seed in (0, 1)
    ]
    data = [split_of(run) for run in runs]
    together = Trainer(runs, data, CPU, stacked=True)
    together.train()
    for copy, (run, own) in enumerate(zip(runs, data, strict=True)):
        alone = Trainer([run], [own], CPU)
        alone.train()
        for name, value in alone.population.weights(0).items():
            torch.testing.assert_close(together.population.weights(copy)[name], value, rtol=1e-9, atol=1e-9)


def test_rows_from_a_loader_have_the_labels_of_rows_on_the_device():
    run = run_on(dataset(SOME))
    _, _, (x, y), _ = first_batch(run)
    _, _, (other_x, other), _ = first_batch(
        run.model_copy(update={"engine": run.engine.model_copy(update={"rows": "loader"})})
    )
    torch.testing.assert_close(x, other_x)
    torch.testing.assert_close(y, other, equal_nan=True)


def test_target_labels_move_nothing_but_target_figures(tmp_path):
    found = []
    for lacking in ({}, {"b": {"kind": 0.9, "age": 0.9, "tags": 0.9}}):
        (outcome,) = outcomes_of([run_on(dataset(lacking))], tmp_path / str(len(found)))
        blind = {name: curve for name, curve in outcome.curves.items() if name != "score.oracle"}
        weights = checkpoint.load(tmp_path / str(len(found)) / outcome.folder / "model.safetensors")[0]
        found.append((blind, {name: value.tolist() for name, value in weights.items()}, outcome))
    assert found[0][:2] == found[1][:2]
    assert found[0][2].others["age"] != found[1][2].others["age"]


def test_labels_of_unlabelled_streams_are_all_missing():
    run = run_on(dataset(), {"phases": [{"streams": {"source": "labelled", "target": "unlabelled"}}]})
    phase = run.method.phases[0]
    pool = Pool([0], [stream_parts(phase, split_of(run))], 4, 0, CPU, torch.float32, (), (AGE, KIND, TAGS))
    target = slice(len(split_of(run).source_train[0].x), None)
    assert (pool.y["kind"][target] == -1).all()
    assert pool.y["age"][target].isnan().all()
    assert pool.slots[1].tasks is None


def test_a_linear_svm_refuses_several_tasks(tmp_path):
    run = run_on(dataset(), {"encoder": "identity", "phases": [{}]})
    method = run.method.model_validate({**run.method.model_dump(), "phases": ["linear_svm"]})
    with pytest.raises(ConfigError, match="linear_svm fits one task of classes"):
        outcomes_of([run.model_copy(update={"method": method})], tmp_path)


OLD = ("balanced_accuracy", "macro_f1")


def test_runs_of_one_task_are_what_they_were(tmp_path):
    (outcome,) = outcomes_of([run_on(dataset(tasks=(KIND,)))], tmp_path)
    assert outcome.others == {}
    assert not [name for name in outcome.curves if name.startswith("source.")]
    assert dataclasses.asdict(outcome)["selected"][0]["metrics"].keys() == {*OLD, "calibration_error"}


def test_a_task_that_only_the_target_is_labelled_for_is_learned_and_selected_without_the_source(tmp_path):
    run = run_on(dataset({"a": {"kind": 1.0}}), {"phases": [{"streams": {"source": "labelled", "target": "labelled"}}]})
    with pytest.warns(UserWarning, match="no labels in a"):
        (outcome,) = outcomes_of([run], tmp_path)
    rows = {row.selection: row for row in outcome.selected}
    assert outcome.status == "ok"
    assert np.isnan(rows["last"].source_metric)
    assert rows["source_accuracy"].score == rows["dev"].score == rows["domain_bound"].score == -np.inf
    assert rows["last"].target_metric > 0.2


def test_rows_without_a_test_label_do_not_vote(tmp_path):
    class Official(Tasks, abstract=True):
        tasks = (KIND,)

        def rows(self, domain):
            own = rows_of(domain, {"kind": 0.5})
            return DomainRows(own.x, rows_of(domain, {}).y, own.x, own.y)

    (outcome,) = outcomes_of([run_on(Official())], tmp_path)
    votes = read_votes(tmp_path, outcome.identity.key)
    assert 0 < len(votes.labels) < ROWS
    assert (votes.labels >= 0).all()
    row = outcome.selected[0]
    assert ensemble_accuracy([(votes, row.step)]) == row.target_metric
