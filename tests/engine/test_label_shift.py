"""Class shares of a target from a trained method, and phases that reweight the source by them."""

import dataclasses
from typing import ClassVar

import numpy as np
import pytest
import torch

from dareps.data._base import DomainRows, Sealed
from dareps.engine.execute import Surroundings, execute
from dareps.engine.label_shift import estimate, target_class_shares
from dareps.engine.loop import Stopped, Trainer
from dareps.engine.predict import load
from dareps.errors import ConfigError
from dareps.maths.label_shift import class_shares, hard, shares_of
from dareps.recipe.bind import dump_run
from dareps.recipe.task_losses import task_losses
from dareps.testing._gates import forbid_host_sync
from dareps.types import Labelled, Task
from tests.engine import _tasks
from tests.engine._make import CPU, NOISY, SHORT, distance, run_of, trainer_of, weights_of
from tests.engine.test_resume import _same

SHARES = {"a": (1 / 3, 1 / 3, 1 / 3), "b": (0.7, 0.25, 0.05)}
ROWS = 4000
CENTRES = np.array([[0.0, 0.0], [1.6, 0.0], [0.0, 1.6]])
REWEIGHTED = {"name": "train", "label_shift": "estimate"}
NORMED = (*SHORT, *NOISY, ("normalise", "per_domain"))


class Shifted(_tasks.Tasks, abstract=True):
    """Three overlapping clouds, of which the target has other shares."""

    name: ClassVar[str] = "label_shift_toy"
    tasks = (Task("kind", "classification", 3),)

    def rows(self, domain):
        draws = np.random.Generator(np.random.Philox(key=len(domain) + ord(domain[0])))
        labels = draws.choice(3, size=ROWS, p=SHARES.get(domain, SHARES["a"]))
        x = CENTRES[labels] + draws.normal(size=(ROWS, 2))
        return DomainRows(x.astype(np.float32), {"kind": labels})


def shifted_run(*second, **changes):
    phases = [{"steps": 150, "batch": 64}, *({"steps": 150, "batch": 64, **own} for own in second)]
    method = {"encoder": {"name": "mlp", "width": 16}, "phases": phases}
    return _tasks.run_on(Shifted(), method, **changes)


def trained(run):
    trainer = Trainer([run], [_tasks.split_of(run)], CPU)
    trainer.train()
    return trainer


def phases(*names, **more):
    """Learning, and then learning reweighted."""
    return (
        "phases",
        [{"steps": 10, "batch": 32}, *({"steps": 20, "batch": 32, "label_shift": own, **more} for own in names)],
    )


@pytest.fixture(scope="module")
def source_model():
    return trained(shifted_run())


def test_shares_are_found_without_labels(source_model):
    method, data = source_model.population.single(0), source_model.data[0]
    found = target_class_shares(method, data)
    np.testing.assert_allclose(found.target, SHARES["b"], atol=0.08)
    assert (found.low <= SHARES["b"]).all()
    assert (found.high >= SHARES["b"]).all()
    np.testing.assert_allclose(found.source, SHARES["a"], atol=0.05)
    assert 0 in found.moved
    assert 2 in found.moved
    assert not found.doubt
    naive = hard(source_model.evaluators[0].seen(method, data.target_train)["kind"].logits).mean(axis=0)
    assert np.abs(found.target - SHARES["b"]).sum() < np.abs(naive - SHARES["b"]).sum()


def test_it_is_made_of_validation_rows_and_target_train_rows(source_model):
    method, data, evaluator = source_model.population.single(0), source_model.data[0], source_model.evaluators[0]
    (held,), (target,), (train,) = data.source_validation, data.target_train, data.source_train
    read = [hard(evaluator.seen(method, [part])["kind"].logits) for part in (held, target)]
    expected = class_shares(held.y["kind"], *read, shares_of(train.y["kind"], 3))
    found = target_class_shares(method, data)
    assert found.target.tolist() == expected.target.tolist()
    assert found.low.tolist() == expected.low.tolist()
    soft = target_class_shares(method, data, soft=True)
    assert soft.singular < found.singular
    np.testing.assert_allclose(soft.target, SHARES["b"], atol=0.08)


