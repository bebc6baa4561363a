from multiprocessing import active_children

import pytest

from dareps.engine.loop import Stopped
from tests.engine._make import CPU, NOISY, SHORT, distance, outcome_of, run_of, trainer_of, weights_of

LOADER = (("engine.rows", "loader"),)


@pytest.mark.parametrize("recipe", ["source_only", "dann", "target_only"])
@pytest.mark.parametrize("loaders", [0, 2])
def test_rows_from_a_loader_train_the_same_model(recipe, loaders):
    overrides = (*SHORT, *NOISY)
    resident = trainer_of([run_of(recipe, overrides)])
    loaded = trainer_of([run_of(recipe, (*overrides, *LOADER, ("engine.loaders", loaders)))])
    resident.train()
    loaded.train()
    assert distance(weights_of(resident), weights_of(loaded)) == 0
    assert resident.ledgers[0].curves == loaded.ledgers[0].curves


def test_processes_end_with_the_training():
    others = set(active_children())
    trainer = trainer_of([run_of("dann", (*SHORT, *LOADER, ("engine.loaders", 2)))])
    trainer.train()
    assert set(active_children()) == others


def test_stacked_seeds_read_a_loader_too():
    runs = [run_of("dann", (*SHORT, *LOADER), seed) for seed in (0, 1)]
    stacked, alone = trainer_of(runs), trainer_of(runs[1:])
    stacked.train()
    alone.train()
    assert distance(weights_of(stacked, 1), weights_of(alone)) < 1e-6


def test_a_stopped_run_continues_with_its_loader(tmp_path):
    from dareps.engine.execute import Surroundings, execute

    run = run_of("dann", (*SHORT, *LOADER))
    whole = outcome_of(run, tmp_path / "whole")
    with pytest.raises(Stopped):
        execute([run], Surroundings(tmp_path / "parts", CPU, stop=lambda: True))
    assert outcome_of(run, tmp_path / "parts").curves == whole.curves


def test_where_rows_live_is_not_part_of_a_runs_key():
    from dareps.recipe.bind import run_key

    assert run_key(run_of("dann", SHORT), "x") == run_key(run_of("dann", (*SHORT, *LOADER)), "x")
