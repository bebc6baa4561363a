"""Regularised phases with several tasks and every sharing scheme."""

import numpy as np
import pytest
import torch

from dareps.data._base import DomainRows
from dareps.engine.loop import Trainer
from dareps.errors import ConfigError
from dareps.plugin import plugins
from dareps.sharing import SharingScheme
from dareps.types import Task
from tests.engine._make import CPU, distance, weights_of
from tests.engine._tasks import AGE, KIND, Tasks, dataset, rows_of, run_on, split_of
from tests.engine.test_phases import parts, same

SCHEMES = [name for name, part in plugins(SharingScheme).items() if part.__module__.startswith("dareps.")]
CHANGE = ["l2_sp", "delta", "lwf", "successive"]
NETWORK = {"name": "mlp", "width": 6, "depth": 2, "norm": True, "dropout": 0.2}
FIRST = {"steps": 2}


def trainer_on(data, *phases, seeds=(0,), **method):
    changes = {"engine": {"precision": "float64"}}
    settings = {"encoder": NETWORK, "phases": [dict(phase) for phase in phases], **method}
    runs = [run_on(data, dict(settings), seed=seed, **changes) for seed in seeds]
    return Trainer(runs, [split_of(run).restricted(run.tasks) for run in runs], CPU)


def at_second(trainer):
    """The trainer at the start of its second phase, and the losses of a step there as a function of the tasks."""
    trainer._phase(trainer.plans[0])
    trainer.position.phase, trainer.position.step = 1, 0
    plan = trainer.plans[1]
    trainer.enter(plan)
    pool = trainer.pool(plan)
    inputs = next(trainer.inputs(plan, pool, 0, 1))
    return lambda tasks=None: trainer.population.losses(pool, *pool.gather(inputs.index), inputs, tasks=tasks)


@pytest.mark.filterwarnings("ignore:sharing")
@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_is_held_from_zero_on(scheme):
    trainer = trainer_on(dataset(), FIRST, {"steps": 2, "regularise": [*CHANGE, "bss"]}, sharing=scheme)
    losses = at_second(trainer)
    total, values = losses()
    assert {name: values[f"regularise.{name}"].item() for name in CHANGE} == dict.fromkeys(CHANGE, 0.0)
    assert total.isfinite()
    with torch.no_grad():
        for name, value in trainer.population.parameters.items():
            value.add_(0.05 * torch.linspace(-1, 1, value.numel()).view_as(value) if name.startswith("encoder") else 0)
    total, values = losses()
    assert all(values[f"regularise.{name}"] > 0 for name in CHANGE)
    slopes = torch.autograd.grad(total, list(trainer.population.parameters.values()), allow_unused=True)
    assert all(slope is None or slope.isfinite().all() for slope in slopes)


@pytest.mark.filterwarnings("ignore:sharing")
@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_is_held_stacked_as_alone(scheme):
    held = [*CHANGE, "bss", {"name": "l2_sp", "map": "proximal"}]
    # Adam would turn rounding into steps where a gradient is 0, as that of a bias before a normalisation.
    phases = [{**own, "optimizer": "sgd"} for own in (FIRST, {"steps": 3, "regularise": held})]
    together, alone = (trainer_on(dataset(), *phases, seeds=seeds, sharing=scheme) for seeds in ((0, 7), (7,)))
    together.train()
    alone.train()
    assert distance(weights_of(together, 1), weights_of(alone)) < 1e-9


def test_a_step_that_does_not_train_an_old_task_remembers_it_all_the_same():
    second = {"steps": 2, "sampling": "round_robin", "regularise": [{"name": "lwf", "tasks": ["kind"]}]}
    losses = at_second(trainer_on(dataset(), FIRST, second))
    _, values = losses(tasks=("age",))
    assert "task.kind" not in values
    assert "regularise.lwf" in values


def test_heads_of_tasks_are_held_where_they_were_or_near_zero():
    held = [{"name": name, "weight": 0.0, "heads": 1.0} for name in ("l2_sp", "successive")]
    trainer = trainer_on(dataset(), FIRST, {"steps": 2, "regularise": held, "trains": ["heads"]})
    values = at_second(trainer)()[1]
    heads = parts(weights_of(trainer), "heads").values()
    torch.testing.assert_close(values["regularise.l2_sp.heads"], sum(own.square().sum() for own in heads) / 2)
    assert values["regularise.successive.heads"] == 0


