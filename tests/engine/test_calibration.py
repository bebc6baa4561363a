"""Statistics of a domain that no phase reads, against a forward pass by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dareps.engine import calibration, inputs
from dareps.maths.domains import DomainNorm
from tests.engine._make import FLOAT64, SHORT, data_of, distance, run_of, trainer_of, weights_of

NETWORK = ("encoder", {"name": "mlp", "width": 12, "depth": 2, "norm": True})
ADABN = (*SHORT, *FLOAT64, NETWORK, ("normalise", "adabn"))


def trained(recipe="adabn", *more, stacked=None, seeds=(0,)):
    trainer = trainer_of([run_of(recipe, (*ADABN, *more), seed) for seed in seeds], stacked)
    trainer.train()
    return trainer


def by_hand(weights, x, eps=1e-5):
    """Features of rows and the statistics behind them: an MLP whose layers are normalised by all rows."""
    rows, statistics = x.reshape(len(x), -1).astype(np.float64), []
    prefixes = [name.removesuffix("running_mean_1") for name in weights if name.endswith("running_mean_1")]
    for prefix in prefixes:
        place = prefix.rstrip(".").rsplit(".", 1)[0]
        rows = rows @ weights[f"{place}.0.weight"].numpy().T
        mean, variance = rows.mean(0), rows.var(0, ddof=1)
        statistics.append((prefix, mean, variance))
        scale, shift = (weights[f"{prefix}{name}"].numpy() for name in ("weight", "bias"))
        assert scale.shape == shift.shape == (1, len(mean))
        rows = np.maximum((rows - mean) / np.sqrt(variance + eps) * scale + shift, 0)
    return rows, statistics


def test_adabn_is_the_source_network_with_target_statistics(monkeypatch):
    monkeypatch.setattr(inputs, "CHUNK", 100)
    trainer = trained()
    weights, data = weights_of(trainer), data_of(trainer.runs[0])
    (target,) = data.target_train
    assert len(target.x) % 100
    features, statistics = by_hand(weights, target.x)
    assert len(statistics) > 1
    for prefix, mean, variance in statistics:
        np.testing.assert_allclose(weights[f"{prefix}running_mean_1"], mean, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(weights[f"{prefix}running_var_1"], variance, rtol=1e-9)
    found = trainer.evaluators[0].target_pass(trainer.population.single(0))
    np.testing.assert_allclose(found[0], features, rtol=1e-8, atol=1e-10)
    head = [weights[f"heads.digit.{name}"].numpy() for name in ("weight", "bias")]
    np.testing.assert_allclose(found[1], features @ head[0].T + head[1], rtol=1e-8, atol=1e-10)


def test_adabn_trains_on_the_source_as_source_only_does():
    one, other = weights_of(trained()), weights_of(trained("source_only", ("normalise", "per_domain")))
    same = {name for name in one if not name.endswith("_1")}
    assert all(torch.equal(one[name], other[name]) for name in same)
    assert any(not torch.equal(one[name], other[name]) for name in one.keys() - same)


def test_one_batch_of_all_rows_and_layer_by_layer_differ_by_the_divisor_of_the_variance():
    one, other = weights_of(trained()), weights_of(trained("source_only", ("normalise", "per_domain")))
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=5e-3, atol=5e-3)


def test_every_copy_of_a_stack_has_statistics_of_its_own_rows():
    together = trained(stacked=True, seeds=(0, 3))
    for copy, seed in enumerate((0, 3)):
        assert distance(weights_of(together, copy), weights_of(trained(seeds=(seed,)))) < 1e-9


def test_a_network_without_normalisation_stays_as_it_is():
    plain = {"name": "mlp", "width": 12}
    one, other = (weights_of(trained(recipe, ("encoder", plain))) for recipe in ("adabn", "source_only"))
    assert distance(one, other) == 0


@given(
    x=arrays(np.float64, (9, 3, 2), elements=st.floats(-1e3, 1e3, allow_subnormal=False)),
    cut=st.integers(1, 8),
    away=st.sampled_from([0.0, 1e6]),
)
def test_blocks_add_up_to_the_whole(x, cut, away):
    tally, layer = calibration.Tally(), DomainNorm(3, "adabn", 2)
    for block in np.split(torch.tensor(x + away), [cut]):
        tally.add(layer, torch.as_tensor(block))
    flat = (x + away).transpose(0, 2, 1).reshape(-1, 3)
    np.testing.assert_allclose(tally.mean, flat.mean(0), rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(tally.variance, flat.var(0, ddof=1), rtol=1e-6, atol=1e-6)


def test_one_row_has_no_variance():
    tally = calibration.Tally()
    tally.add(DomainNorm(2, "adabn", 1), torch.tensor([[1.0, 3.0]]))
    assert tally.mean.tolist() == [1, 3]
    assert tally.variance.tolist() == [0, 0]


@pytest.mark.parametrize("policy", ["per_domain", "adabn"])
def test_layers_are_left_as_they_were_but_for_statistics(policy):
    trainer = trained("source_only", ("normalise", policy))
    layers = [layer for layer in trainer.population.method.modules() if isinstance(layer, DomainNorm)]
    assert layers
    assert all(not layer.calibrating and layer.momentum == 0.1 and not layer._forward_pre_hooks for layer in layers)
