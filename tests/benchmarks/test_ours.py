"""Our side of the comparison trains the same network on the same rows, by the shipped recipe."""

from __future__ import annotations

import pytest
import torch

from benchmarks._cases import BATCH, METHODS, NETWORKS, Case, tensors
from benchmarks._handwritten import _problem
from benchmarks._ours import Clock, bound, split, trainer


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("network", NETWORKS)
def test_both_train_the_same_parameters(network: str, method: str) -> None:
    ours = trainer(network, method, 1, Clock()).population.parameters.values()
    theirs = _problem(Case(network, method))[0].parameters()
    assert sorted(map(_shape, ours)) == sorted(map(_shape, theirs))


@pytest.mark.parametrize("method", METHODS)
def test_both_read_as_many_rows(method: str) -> None:
    own = trainer("amazon_mlp", method, 1, Clock())
    pool = own.pool(own.plans[0])
    streams = 2 if method == "dann" else 1
    assert pool.block(0, 1).shape[-1] == streams * BATCH
    source, _, target = tensors(Case("amazon_mlp", method))
    assert torch.equal(pool.x, torch.cat([source, target]) if method == "dann" else source)


def test_the_optimizer_and_interval_are_the_shipped_ones() -> None:
    run = bound("amazon_mlp", "dann", 7)
    assert run.method.phases[0].steps == 7
    assert run.method.phases[0].optimizer.dump()["name"] == "adam"
    assert run.engine.flush == type(run.engine)().flush
    assert run.method.align[0].dump()["schedule"]["name"] == "ramp"


@pytest.mark.parametrize("method", METHODS)
def test_the_clock_covers_the_steps_after_the_first_flush(method: str) -> None:
    clock = Clock()
    own = trainer("amazon_mlp", method, 60, clock)
    own.train()
    flush = own.engine.flush
    assert [step for step, _ in clock.times] == [flush, 2 * flush, 3 * flush, own.total]
    assert 0 < clock.seconds_per_step < 1


def test_the_clock_leaves_out_warm_up_and_evaluation() -> None:
    clock = Clock()
    clock.times = [(50, 9.0), (100, 10.0), (150, 12.0), (151, 99.0)]
    assert clock.seconds_per_step == 0.03


def test_target_labels_are_nowhere_in_training() -> None:
    data = split("amazon_mlp")
    assert not any(hasattr(part, "y") for part in data.target_train)


def _shape(parameter: torch.Tensor) -> tuple[int, ...]:
    return tuple(parameter.shape)
