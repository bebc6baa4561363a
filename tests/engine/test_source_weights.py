"""Several sources that count differently: told, by their rows, or by how near they are to the target."""

import dataclasses
import math
from typing import ClassVar

import numpy as np
import pytest
import torch

from dareps.alignment import CORAL, MMD
from dareps.alignment._modules import mean_of_pairs, paired
from dareps.commands.train import show
from dareps.data._base import DomainRows, Sealed
from dareps.engine.execute import Surroundings, execute
from dareps.engine.identity import identity_of
from dareps.engine.loop import Stopped, Trainer
from dareps.engine.outcome import Outcome
from dareps.engine.source_weights import source_bounds
from dareps.errors import ConfigError, config_error
from dareps.recipe.bind import bind_run, dump_run
from dareps.testing._gates import forbid_host_sync
from dareps.types import Batch, Labelled, Shapes, Task, Unlabelled, View
from tests.alignment._built import ONE, STEP
from tests.alignment._samples import normal
from tests.engine import _tasks
from tests.engine._make import CPU, distance, weights_of
from tests.engine.test_resume import _same

BOTH = {"streams": {"source": "labelled", "target": "unlabelled"}}
SIDES = {"source": ("good", "noise", "far"), "target": ("here",)}
ROWS = 400


class Sources(_tasks.Tasks, abstract=True):
    """A target, a source like it, one whose labels are noise, and one that lies elsewhere."""

    name: ClassVar[str] = "sources_toy"
    domains = ("good", "noise", "far", "here")
    tasks = (Task("kind", "classification", 2), Task("size", "regression", 1))

    def rows(self, domain):
        draws = np.random.Generator(np.random.Philox(key=sum(map(ord, domain))))
        x = draws.normal(size=(ROWS if domain != "far" else ROWS // 2, 4))
        z = x @ [2.0, -1.0, 0.5, 0.0]
        z = draws.normal(size=len(z)) if domain == "noise" else z
        x[:, 3] += 6 if domain == "far" else 0
        return DomainRows(x.astype(np.float32), {"kind": (z > 0).astype(int), "size": 100 + 7 * z[:, None]})


def run_of(*phases, align=(), kinds=Sources, **changes):
    method = {"phases": [{"steps": 40, **own} for own in phases], "align": list(align), **changes.pop("method", {})}
    engine = {"selection": ["last"], "keep": "last", **changes.pop("engine", {})}
    return _tasks.run_on(kinds(), method, **{**SIDES, "engine": engine, **changes})


def trainer_of(*runs, **more):
    return Trainer(list(runs), [_tasks.split_of(run).restricted(run.tasks) for run in runs], CPU, **more)


def trained(run, **more):
    trainer = trainer_of(run, **more)
    trainer.train()
    return trainer


@pytest.mark.parametrize("task", ["kind", "size"])
def test_noise_and_far_sources_count_less(task):
    run = run_of({"source_weights": "nearness", "nearness_every": 20, "steps": 150}, method={"tasks": [task]})
    trainer = trained(run)
    curves = trainer.ledgers[0].curves
    last = {name: curves[f"source_weight.{name}"][-1][1] for name in SIDES["source"]}
    assert last["good"] > 0.6
    assert max(last["noise"], last["far"]) < 0.3
    assert sum(last.values()) == pytest.approx(1, abs=1e-6)
    assert [step for step, _ in curves["source_weight.good"]] == list(range(0, 150, 20))
    kept = weights_of(trainer)["reweight.sources.of_phase_0"]
    assert kept.tolist() == [last[name] for name in SIDES["source"]]
    bounds = source_bounds(trainer.population.single(0), trainer.evaluators[0])
    assert bounds[0] < min(bounds[1:])


def test_weighing_helps_where_a_source_is_noise():
    plain, near = (
        trained(run_of({"source_weights": own, "steps": 200, "nearness_every": 20}, method={"tasks": ["size"]}))
        for own in ("equal", "nearness")
    )
    one, other = (own.evaluators[0].score(own.population.single(0))["size"].scores.primary for own in (plain, near))
    assert other > one


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("rows", (0.4, 0.4, 0.2)),
        ({"good": 3, "noise": 1, "far": 0}, (0.75, 0.25, 0.0)),
        ("nearness", (1 / 3, 1 / 3, 1 / 3)),
    ],
)
def test_the_loss_is_the_weighted_mean_of_the_sources_losses(told, expected):
    run = run_of({"source_weights": told}, method={"tasks": ["size"]})
    trainer = trainer_of(run)
    plan = trainer.plans[0]
    trainer.enter(plan)
    method = trainer.population.method
    if told == "nearness":
        method.reweight.sources.put(torch.tensor(expected))
    pool = trainer.pool(plan)
    inputs = next(trainer.inputs(plan, pool, 0, 1))
    total = trainer.population.losses(pool, *pool.gather(inputs.index), inputs)[0]
    x, y = pool.gather(inputs.index)
    errors = (method.heads["size"](method.encoder.encoder(x)) - y["size"]).square().view(3, -1).mean(1)
    torch.testing.assert_close(total, (errors * torch.tensor(expected)).sum())


