"""Schemes in the loop: stacked seeds, sub-steps, every alignment, checkpoints, the saved model."""

import numpy as np
import pytest
import torch

import dareps
from dareps.alignment import Alignment
from dareps.engine.execute import Surroundings, execute
from dareps.engine.loop import Stopped
from dareps.engine.moving import part_names
from dareps.plugin import plugins
from dareps.sharing import SharingScheme
from dareps.testing._gates import forbid_host_copies, forbid_host_sync
from tests.engine._make import CPU, FLOAT64, SHORT, distance, outcome_of, run_of, trainer_of, weights_of

SHIPPED = {name: part for name, part in plugins(SharingScheme).items() if part.__module__.startswith("dareps.")}
SCHEMES = [name for name, part in SHIPPED.items() if "domains" in part.directions]
ALIGNMENTS = [name for name, part in plugins(Alignment).items() if part.__module__.startswith("dareps.")]
DEEP = ("encoder", {"name": "mlp", "width": 8, "depth": 2, "norm": True, "dropout": 0.3})
FEW = (*SHORT, DEEP, ("phases.*.steps", 6), ("engine.evaluations", 2))
SETTINGS = {"mmoe": {"experts": 2}, "hard": {}}


def trained(scheme, seeds=(0,), recipe="dann", more=(), stacked=None, **settings):
    """A trainer of the scheme that has trained."""
    trainer = untrained(scheme, seeds, recipe, more, stacked, **settings)
    trainer.train()
    return trainer


def untrained(scheme, seeds=(0,), recipe="dann", more=(), stacked=None, **settings):
    """The same before its first step."""
    sharing = ("sharing", {"name": scheme, **SETTINGS.get(scheme, {}), **settings})
    return trainer_of([run_of(recipe, (*FEW, *more, sharing), seed) for seed in seeds], stacked)


def total_of(trainer):
    """The losses of the first step, and the gradient's reach."""
    plan = trainer.plans[0]
    trainer.enter(plan)
    pool = trainer.pool(plan)
    (own, *_) = trainer.inputs(plan, pool, 0, 1)
    return trainer.population.losses(pool, *pool.gather(own.index), own)


@pytest.mark.parametrize(
    ("scheme", "recipe"),
    [*((name, "dann") for name in SCHEMES if name != "hard"), ("cgc", "mcd"), ("shared_private", "vada")],
)
def test_stacked_seeds_train_as_if_alone(scheme, recipe):
    more = (*FLOAT64, ("normalise", "per_domain"))
    together = trained(scheme, (0, 7), recipe, more)
    alone = trained(scheme, (7,), recipe, more)
    assert distance(weights_of(together, 1), weights_of(alone)) < 1e-9


@pytest.mark.parametrize("align", ALIGNMENTS)
def test_every_alignment_meets_every_scheme(align):
    for scheme in SCHEMES:
        total, values = total_of(untrained(scheme, more=(("align", [align]),)))
        assert total.isfinite(), scheme
        total.backward()
        assert all(value.isfinite() for value in values.values())


@pytest.mark.parametrize("optimizer", ["adam", "adamw", {"name": "sgd", "lr": 0.1, "weight_decay": 0.01}])
def test_an_infinite_coupling_trains_as_hard_sharing(optimizer):
    more = (("phases.*.optimizer", optimizer), ("normalise", "joint"))
    one, other = trained("soft", more=more, coupling="inf"), trained("hard", more=more)
    assert distance(weights_of(one), weights_of(other)) == 0


@pytest.mark.parametrize("optimizer", ["adam", {"name": "sgd", "lr": 0.1}])
def test_proximal_steps_stack_and_hold_branches_together(optimizer):
    more = (*FLOAT64, ("phases.*.optimizer", optimizer), ("normalise", "per_domain"))
    runs = {"seeds": (0, 7), "more": more, "update": "proximal", "coupling": 50.0}
    together, alone = trained("soft", **runs), trained("soft", **{**runs, "seeds": (7,)})
    assert distance(weights_of(together, 1), weights_of(alone)) < 1e-9
    loose = weights_of(trained("soft", **{**runs, "seeds": (7,), "coupling": 0.0}))
    name = "chain.layer1.0.weight"
    gaps = [
        float((own[f"encoder.branches.0.{name}"] - own[f"encoder.branches.1.{name}"]).norm())
        for own in (weights_of(alone), loose)
    ]
    assert gaps[0] < gaps[1]


def test_domain_separation_without_anything_private_trains_as_hard_sharing():
    one = trained("shared_private", private="none", reconstruction=0.0, difference=0.0)
    assert distance(weights_of(one), weights_of(trained("hard"))) == 0


def test_branches_start_as_copies_of_hard_sharings_encoder():
    hard = weights_of(untrained("hard"))
    for scheme, path in (("soft", "branches.1"), ("cross_stitch", "branches.0"), ("cgc", "experts.0")):
        own = weights_of(untrained(scheme))
        for name, value in hard.items():
            assert torch.equal(own[name.replace("encoder.encoder", f"encoder.{path}", 1)], value), (scheme, name)
    private = weights_of(untrained("shared_private"))
    name = "chain.layer1.0.weight"
    assert torch.equal(private[f"encoder.encoder.{name}"], hard[f"encoder.encoder.{name}"])
    starts = [private[f"encoder.{path}.{name}"] for path in ("encoder", "private.0", "private.1")]
    assert len({float(start.sum()) for start in starts}) == 3


