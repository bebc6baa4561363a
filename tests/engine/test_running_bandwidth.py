"""A loss that remembers: its buffers train stacked as if alone, and losses that read outputs take part in the loop."""

import pytest
import torch

from tests.engine._make import FLOAT64, SHORT, distance, run_of, trainer_of, weights_of

SETTINGS = (*SHORT, *FLOAT64, ("phases.*.steps", 12))
RUNNING = ("align", [{"name": "mmd", "bandwidth": "running", "weight": 0.5}])


@pytest.mark.parametrize(
    ("recipe", "more"), [("dan", (RUNNING,)), ("jan", ()), ("dsan", ())], ids=["running", "jan", "dsan"]
)
def test_stacked_seeds_train_as_if_alone(recipe, more):
    runs = [run_of(recipe, (*SETTINGS, *more), seed) for seed in (0, 5)]
    together, alone = trainer_of(runs), trainer_of(runs[1:])
    together.train()
    alone.train()
    assert distance(weights_of(together, 1), weights_of(alone)) < 1e-9


def test_the_average_is_kept_where_a_checkpoint_finds_it():
    trainer = trainer_of([run_of("dan", (*SETTINGS, RUNNING))])
    trainer.train()
    state = trainer.population.state()
    kept = {name: value for name, value in state.items() if name.startswith("align.0.")}
    assert sorted(kept) == ["align.0.mass", "align.0.sum"]
    torch.testing.assert_close(kept["align.0.mass"].item(), 1 - 0.9**12)
    assert kept["align.0.sum"] > 0