def test_a_task_without_classes_has_no_shares(source_model):
    method, data = source_model.population.single(0), source_model.data[0]
    with pytest.raises(ConfigError, match=r"no such task of classes.*age.*Known: kind"):
        target_class_shares(method, data, task="age")


def test_the_weights_are_those_of_the_model_that_the_phase_begins_with():
    run = shifted_run(REWEIGHTED)
    trainer = Trainer([run], [_tasks.split_of(run)], CPU)
    trainer._phase(trainer.plans[0])
    trainer.position.phase, trainer.position.step = 1, 0
    expected = estimate(trainer.population.single(0), trainer.evaluators[0], draws=0)
    trainer._phase(trainer.plans[1])
    found = weights_of(trainer)["reweight.1.of_kind"]
    torch.testing.assert_close(found, torch.from_numpy(expected.weights).float(), rtol=0, atol=0)
    curves = trainer.ledgers[0].curves
    assert curves["label_shift.kind.singular"] == [(150, expected.singular)]
    assert [curves[f"label_shift.kind.{own}"][0][1] for own in range(3)] == expected.target.tolist()


def test_reweighting_helps_where_the_shares_are_what_has_shifted():
    plain, weighted = (trained(shifted_run({"label_shift": own})) for own in ("none", "estimate"))
    one, other = (own.evaluators[0].score(own.population.single(0))["kind"].scores.primary for own in (plain, weighted))
    assert other > one + 0.01


def test_target_labels_are_never_read():
    run = shifted_run(REWEIGHTED)
    data, seen = _tasks.split_of(run), []
    nothing = {part: {"b": {"kind": np.zeros(9999, int)}} for part in ("train", "validation", "test")}
    for own in (data, dataclasses.replace(data, sealed=Sealed(nothing))):
        trainer = Trainer([run], [own], CPU)
        for plan in trainer.plans:
            trainer.position.phase, trainer.position.step = plan.number, 0
            trainer.enter(plan)
        seen.append(weights_of(trainer))
    assert distance(*seen) == 0
    assert seen[0]["reweight.1.of_kind"].std() > 0.01


def test_weights_are_factors_on_the_losses_of_rows():
    task = Task("kind", "classification", 3)
    logits = [torch.linspace(-2, 5, 9).view(3, 3).double(), torch.linspace(3, -4, 9).view(3, 3).double()]
    labels, weight = [torch.tensor([0, -1, 2]), torch.tensor([1, 1, 0])], torch.tensor([0.5, 0.0, 2.5]).double()
    none = torch.zeros(3, 1)
    streams = [
        Labelled("a", "source", none, {"kind": labels[0]}, weights={"kind": weight[labels[0].clamp_min(0)]}),
        Labelled("b", "target", none, {"kind": labels[1]}),
    ]
    for smoothing in (0.0, 0.2):
        found = task_losses([task], streams, [{"kind": own} for own in logits], smoothing)["kind"]
        each = [
            torch.nn.functional.cross_entropy(*own, reduction="none", ignore_index=-1, label_smoothing=smoothing)
            for own in zip(logits, labels, strict=True)
        ]
        expected = (0.5 * each[0][0] + 2.5 * each[0][2] + each[1].sum()) / 5
        torch.testing.assert_close(found, expected)


def test_weights_of_one_are_the_plain_loss():
    task, logits, labels = (
        Task("kind", "classification", 3),
        torch.linspace(-3, 4, 12).view(4, 3).double(),
        [0, 2, 1, 1],
    )
    y, complete = {"kind": torch.tensor(labels)}, frozenset(["kind"])
    plain = Labelled("a", "source", torch.zeros(4, 1), y, complete)
    ones = Labelled("a", "source", torch.zeros(4, 1), y, complete, {"kind": torch.ones(4)})
    one, other = (task_losses([task], [rows], [{"kind": logits}])["kind"] for rows in (plain, ones))
    torch.testing.assert_close(one, other)


