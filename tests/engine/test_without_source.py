"""Phases that read the target alone: the source is neither gathered nor of any effect."""

import numpy as np
import pytest
import torch

from dareps.errors import ConfigError
from dareps.transfer import Train
from tests.engine._make import FLOAT64, NOISY, SHORT, data_of, distance, run_of, trainer_of, weights_of

SMALL = (*SHORT, *NOISY, *FLOAT64, ("normalise", "per_domain"), ("align.1.every", 10))


def after(spoil):
    """The weights of both phases' ends, the source rows of the second one spoilt or not."""
    trainer = trainer_of([run_of("shot", SMALL)])
    first, second = trainer.plans
    trainer._phase(first)
    trainer.position.phase, trainer.position.step = 1, 0
    start = weights_of(trainer)
    parts = data_of(trainer.runs[0]).source_train
    kept = [part.x.copy() for part in parts]
    try:
        for part in parts if spoil else ():
            part.x[...] = np.random.default_rng(0).normal(50, 9, part.x.shape)
        trainer._phase(second)
    finally:
        for part, x in zip(parts, kept, strict=True):
            part.x[...] = x
    return trainer, start, weights_of(trainer)


def test_source_rows_make_no_difference_to_the_second_phase():
    _, start, clean = after(spoil=False)
    _, begun, spoilt = after(spoil=True)
    assert distance(start, begun) == distance(clean, spoilt) == 0
    assert distance(start, clean) > 0
    heads = [name for name in start if name.startswith("heads.")]
    assert heads
    assert all(torch.equal(start[name], clean[name]) for name in heads)


def test_no_source_row_is_gathered():
    trainer = trainer_of([run_of("shot", SMALL)])
    pool = trainer.pool(trainer.plans[1])
    x, y = pool.gather(next(trainer.inputs(trainer.plans[1], pool, 0, 1)).index)
    (stream,) = pool.batch(x, y, None).streams
    assert stream.role == "target"
    assert not hasattr(stream, "y")


def test_the_passes_come_before_the_first_step_and_every_k_of_the_phase(monkeypatch):
    trainer, seen = trainer_of([run_of("shot", SMALL)]), []
    module = type(trainer.population.method.align[1])
    kept = module.refresh
    monkeypatch.setattr(module, "refresh", lambda self, *rest: (seen.append(len(rest[0])), kept(self, *rest)))
    trainer.train()
    assert seen == [len(data_of(trainer.runs[0]).target_train[0].x)] * 3


@pytest.mark.parametrize(("align", "acting"), [(True, (1, 2)), (False, ()), ([1], (1,)), ([0, 2], (2,))], ids=str)
def test_losses_of_the_target_act_on_it_alone(align, acting):
    needs = [("source", "target"), ("target",), ("target",)]
    assert Train(align=align, streams={"target": "unlabelled"}).acting(needs) == acting
    assert Train(align=align, streams={"target": "labelled"}).acting(needs) == ()


def test_a_loss_that_compares_is_refused_by_name():
    with pytest.raises(ConfigError, match="adversarial compares with source rows"):
        run_of("dann", (("phases.0.streams", {"target": "unlabelled"}),))
    run_of("im", (("phases.0.streams", {"target": "unlabelled"}),))
