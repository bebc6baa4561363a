"""Phases hand on weights by rule: what moves when, what is drawn anew, and what keeps still to the last bit."""

import dataclasses

import numpy as np
import pytest
import torch

from dareps.engine import checkpoint
from dareps.engine.building import split_of
from dareps.engine.execute import Surroundings, execute
from dareps.engine.loop import Hooks, Stopped, Trainer
from dareps.engine.moving import part_names, stages_of
from dareps.engine.phases import plans
from dareps.engine.points import competing_from, judged_at
from dareps.engine.state import optimizer_state
from dareps.errors import ConfigError
from dareps.recipe.bind import bind_run, dump_run, run_key
from tests.engine._make import CPU

DEEP = {"name": "mlp", "width": 12, "depth": 3, "norm": True, "dropout": 0.3}
DECAYED = {"name": "sgd", "lr": 0.05, "weight_decay": 0.1}
SOURCE, FEW = {"streams": {"source": "labelled"}}, {"streams": {"target": "labelled"}}


def run_of(phases, split="digits8/fonts:scans@5", seed=0, **changes):
    settings = {
        "encoder": DEEP, "normalise": "per_domain", "phases.*.steps": 30, "phases.*.batch": 20,
        "engine.evaluations": 3, "engine.flush": 10, "phases.*.optimizer": DECAYED, **changes,
    }  # fmt: skip
    return bind_run("source_only", split, seed, [("phases", phases), *settings.items()])


def trainer_of(run, hooks=None, stacked=None):
    return Trainer([run], [split_of(run)], CPU, hooks, stacked)


def weights_of(trainer):
    return {name: value.detach().clone() for name, value in trainer.population.state().items()}


def after_phases(phases, **changes):
    """The weights after each phase, and the trainer at the end."""
    found = []
    trainer = trainer_of(run_of(phases, **changes), Hooks(between=lambda own: found.append(weights_of(own))))
    trainer.train()
    return found, trainer


def changed(before, after):
    return {name for name in before if not torch.equal(before[name], after[name])}


def below(trainer, *stages):
    inside = [f"chain.{stage}." for stage in stages]
    return {name for name in trainer.population.state() if any(part in name for part in inside)}


def weights_below(trainer, stage):
    return below(trainer, stage) & set(trainer.population.parameters)


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


@pytest.mark.parametrize(
    ("phases", "split", "told"),
    [
        ([FEW], "digits8/fonts:scans@0", "declares none"),
        ([{**SOURCE, "tasks": ["digt"]}], "digits8/fonts:scans", "digit"),
        ([SOURCE], "digits8/fonts@3", "only a target's labels"),
        ([SOURCE], "digits8/fonts:scans@x", "not a number"),
        ([SOURCE], "digits8/fonts:scans@", "not a number"),
    ],
)
def test_what_cannot_be_is_refused_when_bound(phases, split, told):
    with pytest.raises(ConfigError, match=told):
        run_of(phases, split)


def test_declared_rows_are_counted_balanced_and_grow():
    found = {}
    for count in (1, 5, 20):
        data = split_of(run_of([FEW], f"digits8/fonts:scans@{count}+2"))
        (part,), (held,) = data.labelled_target(), data.labelled_validation
        assert (np.bincount(part.y["digit"], minlength=10) == count).all()
        assert (np.bincount(held.y["digit"], minlength=10) == 2).all()
        found[count] = {row.tobytes() for row in part.x}
        whole = split_of(run_of([FEW], "digits8/fonts:scans"))
        assert np.array_equal(data.target_train[0].x, whole.target_train[0].x)
    assert found[1] < found[5] < found[20]


def test_the_split_and_every_result_say_how_many_labels_were_seen(tmp_path):
    run = run_of([SOURCE, FEW], "digits8/fonts:scans@5+3")
    (outcome,) = execute([run], Surroundings(tmp_path, CPU))
    assert outcome.identity.target == "scans@5+3"
    assert outcome.target_labels == 80
    assert run.split == "fonts:scans@5+3"
    assert [row.selection for row in outcome.selected][-1] == "target_score"


