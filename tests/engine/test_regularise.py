"""Regularised phases: limits, what acts when, and everything that a run has to keep."""

import pytest
import torch

from dareps.engine.execute import Surroundings, execute
from dareps.engine.loop import Stopped
from dareps.errors import ConfigError
from dareps.recipe.bind import dump_run
from dareps.recipe.settings import Recipe
from dareps.testing._gates import forbid_host_sync
from tests.engine._make import CPU, FLOAT64, NOISY, SHORT, distance, outcome_of, run_of, trainer_of, weights_of
from tests.engine.test_phases import parts, same
from tests.engine.test_resume import _same

EVERY = [
    {"name": "l2_sp"},
    {"name": "delta"},
    {"name": "bss", "k": 2},
    {"name": "lwf"},
    {"name": "co_tuning"},
    {"name": "successive"},
]
PROXIMAL = [{"name": name, "map": "proximal", "weight": 0.5, "heads": 0.1} for name in ("l2_sp", "successive")]
MEMBERS = [[own] for own in [*EVERY, *PROXIMAL]]
NAMES = [f"{own['name']} {own.get('map', '')}".strip() for (own,) in MEMBERS]
NORMED = (*SHORT, *NOISY, ("normalise", "per_domain"))


def phases(regularise, **more):
    """Learning the source, then the target from its labels, held by regularisers."""
    second = {"streams": {"target": "labelled"}, "steps": 20, "batch": 32, **more}
    return ("phases", [{"steps": 10, "batch": 32}, {**second, "regularise": regularise}])


def trained(regularise, *overrides, seed=0, **more):
    trainer = trainer_of([run_of("source_only", (*overrides, phases(regularise, **more)), seed)])
    trainer.train()
    return trainer


def second(regularise, *overrides, **more):
    """A trainer at the start of its second phase, and a function that computes the step's losses there."""
    trainer = trainer_of([run_of("source_only", (*overrides, phases(regularise, **more)))])
    trainer._phase(trainer.plans[0])
    trainer.position.phase, trainer.position.step = 1, 0
    trainer.enter(trainer.plans[1])
    pool = trainer.pool(trainer.plans[1])
    inputs = next(trainer.inputs(trainer.plans[1], pool, 0, 1))
    return trainer, lambda: trainer.population.losses(pool, *pool.gather(inputs.index), inputs)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("map", ["penalty", "proximal"])
def test_l2_sp_of_no_strength_is_plain_fine_tuning(map, optimizer):
    nothing = [{"name": "l2_sp", "weight": 0.0, "heads": 0.0, "map": map}]
    one, other = (trained(own, *NORMED, optimizer=optimizer) for own in (nothing, []))
    assert same(weights_of(other), weights_of(one))


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_l2_sp_of_infinite_strength_is_a_frozen_encoder(optimizer):
    held = [{"name": "l2_sp", "weight": float("inf"), "heads": 0.0, "map": "proximal"}]
    one, frozen = (
        trained(own, *SHORT, optimizer=optimizer, trains=list(trains))
        for own, trains in ((held, ("*",)), ([], ("heads",)))
    )
    assert same(weights_of(frozen), weights_of(one))
    assert not same(parts(weights_of(trained([], *SHORT, optimizer=optimizer)), "encoder"), weights_of(frozen))


@pytest.mark.parametrize("name", ["l2_sp", "successive"])
def test_a_pull_after_the_step_is_its_proximal_map(name):
    (rate, alpha, beta), factor = (0.1, 0.7, 0.3), 1 if name == "l2_sp" else 2
    plain = {"name": "sgd", "lr": rate, "momentum": 0.0}
    held = [{"name": name, "map": "proximal", "weight": alpha, "heads": beta}]
    start = weights_of(second([], *SHORT, *FLOAT64, optimizer=plain)[0])
    step, pulled = (weights_of(trained(own, *SHORT, *FLOAT64, optimizer=plain, steps=1)) for own in ([], held))
    for key, weight in step.items():
        strength = factor * rate * (beta if key.startswith("heads") else alpha)
        home = torch.zeros_like(weight) if key.startswith("heads") and name == "l2_sp" else start[key]
        torch.testing.assert_close(pulled[key], (weight + strength * home) / (1 + strength), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("name", "factor"), [("l2_sp", 1), ("successive", 2)])
def test_the_penalty_adds_its_gradient(name, factor):
    held = [{"name": name, "weight": 0.7, "heads": 0.3}]
    slopes, names = [], []
    for own in (held, []):
        trainer, losses = second(own, *SHORT, *FLOAT64)
        start = {key: value.detach().clone() for key, value in trainer.population.parameters.items()}
        with torch.no_grad():
            for value in trainer.population.parameters.values():
                value.mul_(1.5).add_(0.1)
        now = trainer.population.parameters
        total, values = losses()
        slopes.append(torch.autograd.grad(total, list(now.values())))
        names.append({key for key in values if key.startswith("regularise")})
    for key, with_it, without in zip(now, *slopes, strict=True):
        weight, home = (0.3, name == "successive") if key.startswith("heads") else (0.7, True)
        wanted = factor * weight * (now[key] - (start[key] if home else 0))
        torch.testing.assert_close(with_it - without, wanted.detach())
    assert names == [{f"regularise.{name}", f"regularise.{name}.heads"}, set()]


