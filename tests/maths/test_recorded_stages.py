"""What stages give, recorded in passing."""

import pytest
import torch

from dareps.maths.staged import recorded, recording, stages_in
from dareps.sharing.hierarchical import Hierarchical
from dareps.sharing.soft import Soft
from tests.sharing._make import built, called

MANY = tuple(f"task{number}" for number in range(40))


def test_every_stage_of_every_branch_is_found_by_its_path():
    paths = [path for path, _ in stages_in(built(Soft()))]
    stages = ("input", "layer1", "layer2")
    assert paths == [f"branches.{branch}.chain.{stage}" for branch in (0, 1) for stage in stages]


@pytest.mark.parametrize("scheme", [Soft(along="tasks", coupling=0.0), Hierarchical()])
def test_recording_changes_nothing_and_ends_with_the_block(scheme):
    module = built(scheme)
    groups = [(3, "books", ("kind", "colour"))]
    plain, _ = called(module, groups)
    with recorded(stages_in(module)) as taps:
        assert recording()
        seen, _ = called(module, groups)
    assert not recording()
    called(module, groups)
    assert taps
    assert {len(outputs) for outputs in taps.values()} == {1}
    for task in ("kind", "colour"):
        assert torch.equal(plain[0][task].task, seen[0][task].task)
        assert any(torch.equal(outputs[0], seen[0][task].task) for outputs in taps.values())


def test_recording_ends_with_an_error_too():
    module = built(Soft())
    with pytest.raises(ZeroDivisionError), recorded(stages_in(module)):
        raise ZeroDivisionError
    assert not recording()
    assert not any(stage._forward_hooks for _, stage in stages_in(module))


def test_many_branches_are_recorded_one_by_one():
    """Stacked for one pass, their outputs would only exist inside of it."""
    module = built(Soft(along="tasks", coupling=0.0), tasks=MANY)
    groups = [(3, "books", MANY)]
    plain, _ = called(module, groups)
    with recorded(stages_in(module)) as taps:
        seen, _ = called(module, groups)
    assert len(taps) == 3 * len(MANY)
    for number, task in enumerate(MANY):
        torch.testing.assert_close(seen[0][task].task, plain[0][task].task)
        assert torch.equal(taps[f"branches.{number}.chain.layer2"][0], seen[0][task].task)