def test_a_phase_trains_the_tasks_that_it_names():
    phases = [{**SOURCE, "tasks": ["kind"]}, {**SOURCE, "tasks": ["colour"], "freeze": ["encoder"]}]
    changes = {"data.rows_per_domain": 90, "data.test_rows": 30}
    found = []
    run = run_of(phases, "attributes/fruit", **changes)
    first = Trainer([run], [split_of(run)], CPU, Hooks(between=lambda own: found.append(weights_of(own))))
    start = weights_of(first)
    first.train()
    assert not any("colour" in name for name in changed(start, found[0]))
    assert changed(found[0], found[1]) == {"heads.colour.weight", "heads.colour.bias"}
    assert competing_from([plan.phase for plan in first.plans]) == 1
    assert min(best.step for best in first.ledgers[0].best.values()) > 30


def test_a_former_head_still_says_what_is_known_of_its_task():
    trainer = trainer_of(run_of([SOURCE, {**FEW, "reset": ["heads"], "freeze": ["encoder"]}]))
    (ledger,) = trainer.train()
    before = dict(ledger.curves["source_accuracy"])[30]
    assert [value for _, value in ledger.curves["former.digit"]] == [before] * 3
    assert dict(ledger.curves["source_accuracy"])[60] != before


@pytest.mark.parametrize(
    ("phases", "evaluations", "expected"),
    [
        ([SOURCE], 3, {10: True, 20: True, 30: True}),
        ([SOURCE, SOURCE], 3, {20: True, 40: True, 60: True}),
        ([SOURCE, FEW], 3, {30: False, 40: True, 50: True, 60: True}),
        ([SOURCE, {**FEW, "reset": ["heads"]}, FEW], 2, {30: False, 60: True, 90: True}),
        ([{**SOURCE, "patience": {}}, FEW], 2, {15: False, 30: False, 45: True, 60: True}),
    ],
)
def test_checkpoints_compete_from_the_phase_that_answers_the_last_question(phases, evaluations, expected):
    assert judged_at(plans(run_of(phases).method.phases), evaluations) == expected


EVERYTHING = [
    {**SOURCE, "patience": {"rule": "source_accuracy", "evaluations": 2}},
    {**FEW, "reset": ["heads"], "trains": ["heads"]},
    {**FEW, "unfreeze": {"head": 0.3, "every": 0.3}, "decay": 0.5, "freeze_below": "layer2", "reset_top": 1},
]


@pytest.mark.parametrize("stops", [(1,), (2, 3), (5,), (4, 2), (8,)])
def test_a_stopped_run_of_several_phases_continues_exactly(stops, tmp_path):
    changes = {"engine.checkpoint_seconds": 0.0, "engine.flush": 7, "phases.*.optimizer": "adam"}
    run = run_of(EVERYTHING, **changes)
    (whole,) = execute([run], Surroundings(tmp_path / "whole", CPU))
    for number in stops:
        calls = iter(range(1, 1000))
        with pytest.raises(Stopped):
            execute([run], Surroundings(tmp_path / "parts", CPU, stop=lambda n=number, c=calls: next(c) >= n))
    (parts,) = execute([run], Surroundings(tmp_path / "parts", CPU))
    assert whole.curves == parts.curves
    assert whole.selected == parts.selected
    assert whole.target_labels == parts.target_labels == 50
    ours, theirs = (
        checkpoint.load(tmp_path / name / own.folder / "model.safetensors")[0]
        for name, own in (("whole", whole), ("parts", parts))
    )
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_stacked_phases_are_as_single_ones():
    phases = [SOURCE, {**EVERYTHING[2], "reset": ["heads"]}]
    runs = [run_of(phases, seed=seed, **{"engine.precision": "float64"}) for seed in (0, 1)]
    stack = Trainer(runs, [split_of(run) for run in runs], CPU)
    stack.train()
    for copy, run in enumerate(runs):
        alone = trainer_of(run)
        alone.train()
        for name, value in alone.population.state().items():
            assert torch.allclose(stack.population.state()[name][copy], value, atol=1e-9), name