@pytest.mark.parametrize("normalise", ["joint", "per_domain", "domain_specific"])
def test_what_measures_change_starts_at_zero(normalise):
    """Dropout and normalisation are those of the step, so only weights can make a difference."""
    names = ["l2_sp", "successive", "delta", "lwf"]
    trainer, losses = second(names, *SHORT, *NOISY, ("normalise", normalise))
    values = losses()[1]
    assert {name: values[f"regularise.{name}"].item() for name in names} == dict.fromkeys(names, 0.0)
    assert values["regularise.successive.heads"] == 0
    with torch.no_grad():
        trainer.population.parameters["encoder.encoder.chain.layer1.0.weight"].mul_(1.1)
    values = losses()[1]
    assert all(values[f"regularise.{name}"] > 0 for name in names)


def test_a_look_at_the_start_moves_no_statistics():
    buffers = []
    for own in (["delta", "lwf"], []):
        trainer, losses = second(own, *NORMED)
        losses()
        buffers.append({key: value for key, value in weights_of(trainer).items() if "running" in key})
    with_it, without = buffers
    assert same(without, with_it)
    assert any("start" in key for key in with_it)


def test_delta_reads_the_stages_that_are_named():
    found = {}
    for stages in (["layer1"], ["layer2"], ["layer1", "layer2"], []):
        network = ("encoder", {"name": "mlp", "width": 16, "depth": 2})
        trainer, losses = second([{"name": "delta", "stages": stages}], *SHORT, *FLOAT64, network)
        with torch.no_grad():
            trainer.population.parameters["encoder.encoder.chain.layer1.0.weight"].mul_(1.1)
        found[tuple(stages)] = losses()[1]["regularise.delta"].item()
    assert found["layer1",] > 0
    assert found["layer2",] > 0
    assert found["layer1", "layer2"] == found[()] == pytest.approx(found["layer1",] + found["layer2",])


@pytest.mark.parametrize("regularise", MEMBERS, ids=NAMES)
def test_regularised_seeds_train_as_if_alone(regularise):
    runs = [run_of("source_only", (*NORMED, *FLOAT64, phases(regularise)), seed) for seed in (0, 3)]
    together = trainer_of(runs)
    together.train()
    for copy, run in enumerate(runs):
        alone = trainer_of([run])
        alone.train()
        assert distance(weights_of(together, copy), weights_of(alone)) < 1e-9
        assert together.ledgers[copy].curves.keys() == alone.ledgers[0].curves.keys()


@pytest.mark.parametrize("regularise", MEMBERS, ids=NAMES)
def test_a_regulariser_changes_what_is_learned(regularise):
    held, plain = (weights_of(trained(own, *NORMED, *FLOAT64)) for own in (regularise, []))
    assert distance(parts(held, "encoder", "heads"), parts(plain, "encoder", "heads")) > 1e-6


@pytest.mark.parametrize("stops", [2, 4])
def test_a_run_stopped_in_a_regularised_phase_continues_exactly(stops, tmp_path):
    run = run_of(
        "source_only", (*NORMED, ("engine.checkpoint_seconds", 0.0), ("engine.flush", 7), phases([*EVERY, *PROXIMAL]))
    )
    whole = outcome_of(run, tmp_path / "whole")
    calls = iter(range(100))
    with pytest.raises(Stopped):
        execute([run], Surroundings(tmp_path / "parts", CPU, stop=lambda: next(calls) >= stops))
    _same(whole, outcome_of(run, tmp_path / "parts"), tmp_path / "whole", tmp_path / "parts")


def test_a_regulariser_acts_in_its_phase_alone_and_holds_to_its_start():
    trainer, _ = second(["delta", "l2_sp"], *NORMED)
    start = weights_of(trainer)
    assert not any(name.startswith("regularise") for name in trainer.ledgers[0].curves)
    assert same(
        parts(start, "encoder", "heads"), {name.removeprefix("regularise.start."): own for name, own in start.items()}
    )
    trainer._phase(trainer.plans[1])
    end = weights_of(trainer)
    assert same(parts(start, "regularise"), end)
    assert not same(parts(start, "encoder"), end)
    steps = {step for name in ("delta", "l2_sp") for step, _ in trainer.ledgers[0].curves[f"regularise.{name}"]}
    assert min(steps) > 10


def test_regularisers_of_one_name_are_told_apart():
    twice = [{"name": "delta", "stages": ["layer1"], "weight": 0.0}, "delta", {"name": "delta", "weight": 3.0}]
    curves = trained(twice, *SHORT).ledgers[0].curves
    assert {name for name in curves if name.startswith("regularise")} == {"regularise.delta.1", "regularise.delta.2"}