def views(weights):
    sources = [
        View(name, "source", normal(6, 3, place) * (place + 1), weight=weight)
        for place, (name, weight) in enumerate(zip("ab", weights, strict=True))
    ]
    return [*sources, View("t", "target", normal(5, 3, 7)), View("u", "target", normal(5, 3, 8) + 1)]


def test_pairs_of_domains_count_by_their_source():
    given_ = views([torch.tensor(0.75).double(), torch.tensor(0.25).double()])
    shapes = Shapes(3, 2, ("a", "b"), ("t", "u"))
    each = [[CORAL()(source.shared, target.shared) for target in given_[2:]] for source in given_[:2]]
    expected = (0.75 * (each[0][0] + each[0][1]) + 0.25 * (each[1][0] + each[1][1])) / 2
    torch.testing.assert_close(CORAL().build(shapes)(given_, ONE, STEP), expected)
    pooled = CORAL(pairs="pooled").build(shapes)
    assert pooled(given_, ONE, STEP) == pooled(views([None, None]), ONE, STEP)
    alike = views([torch.tensor(0.5).double()] * 2)
    for loss in (CORAL(), MMD(bandwidth="running")):
        torch.testing.assert_close(*(loss.build(shapes)(own, ONE, STEP) for own in (alike, views([None, None]))))
    assert mean_of_pairs([torch.tensor(1.0)], paired(views([None, None]), "pooled")) == 1


@pytest.mark.parametrize("align", ["coral", "mmd", "wasserstein_critic", "adversarial", "sliced_wasserstein"])
def test_weights_act_in_every_kind_of_step(align):
    trainer = trained(run_of({**BOTH, "source_weights": "nearness", "nearness_every": 7, "steps": 10}, align=[align]))
    assert not trainer.ledgers[0].failure
    assert len(trainer.ledgers[0].curves["source_weight.far"]) == 2
    assert all(math.isfinite(value) for _, value in trainer.ledgers[0].curves[f"align.0.{align}"])


def test_a_source_of_weight_zero_does_not_train():
    class Garbage(Sources, abstract=True):
        def rows(self, domain):
            found = super().rows(domain)
            return (
                found if domain != "noise" else dataclasses.replace(found, y={k: v[::-1] for k, v in found.y.items()})
            )

    told = {**BOTH, "source_weights": {"good": 1, "noise": 0, "far": 1}}
    one, other = (
        trained(run_of(told, align=["coral"], kinds=kind, method={"tasks": ["kind"]})) for kind in (Sources, Garbage)
    )
    assert distance(weights_of(one), weights_of(other)) < 1e-6


def test_told_weights_of_all_alike_are_the_plain_run():
    told = dict.fromkeys(SIDES["source"], 2.0)
    runs = [
        run_of({**BOTH, "source_weights": own}, align=["coral"], engine={"precision": "float64"})
        for own in (told, "equal")
    ]
    one, other = (weights_of(trained(run)) for run in runs)
    one.pop("reweight.sources.of_phase_0")
    assert distance(one, other) < 1e-9


def test_what_is_left_open_is_unsaid_and_holds_nothing():
    run = run_of({})
    assert not any("reweight" in name for name in weights_of(trainer_of(run)))
    phases = dump_run(run_of({}, {"source_weights": "rows"}))["method"]["phases"]
    assert ["source_weights" in phase for phase in phases] == [False, True]
    assert not any("nearness_every" in phase for phase in phases)


def test_class_shares_and_source_weights_multiply():
    shares = {**BOTH, "label_shift": "estimate", "source_weights": {"good": 2, "noise": 1, "far": 1}}
    method = trained(run_of({}, {**shares, "steps": 5})).population.method
    labels = {"kind": torch.tensor([0, 1, 1]), "size": torch.zeros(3, 1)}
    rows = torch.zeros(3, 4)
    streams = (
        Labelled("good", "source", rows, labels),
        Labelled("here", "target", rows, labels),
        Unlabelled("far", "source", rows),
    )
    good, *others = method.reweight.on(Batch(streams, rows)).streams
    torch.testing.assert_close(good.weights["kind"], method.reweight.acting["kind"][labels["kind"]] * 1.5)
    torch.testing.assert_close(good.weights["size"], torch.full((3,), 1.5))
    assert others == list(streams[1:])


