"""Phases hand on weights by rule: what moves when, what is drawn anew, and what keeps still to the last bit."""

import pytest
import torch

from dareps.engine.loop import Hooks
from dareps.engine.moving import part_names
from dareps.engine.state import optimizer_state
from dareps.errors import ConfigError
from tests.engine._phased import (
    FEW,
    SOURCE,
    after_phases,
    below,
    changed,
    run_of,
    trainer_of,
    weights_below,
    weights_of,
)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_what_is_frozen_keeps_still_to_the_last_bit(optimizer):
    phases = [SOURCE, {**FEW, "freeze_below": "layer3"}]
    rule = {"name": optimizer, "lr": 0.05, "weight_decay": 0.1}
    (before, after), trainer = after_phases(phases, **{"phases.*.optimizer": rule, "phases.1.cache": "off"})
    moved = changed(before, after)
    assert moved == {name for name in before if "layer3" in name and "mean_0" not in name and "var_0" not in name} | {
        "heads.digit.weight", "heads.digit.bias",
    }  # fmt: skip
    own = {id(parameter) for group in trainer.optimizer.param_groups for parameter in group["params"]}
    kept = {
        id(value)
        for name, value in trainer.population.parameters.items()
        if "layer3" not in name and "heads" not in name
    }
    assert not own & kept
    assert not any(
        module.training
        for name in ("layer1", "layer2")
        for module in trainer.population.method.encoder.encoder.chain[name].modules()
    )
    assert all(module.training for module in trainer.population.method.encoder.encoder.chain["layer3"].modules())


def test_membership_goes_by_identity_not_by_value():
    """All biases of the heads are equal, and all scales of normalisation: one may move without the others."""
    trainer = trainer_of(run_of([{**SOURCE, "trains": ["encoder.layer2"]}]))
    for value in trainer.population.parameters.values():
        value.data.fill_(1.0)
    trainer.enter(trainer.plans[0])
    moving = {name for name, value in trainer.population.parameters.items() if value.requires_grad}
    assert moving == set(part_names(trainer.population)["encoder.layer2"])


def test_stages_begin_to_move_from_the_top_down_and_have_no_momentum_before():
    phases = [{**SOURCE, "unfreeze": {"head": 0.2, "every": 0.2}}]
    seen = {}

    def look(trainer):
        seen[trainer.position.step] = weights_of(trainer), set(optimizer_state(trainer.optimizer))

    trainer = trainer_of(run_of(phases, **{"phases.*.optimizer": "adam", "engine.flush": 2}), Hooks(checkpoint=look))
    first = weights_of(trainer)
    trainer.train()
    stages = ("layer1", "layer2", "layer3")
    began = {
        stage: min(step for step, (own, _) in seen.items() if changed(first, own) & weights_below(trainer, stage))
        for stage in stages
    }
    assert began == {"layer3": 8, "layer2": 14, "layer1": 20}
    assert seen[6][1] < seen[8][1] < seen[14][1] < seen[20][1]
    assert changed(first, seen[2][0]) == {"heads.digit.weight", "heads.digit.bias"}  # No statistics either.


def test_rates_fall_geometrically_from_the_heads_down():
    trainer = trainer_of(run_of([{**SOURCE, "decay": 0.5}]))
    trainer.enter(trainer.plans[0])
    trainer.rates.set(torch.tensor(0.8))
    found = {}
    for group in trainer.optimizer.param_groups:
        for own in group["params"]:
            name = next(name for name, value in trainer.population.parameters.items() if value is own)
            assert name not in found
            found[name] = float(group["lr"])
    assert set(found) == set(trainer.population.parameters)
    for stage, rate in (("layer3", 0.4), ("layer2", 0.2), ("layer1", 0.1)):
        assert {round(found[name], 6) for name in found if stage in name} == {rate}
    assert {round(found[name], 6) for name in found if "heads" in name} == {0.8}


def test_a_rate_of_zero_point_something_slows_a_part_alone():
    (slow,), _ = after_phases([{**SOURCE, "rates": {"encoder": 1e-12}}])
    first = weights_of(trainer_of(run_of([SOURCE])))
    parts = [name for name in first if name.startswith("encoder") and "running" not in name]
    assert all(torch.allclose(first[name], slow[name], atol=1e-7) for name in parts)
    assert not torch.allclose(first["heads.digit.weight"], slow["heads.digit.weight"], atol=1e-3)