def test_what_the_phase_does_not_train_is_left_alone_by_a_pull():
    held = [{"name": "l2_sp", "map": "proximal", "weight": 9.0, "heads": 9.0}]
    trainer = trainer_on(dataset(), FIRST, {"steps": 3, "regularise": held, "trains": ["encoder"]})
    at_second(trainer)
    start = weights_of(trainer)
    trainer._phase(trainer.plans[1])
    assert same(parts(start, "heads"), weights_of(trainer))
    assert not same(parts(start, "encoder"), weights_of(trainer))


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"name": "lwf", "tasks": ["age"]}, r"lwf\.tasks.*one of regression and has no classes.*age"),
        ({"name": "co_tuning", "target": "tags"}, r"co_tuning\.target.*one of multilabel"),
    ],
)
def test_tasks_without_classes_are_refused(own, message):
    with pytest.raises(ConfigError, match=message):
        trainer_on(dataset(), FIRST, {"regularise": [own]})


@pytest.mark.parametrize("name", ["lwf", "co_tuning"])
def test_data_without_classes_are_refused(name):
    with pytest.raises(ConfigError, match=r"no task has classes.*age.*Leave the regulariser out"):
        trainer_on(dataset(tasks=(AGE,)), FIRST, {"regularise": [name]})


class Coarse(Tasks, abstract=True):
    """A task of three classes and the two groups that they fall into."""

    tasks = (Task("group", "classification", 2), KIND)

    def rows(self, domain):
        own = rows_of(domain, {})
        kind = own.y["kind"]
        return DomainRows(own.x, {"group": (kind > 0).astype(np.int64), "kind": kind})


def test_co_tuning_relates_two_tasks():
    """Once the groups are learned, each kind says its group, and a kind that no row has says what rows say at large."""
    second = {"steps": 2, "regularise": [{"name": "co_tuning"}]}
    trainer = trainer_on(Coarse(), {"steps": 400, "optimizer": {"name": "adam", "lr": 0.02}}, second)
    losses = at_second(trainer)
    (module,) = trainer.population.method.regularise.acting
    assert module.relation.shape == (3, 2)
    assert module.relation.argmax(1).tolist() == [0, 1, 1]
    assert module.relation.max(1).values.min() > 0.7
    assert losses()[1]["regularise.co_tuning"].isfinite()


def test_calibration_changes_the_relation():
    found = []
    for calibrate in (True, False):
        second = {"steps": 2, "regularise": [{"name": "co_tuning", "calibrate": calibrate}]}
        trainer = trainer_on(Coarse(), {"steps": 100}, second)
        at_second(trainer)
        found.append(trainer.population.method.regularise.acting[0].relation.clone())
    assert not torch.allclose(*found, atol=1e-3)


def test_only_heads_that_the_phase_trains_decay():
    held = [{"name": name, "weight": 0.0, "heads": 9.0, "map": "proximal"} for name in ("l2_sp", "successive")]
    trainer = trainer_on(Coarse(), FIRST, {"steps": 3, "tasks": ["kind"], "regularise": held})
    at_second(trainer)
    start = weights_of(trainer)
    trainer._phase(trainer.plans[1])
    assert same(parts(start, "heads.group"), weights_of(trainer))


def test_old_answers_are_kept_while_another_task_is_learned():
    """Without it the old task's answers move away; what is remembered by itself are the tasks that are not trained."""
    moved = []
    for regularise in ([], [{"name": "lwf", "weight": 30.0}]):
        second = {"steps": 150, "tasks": ["kind"], "optimizer": {"name": "adam", "lr": 0.02}, "regularise": regularise}
        trainer = trainer_on(Coarse(), {"steps": 100, "tasks": ["group"]}, second, encoder={"name": "mlp", "width": 8})
        at_second(trainer)
        assert [own.reads for own in trainer.population.method.regularise.acting] == [("group",)] * len(regularise)
        before = log_odds(trainer)
        trainer._phase(trainer.plans[1])
        moved.append(np.abs(log_odds(trainer) - before).mean())
    assert moved[1] < 0.3 * moved[0]


def log_odds(trainer):
    """Of the first group, on source validation rows: a shift of both outputs says nothing."""
    evaluator = trainer.evaluators[0]
    outputs = evaluator.seen(trainer.population.method, evaluator.source)["group"].logits
    return outputs[:, 0] - outputs[:, 1]