def test_seeds_of_a_stack_weigh_as_if_alone():
    phase = {**BOTH, "source_weights": "nearness", "nearness_every": 15}
    runs = [run_of(phase, align=["coral"], seed=seed, engine={"precision": "float64"}) for seed in (0, 3)]
    together = trainer_of(*runs)
    together.train()
    for copy, run in enumerate(runs):
        alone = trained(run)
        assert distance(weights_of(together, copy), weights_of(alone)) < 1e-9
        assert together.ledgers[copy].curves.keys() == alone.ledgers[0].curves.keys()


@pytest.mark.parametrize("stops", [1, 3])
def test_a_stopped_run_continues_exactly(stops, tmp_path, monkeypatch):
    _tasks.register(monkeypatch, Sources)
    engine = {"checkpoint_seconds": 0.0, "flush": 7, "selection": ["last"], "keep": "last"}
    phase = {**BOTH, "source_weights": "nearness", "nearness_every": 10}
    run = run_of(phase, {**phase, "steps": 12}, align=["coral"], engine=engine)
    (whole,) = execute([run], Surroundings(tmp_path / "whole", CPU))
    calls = iter(range(100))
    with pytest.raises(Stopped):
        execute([run], Surroundings(tmp_path / "parts", CPU, stop=lambda: next(calls) >= stops))
    (other,) = execute([run], Surroundings(tmp_path / "parts", CPU))
    assert whole.status == "ok", whole.error
    _same(whole, other, tmp_path / "whole", tmp_path / "parts")


def test_no_target_label_is_read():
    run = run_of({**BOTH, "source_weights": "nearness", "nearness_every": 10}, align=["coral"])
    data = _tasks.split_of(run)
    garbage = {"kind": np.zeros(9999, int), "size": np.zeros((9999, 1))}
    blind = dataclasses.replace(
        data, sealed=Sealed({part: {"here": garbage} for part in ("train", "validation", "test")})
    )
    seen = []
    for own in (data, blind):
        trainer = Trainer([run], [own], CPU)
        trainer.train()
        seen.append(weights_of(trainer))
    assert distance(*seen) == 0


def test_a_step_never_waits_for_the_device():
    trainer = trainer_of(run_of({**BOTH, "source_weights": "nearness"}, align=["coral"]))
    plan = trainer.plans[0]
    trainer.enter(plan)
    pool = trainer.pool(plan)
    inputs = next(trainer.inputs(plan, pool, 0, 1))
    rows = pool.gather(inputs.index)
    with forbid_host_sync():
        trainer.population.losses(pool, *rows, inputs)[0].backward()


WRONG = [
    ({"source_weights": "neares"}, r"source_weights: .*Write equal, rows, nearness"),
    ({"source_weights": {"good": -1, "noise": 1, "far": 1}}, r"source_weights: .*0 or more"),
    ({"source_weights": {"good": 0, "noise": 0, "far": 0}}, r"source_weights: .*not all 0"),
    ({"source_weights": {"good": math.nan, "noise": 1, "far": 1}}, r"source_weights: "),
    ({"source_weights": {"goood": 1, "noise": 1, "far": 1}}, r"no source 'goood'.*good"),
    ({"source_weights": {"good": 1, "noise": 1}}, r"source 'far' has no weight"),
    ({"source_weights": "rows", "streams": {"target": "labelled"}}, r"the phase reads no source rows"),
    ({"nearness_every": 0}, r"nearness_every"),
]


@pytest.mark.parametrize(("phase", "message"), WRONG)
def test_mistakes_are_told(phase, message):
    with pytest.raises(ValueError, match=r"validation error") as caught:
        run_of({}, phase)
    told = config_error(caught.value, "recipe toy")
    with pytest.raises(ConfigError, match=r"phases\.1\..*" + message):
        raise told


def test_nearness_needs_a_target_and_one_source_counts_as_it_is():
    with pytest.raises(ValueError, match="no target that sources could be near to"):
        run_of({"source_weights": "nearness"}, target=(), protocol="supervised")
    run = run_of({"source_weights": "nearness"}, source=("good",), engine={"precision": "float64"})
    one, other = (
        weights_of(trained(run)),
        weights_of(trained(run_of({}, source=("good",), engine={"precision": "float64"}))),
    )
    assert one.pop("reweight.sources.of_phase_0").tolist() == [1.0]
    assert distance(one, other) < 1e-9


def test_the_command_line_takes_a_mapping():
    change = [("phases.0.source_weights", {"fonts": 1})]
    assert bind_run("dann", "digits8/fonts:scans", 0, change).method.phases[0].source_weights == {"fonts": 1.0}


def test_train_says_how_much_each_source_counts(capsys, tmp_path):
    run = run_of({"source_weights": {"good": 3, "noise": 1, "far": 0}}, method={"tasks": ["kind"]})
    trainer = trained(run)
    identity = identity_of(run, "key")
    show(Outcome(identity, "ok", curves=trainer.ledgers[0].curves), tmp_path)
    assert "Sources count: good 0.75, noise 0.25, far 0.00." in capsys.readouterr().out