def test_a_recipe_without_regularisers_holds_and_says_nothing():
    run = run_of("source_only", (*SHORT, phases([])))
    assert not any("regularise" in name for name in weights_of(trainer_of([run])))
    assert all("regularise" not in phase for phase in dump_run(run)["method"]["phases"])
    held = dump_run(run_of("source_only", (*SHORT, phases(["lwf"]))))
    assert held["method"]["phases"][1]["regularise"][0]["temperature"] == 2.0


def test_weights_follow_their_schedule():
    values = []
    for schedule in ("constant", {"name": "warmup", "start": 0.5}):
        _, losses = second([{"name": "bss", "weight": 2.0, "schedule": schedule}], *SHORT, *FLOAT64)
        total, parts_of = losses()
        values.append((total - parts_of["task.digit"]) / parts_of["regularise.bss"])
    assert [value.item() for value in values] == pytest.approx([2.0, 0.0], abs=1e-9)


@pytest.mark.parametrize("name", ["l2_sp", "delta", "lwf", "co_tuning", "successive"])
def test_a_step_never_waits_for_the_device(name):
    _, losses = second([name], *NORMED)
    with forbid_host_sync():
        losses()[0].backward()


def test_what_needs_a_decomposition_says_that_it_cannot_be_captured():
    from dareps.transfer import BatchSpectralShrinkage

    assert BatchSpectralShrinkage().host


@pytest.mark.parametrize("encoder", ["mlp", "digit_cnn"])
def test_regularisers_train_in_half_precision(encoder):
    size = {"width": 16, "norm": True} if encoder == "mlp" else {"padding": 2, "channels": [3, 4], "width": 8}
    network = ("encoder", {"name": encoder, **size})
    trainer = trained([*EVERY, *PROXIMAL], *SHORT, network, ("engine.precision", "bf16"))
    assert not trainer.ledgers[0].failure
    assert all(value.isfinite().all() for value in weights_of(trainer).values())


def test_the_relation_of_co_tuning_is_learned_from_the_phases_own_labels():
    trainer, _ = second([{"name": "co_tuning", "calibrate": False}], *SHORT, *FLOAT64)
    method, data = trainer.population.method, trainer.data[0]
    (part,) = data.labelled_target()
    logits = trainer.evaluators[0].seen(method, [part])["digit"].logits
    p = torch.from_numpy(logits).softmax(1)
    labels = torch.from_numpy(part.y["digit"])
    for c in range(10):
        torch.testing.assert_close(method.regularise.acting[0].relation[c], p[labels == c].mean(0))


@pytest.mark.parametrize("streams", [{"source": "labelled"}, {"source": "labelled", "target": "unlabelled"}])
def test_regularisers_take_every_stream(streams):
    _, losses = second(EVERY, *NORMED, streams=streams)
    total, values = losses()
    assert total.isfinite()
    assert {name.split(".")[1] for name in values if name.startswith("regularise")} == {own["name"] for own in EVERY}


WRONG = [
    ([{"name": "delta", "stages": ["layer9"]}], r"delta\.stages.*no such stage.*layer9.*Did you mean 'layer1'"),
    ([{"name": "lwf", "tasks": ["digits"]}], r"lwf\.tasks.*no such task.*digits.*Did you mean 'digit'"),
    ([{"name": "co_tuning", "source": "dgit"}], r"co_tuning\.source.*no such task.*Did you mean 'digit'"),
    ([{"name": "l2_sp", "weight": float("inf")}], r"regularise\.0.*infinite weight.*map: proximal"),
    ([{"name": "l2_sp", "weight": -1.0}], r"weight"),
    ([{"name": "bss", "k": 0}], r"regularise\.0\.k"),
    ([{"name": "lwf", "temperature": 0.0}], r"temperature"),
    (["l2sp"], r"no regulariser has this name.*Did you mean 'l2_sp'"),
]


@pytest.mark.parametrize(("regularise", "message"), WRONG)
def test_mistakes_are_told(regularise, message):
    with pytest.raises(ConfigError, match=message):
        trainer_of([run_of("source_only", (*SHORT, phases(regularise)))])


def test_what_reads_labels_needs_them():
    phase = {"streams": {"source": "unlabelled", "target": "unlabelled"}, "regularise": ["co_tuning"]}
    with pytest.raises(ConfigError, match=r"phases\.0\.regularise\.0.*no labelled stream"):
        run_of("mcc", (*SHORT, ("phases", [phase])))


def test_tasks_that_went_apart_cannot_be_held():
    held = {"regularise": ["lwf"]}
    for found in ([{"apart": True, **held}], [{"apart": True}, held]):
        with pytest.raises(ValueError, match=r"phases\.[01]\.regularise: tasks are apart"):
            Recipe.model_validate({"phases": found})
    Recipe.model_validate({"phases": [held, {"apart": True}]})
