"""Declared target labels, shared beginnings, cached features, and phases as one run."""

import dataclasses

import numpy as np
import pytest
import torch

from dareps.engine import checkpoint
from dareps.engine.building import split_of
from dareps.engine.execute import Surroundings, execute
from dareps.engine.loop import Hooks, Stopped, Trainer
from dareps.engine.moving import stages_of
from dareps.engine.phases import plans
from dareps.engine.points import competing_from, judged_at
from dareps.errors import ConfigError
from dareps.recipe.bind import dump_run, run_key
from tests.engine._make import CPU
from tests.engine._phased import (
    FEW,
    SOURCE,
    changed,
    run_of,
    trainer_of,
    weights_of,
)


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


def test_beginnings_that_read_declared_labels_are_shared_by_those_who_count_them_alike(tmp_path):
    common = [SOURCE, {**FEW, "tasks": ["kind"]}]
    small = {"data.rows_per_domain": 90, "data.test_rows": 30, "phases.*.steps": 4}
    kinds = [
        run_of([*common, {**FEW, "tasks": [task], "reset": ["heads"]}], "attributes/fruit:solids@2", **small)
        for task in ("kind", "colour")
    ]
    chosen = [split_of(run).chosen[0] for run in kinds]
    assert not np.array_equal(*chosen)
    together = [execute([run], Surroundings(tmp_path / "both", CPU))[0] for run in kinds]
    alone = execute([kinds[1]], Surroundings(tmp_path / "alone", CPU))[0]
    assert [own.status for own in together] == ["ok", "ok"]
    assert together[1].curves == alone.curves
