import contextlib

import pytest
import torch

from dareps.testing._gates import forbid_host_copies, forbid_host_sync
from tests.engine._make import DEEP, NOISY, SHORT, run_of, trainer_of


def _step_of(recipe, overrides, stacked):
    trainer = trainer_of([run_of(recipe, overrides)], stacked)
    plan = trainer.plans[0]
    trainer.enter(plan)
    pool = trainer.pool(plan)
    inputs = list(trainer.inputs(plan, pool, 0, 4))
    return trainer.step_function(plan, pool), inputs


@pytest.mark.parametrize("gate", [forbid_host_sync, forbid_host_copies])
@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize("recipe", DEEP)
def test_no_step_waits_for_the_host_or_copies_from_it(recipe, stacked, gate):
    if gate is forbid_host_sync and any(part.host for part in run_of(recipe).method.align):
        pytest.skip("it declares that it computes on the host")
    augment = ("data.augment", ["affine", "crop", "erasing"])
    step, inputs = _step_of(recipe, (*SHORT, *NOISY, augment, ("phases.*.clip", 1.0)), stacked)
    step(inputs[0])
    with gate():
        shapes = [{name: value.shape for name, value in step(own).items()} for own in inputs[1:]]
    assert shapes[0] == shapes[1] == shapes[2]


@pytest.mark.parametrize("recipe", DEEP)
def test_no_step_moves_the_global_generator(recipe):
    step, inputs = _step_of(recipe, (*SHORT, *NOISY), False)
    before = torch.random.get_rng_state()
    for own in inputs:
        step(own)
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_gate_sees_a_wait_inside_a_step():
    step, inputs = _step_of("source_only", SHORT, False)
    with pytest.raises(Exception, match="host"), forbid_host_sync(), contextlib.nullcontext():
        step(inputs[0])["task.digit"].item()