@pytest.mark.parametrize("phase", [{"trains": ["heads"]}, {"freeze_below": "layer3"}, {"freeze_below": "layer2"}])
@pytest.mark.parametrize("stacked", [False, True])
def test_cached_features_train_as_uncached_ones(phase, stacked):
    phases = [SOURCE, {**FEW, **phase, "reset": ["heads"]}]
    changes = {"engine.precision": "float64", "phases.*.optimizer": "adam"}
    found = []
    for cache in ("on", "off"):
        run = run_of(phases, **changes, **{"phases.1.cache": cache})
        trainer = trainer_of(run, stacked=stacked)
        trainer.train()
        assert bool(trainer.cut) == (cache == "on")
        found.append((weights_of(trainer), trainer.ledgers[0].curves))
    assert all(torch.allclose(found[0][0][name], value, rtol=0, atol=1e-10) for name, value in found[1][0].items())
    assert found[0][1].keys() == found[1][1].keys()


@pytest.mark.parametrize(
    "change",
    [
        {"data.augment": ["crop"]},
        {"engine.rows": "loader"},
        {"sharing": {"name": "soft", "along": "domains"}},
        {"engine.conflict": {"every": 5, "along": ["heads"]}},
    ],
)
def test_nothing_is_cached_where_rows_change_or_are_read_elsewhere(change):
    run = run_of([SOURCE, {**FEW, "trains": ["heads"]}], **change)
    trainer = trainer_of(run)
    trainer.train()
    assert not trainer.cut


def test_runs_that_begin_alike_share_their_beginning_and_end_as_if_alone(tmp_path):
    first = run_of([SOURCE, {**FEW, "trains": ["heads"], "reset": ["heads"]}])
    second = run_of([SOURCE, {**FEW, "decay": 0.5}], "digits8/fonts:scans@3")
    other = run_of([{**SOURCE, "decay": 0.9}, FEW])
    alone = [
        execute([run], Surroundings(tmp_path / f"alone{number}", CPU))[0] for number, run in enumerate((first, second))
    ]
    together = [execute([run], Surroundings(tmp_path / "together", CPU))[0] for run in (first, second)]
    assert len(list((tmp_path / "together" / "checkpoints").glob("begun-*"))) == 1
    for one, two in zip(alone, together, strict=True):
        assert one.curves == two.curves
        assert one.selected == two.selected
        assert one.identity.key == two.identity.key
    execute([other], Surroundings(tmp_path / "together", CPU))
    assert len(list((tmp_path / "together" / "checkpoints").glob("begun-*"))) == 2


def test_settings_left_open_change_no_key():
    plain = run_of([SOURCE], "digits8/fonts:scans")
    said = dump_run(plain)["method"]["phases"][0]
    assert not {
        "rates",
        "decay",
        "reset",
        "reset_top",
        "unfreeze",
        "freeze",
        "freeze_below",
        "patience",
        "tasks",
        "cache",
    } & set(said)
    assert "labelled" not in dump_run(plain)
    other = plain.model_copy(update={"labelled": 4})
    assert run_key(plain, "x") != run_key(other, "x")


def test_stages_are_known_in_order_in_every_scheme():
    for scheme in ("hard", "soft", "hierarchical", "cross_stitch", "shared_private", "mmoe"):
        run = run_of(
            [SOURCE],
            "digits8/fonts:scans",
            sharing={"name": scheme, "along": "domains"} if scheme != "hard" else scheme,
        )
        found = [name for name in stages_of(trainer_of(run).population.method) if name.startswith("layer")]
        assert found[:3] == ["layer1", "layer2", "layer3"], scheme


def test_garbage_labels_of_undeclared_rows_change_nothing(monkeypatch):
    import dareps.engine.building as module

    run = run_of([SOURCE, FEW])
    data = split_of(run)
    trained = Trainer([run], [data], CPU)
    trained.train()
    chosen = data.chosen[0]
    make = module.make_split

    def spoilt(*arguments):
        found = make(*arguments)
        labels = dict(found.sealed.open_for_scorer("train", "scans"))
        wrong = (labels["digit"] + 1) % 10
        wrong[chosen] = labels["digit"][chosen]
        kept = {
            part: {"scans": dict(found.sealed.open_for_scorer(part, "scans"))}
            for part in ("train", "validation", "test")
        }
        kept["train"]["scans"]["digit"] = wrong
        return dataclasses.replace(found, sealed=type(found.sealed)(kept), chosen=None)

    garbage = dataclasses.replace(spoilt(run.data, run.source, run.target, run.seed, run.protocol), chosen=(chosen,))
    other = Trainer([run], [garbage], CPU)
    other.train()
    assert all(torch.equal(value, other.population.state()[name]) for name, value in trained.population.state().items())