def test_what_is_left_out_is_unsaid_and_holds_nothing():
    run = run_of("source_only", (*SHORT, phases("none")))
    assert not any("reweight" in name for name in weights_of(trainer_of([run])))
    assert all("label_shift" not in phase for phase in dump_run(run)["method"]["phases"])
    said = dump_run(run_of("source_only", (*SHORT, phases("estimate"))))["method"]["phases"]
    assert [phase.get("label_shift") for phase in said] == [None, "estimate"]


def test_reweighted_seeds_train_as_if_alone():
    double = (*NORMED, ("engine.precision", "float64"))
    runs = [run_of("source_only", (*double, phases("estimate", smoothing=0.1)), seed) for seed in (0, 3)]
    together = trainer_of(runs)
    together.train()
    for copy, run in enumerate(runs):
        alone = trainer_of([run])
        alone.train()
        assert distance(weights_of(together, copy), weights_of(alone)) < 1e-9
        assert together.ledgers[copy].curves.keys() == alone.ledgers[0].curves.keys()
        assert weights_of(alone)["reweight.1.of_digit"].std() > 0.01


@pytest.mark.parametrize("stops", [2, 4])
def test_a_run_stopped_in_a_reweighted_phase_continues_exactly(stops, tmp_path):
    many = (*NORMED, ("engine.checkpoint_seconds", 0.0), ("engine.flush", 7))
    run = run_of("source_only", (*many, phases("estimate", "none", "estimate")))
    (whole,) = execute([run], Surroundings(tmp_path / "whole", CPU))
    calls = iter(range(100))
    with pytest.raises(Stopped):
        execute([run], Surroundings(tmp_path / "parts", CPU, stop=lambda: next(calls) >= stops))
    (other,) = execute([run], Surroundings(tmp_path / "parts", CPU))
    _same(whole, other, tmp_path / "whole", tmp_path / "parts")
    assert load(tmp_path / "whole" / whole.folder).predict_proba(np.zeros((2, 64), np.float32)).shape == (2, 10)


def test_a_reweighted_step_never_waits_for_the_device():
    trainer = trainer_of(
        [run_of("dann", (*NORMED, phases("estimate", streams={"source": "labelled", "target": "unlabelled"})))]
    )
    trainer._phase(trainer.plans[0])
    trainer.position.phase, trainer.position.step = 1, 0
    trainer.enter(trainer.plans[1])
    pool = trainer.pool(trainer.plans[1])
    inputs = next(trainer.inputs(trainer.plans[1], pool, 0, 1))
    rows = pool.gather(inputs.index)
    with forbid_host_sync():
        trainer.population.losses(pool, *rows, inputs)[0].backward()


FIRST = ("phases", [{"label_shift": "estimate"}])
WRONG = [
    (FIRST, r"phases\.0\.label_shift: the model .* still untrained"),
    (phases("estimate", reset=["heads"]), r"phases\.1\.label_shift: .*draws parts"),
    (phases("estimate", streams={"target": "labelled"}), r"phases\.1\.label_shift: .*no source labels"),
    (phases("always"), r"label_shift"),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_mistakes_are_told(change, message):
    with pytest.raises(ConfigError, match=message):
        run_of("source_only", (*SHORT, change))


def test_numbers_and_runs_without_a_target_have_no_class_shares():
    with pytest.raises(ValueError, match=r"phases\.1\.label_shift: .*the phase trains no task of classes"):
        _tasks.run_on(_tasks.dataset(tasks=(_tasks.AGE,)), {"phases": [{}, REWEIGHTED]})
    with pytest.raises(ValueError, match=r"phases\.1\.label_shift: the split has no target"):
        shifted_run(REWEIGHTED, target=(), protocol="supervised")