def test_only_what_is_asked_for_is_drawn_anew():
    still = {**FEW, "steps": 0}
    (before, after), _ = after_phases([SOURCE, still], **{"phases.1.steps": 0})
    assert not changed(before, after)
    (before, after), trainer = after_phases([SOURCE, {**still, "reset": ["heads"]}], **{"phases.1.steps": 0})
    assert changed(before, after) == {"heads.digit.weight", "heads.digit.bias"}
    assert torch.equal(trainer.former["digit.weight"], before["heads.digit.weight"])
    (before, after), trainer = after_phases([SOURCE, {**still, "reset_top": 1}], **{"phases.1.steps": 0})
    fresh = [name for name in below(trainer, "layer3") if "running" in name]
    assert changed(before, after) <= below(trainer, "layer3")
    assert fresh
    assert all(bool((after[name] == (1 if "var" in name else 0)).all()) for name in fresh)
    first = weights_of(trainer_of(run_of([SOURCE])))
    assert not torch.equal(
        first["encoder.encoder.chain.layer3.0.weight"], after["encoder.encoder.chain.layer3.0.weight"]
    )


def test_a_phase_that_loses_patience_hands_on_its_best_weights():
    def steps_of(trainer):
        return [
            value for name, curve in trainer.ledgers[0].curves.items() if name.endswith(".steps") for _, value in curve
        ]

    network = {"encoder": {"name": "mlp", "width": 12}, "normalise": "joint", "engine.evaluations": 10}
    changes = {**network, "phases.*.optimizer": {"name": "sgd", "lr": 1e-9}}
    trainer = trainer_of(run_of([{**SOURCE, "patience": {"evaluations": 2, "rule": "source_accuracy"}}], **changes))
    trainer.train()
    # Nothing changes, so the first evaluation stands and two more end the phase.
    assert steps_of(trainer) == [9]
    wild = {**changes, "phases.*.optimizer": {"name": "sgd", "lr": 5.0, "momentum": 0.0}}
    trainer = trainer_of(run_of([{**SOURCE, "patience": {"evaluations": 9, "rule": "source_accuracy"}}], **wild))
    (ledger,) = trainer.train()
    scores = ledger.curves["score.source_accuracy"]
    found = trainer.evaluators[0].known(trainer.population.single(0))["digit"]
    assert found == max(score for _, score in scores)


def test_patience_watches_declared_labels_but_no_oracle():
    run = run_of([{**FEW, "patience": {"rule": "target_score", "evaluations": 1}}], "digits8/fonts:scans@5+3")
    assert "target_score" in [rule.name for rule in run.engine.selection]
    with pytest.raises(ConfigError, match="oracle"):
        run_of([{**FEW, "patience": {"rule": "oracle"}}])
    with pytest.raises(ConfigError, match="no rule has this name"):
        run_of([{**FEW, "patience": {"rule": "targetscore"}}])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"trains": ["encoder.layr1"]}, "layer1"),
        ({"freeze": ["encoder.layer9"]}, "no such part"),
        ({"freeze_below": "layr2"}, "layer2"),
        ({"freeze": ["*"]}, "frozen"),
        ({"trains": ["encoder"], "unfreeze": {"head": 0.5}}, "nothing moves when the phase begins"),
        ({"rates": {"encoder": 0.1, "encoder.layer1": 1.0}}, "overlap"),
        ({"rates": {"encoder.layer1": 0.1}, "decay": 0.5}, "decay gives"),
        ({"rates": {"encoder.layer1": 0.1}, "freeze": ["encoder.layer1"]}, "nothing of this part moves"),
        ({"rates": {"hedas": 0.1}}, "heads"),
        ({"reset": ["encoder.layer7"]}, "no such part"),
        ({"reset_top": 9}, "stages"),
        ({"cache": "on"}, "cannot be cached"),
    ],
)
def test_wrong_names_are_told_before_anything_is_trained(change, told):
    run = run_of([SOURCE, {**FEW, **change}])
    with pytest.raises(ConfigError, match=told):
        trainer_of(run).train()