def test_penalties_are_logged_unweighted_and_enter_with_weight_and_schedule():
    schedule = {"name": "linear", "start": 0.5, "end": 1.0}
    with_, without = (
        total_of(untrained("shared_private", more=(*FLOAT64, ("align", [])), schedule=schedule, **weights))
        for weights in ({"reconstruction": 3.0, "difference": 7.0}, {"reconstruction": 0.0, "difference": 0.0})
    )
    values = with_[1]
    assert {"sharing.reconstruction", "sharing.difference"} <= set(values)
    added = 0.5 * (3.0 * values["sharing.reconstruction"] + 7.0 * values["sharing.difference"])
    torch.testing.assert_close(with_[0], without[0] + added)
    assert not any(name.startswith("sharing") for name in without[1])


def test_a_stage_is_frozen_in_every_branch():
    trainer = trained("soft", more=(("phases.0.trains", ["encoder.layer2", "heads"]),))
    names = part_names(trainer.population)["encoder.layer1"]
    assert {name.split(".")[2] for name in names} == {"0", "1"}
    start = weights_of(untrained("soft"))
    after = weights_of(trainer)
    assert all(torch.equal(start[name], after[name]) for name in names)
    assert not torch.equal(
        start["encoder.branches.0.chain.layer2.0.weight"], after["encoder.branches.0.chain.layer2.0.weight"]
    )


@pytest.mark.parametrize("stacked", [False, True])
def test_mixtures_learn_at_a_multiple_of_the_rate_and_without_weight_decay(stacked):
    optimizer = ("phases.*.optimizer", {"name": "sgd", "lr": 0.01, "momentum": 0.0, "weight_decay": 0.5})
    more = (*FLOAT64, optimizer, ("phases.*.steps", 1), ("phases.*.schedule", "constant"))
    start = weights_of(untrained("cross_stitch", more=more))
    steps = {
        rate: {name: own - start[name] for name, own in weights_of(trainer).items()}
        for rate, trainer in (
            (rate, trained("cross_stitch", more=more, stacked=stacked, rate=rate)) for rate in (1.0, 50.0)
        )
    }
    for name, step in steps[1.0].items():
        factor = 50 if "alpha" in name else 1
        torch.testing.assert_close(steps[50.0][name], factor * step, atol=1e-9, rtol=1e-7)
    decayed = weights_of(trained("cross_stitch", more=(*more, (f"{optimizer[0]}.weight_decay", 0.0)), rate=1.0))
    for name, own in decayed.items():
        if "alpha" in name:
            torch.testing.assert_close(own - start[name], steps[1.0][name])
        elif name.endswith("0.weight"):
            assert not torch.allclose(own - start[name], steps[1.0][name]), name


@pytest.mark.parametrize("scheme", ["shared_private", "cgc", "cross_stitch"])
def test_a_stopped_run_continues_exactly_and_its_model_predicts(scheme, tmp_path):
    more = (*FEW, ("sharing", scheme), ("engine.checkpoint_seconds", 0.0), ("engine.flush", 2), ("normalise", "joint"))
    run = run_of("dann", more)
    whole = outcome_of(run, tmp_path / "whole")
    calls = iter(range(100))
    with pytest.raises(Stopped):
        execute([run], Surroundings(tmp_path / "parts", CPU, stop=lambda: next(calls) >= 1))
    (resumed,) = execute([run], Surroundings(tmp_path / "parts", CPU))
    assert [own.target_metric for own in resumed.selected] == [own.target_metric for own in whole.selected]
    assert any(name.startswith("sharing.") for name in whole.curves) == (scheme != "cross_stitch")
    assert resumed.curves == whole.curves
    models = [dareps.load(tmp_path / part / own.folder) for part, own in (("whole", whole), ("parts", resumed))]
    x = np.random.default_rng(0).uniform(0, 1, (5, *models[0].shape))
    first, second = (model.predict_proba(x) for model in models)
    assert np.array_equal(first, second)
    other = dareps.load(tmp_path / "whole" / whole.folder, domain="fonts").predict_proba(x)
    assert np.array_equal(first, other) == (scheme == "shared_private")


def test_half_precision():
    for scheme in SCHEMES:
        trainer = trained(scheme, more=(("engine.precision", "bf16"),))
        assert not trainer.ledgers[0].failure, scheme


def test_dsn_is_a_recipe():
    trainer = trainer_of([run_of("dsn", FEW)])
    trainer.train()
    assert {"sharing.reconstruction", "sharing.difference", "align.0.adversarial"} <= set(trainer.ledgers[0].curves)


@pytest.mark.parametrize("scheme", [name for name in SCHEMES if name != "hard"])
def test_a_step_can_be_captured(scheme):
    trainer = untrained(scheme, more=(("normalise", "per_domain"),))
    plan = trainer.plans[0]
    trainer.enter(plan)
    pool = trainer.pool(plan)
    step, (first, second) = trainer.step_function(plan, pool), trainer.inputs(plan, pool, 0, 2)
    step(first)
    with forbid_host_sync(), forbid_host_copies():
        step(second)
