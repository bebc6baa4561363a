"""The loops we compare with do the work they are said to do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from benchmarks import _handwritten
from benchmarks._cases import BATCH, METHODS, NETWORKS, Case, arrays, discriminator
from benchmarks._handwritten import Reverse, _gathered, _loaded, _problem

SOURCE = torch.arange(130.0)[:, None]
TARGET = torch.arange(1000.0, 1200.0)[:, None]
Draw = Callable[[], tuple[torch.Tensor, torch.Tensor]]


@settings(deadline=None)
@given(st.lists(st.floats(-100, 100), min_size=1), st.floats(0, 10))
def test_reversal_is_the_identity_with_a_negative_gradient(values: list[float], strength: float) -> None:
    x = torch.tensor(values, dtype=torch.float64, requires_grad=True)
    y = Reverse.apply(x, strength)
    assert torch.equal(y, x)
    (gradient,) = torch.autograd.grad(y.sin().sum(), x)
    torch.testing.assert_close(gradient, -strength * x.detach().cos())


@pytest.fixture(params=["gathered", "loaded"])
def batches(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[Case], Draw]:
    """Either way to make batches, on rows that are their own numbers."""
    monkeypatch.setattr(_handwritten, "tensors", lambda case: (SOURCE, torch.arange(130), TARGET))
    if request.param == "gathered":
        return _gathered
    return lambda case: _loaded(case).__next__


def test_an_epoch_shows_every_row_at_most_once(batches: Callable[[Case], Draw]) -> None:
    draw = batches(Case("digit_cnn", "dann"))
    x, y = zip(*(draw() for _ in range(2)), strict=True)
    ours, theirs = torch.stack(x)[:, :BATCH], torch.stack(x)[:, BATCH:]
    assert len(ours.unique()) == len(theirs.unique()) == 2 * BATCH
    assert ours.max() < 130
    assert theirs.min() >= 1000
    assert torch.equal(ours.flatten().long(), torch.stack(y).flatten())


def test_epochs_differ_and_never_end(batches: Callable[[Case], Draw]) -> None:
    draw = batches(Case("digit_cnn", "source_only"))
    drawn = [draw() for _ in range(5)]
    assert {tuple(x.shape) for x, _ in drawn} == {(BATCH, 1)}
    assert all(torch.equal(x.flatten().long(), y) for x, y in drawn)
    assert not torch.equal(drawn[0][0], drawn[2][0])


@pytest.mark.parametrize("network", NETWORKS)
@settings(max_examples=5, deadline=None)
@given(progress=st.floats(0, 1))
def test_dann_minimises_the_published_objective(network: str, progress: float) -> None:
    case = Case(network, "dann")
    modules, loss = _problem(case)
    net, critic = modules
    rows = arrays(network)
    x = torch.from_numpy(rows.source[: 2 * BATCH]) * 0.1
    y = torch.from_numpy(rows.labels[:BATCH])
    features = net.encoder(x)
    task = functional.cross_entropy(net(x[:BATCH]), y)
    signs = torch.cat([torch.ones(BATCH, 1), -torch.ones(BATCH, 1)])
    domain = functional.softplus(signs * critic(features)).mean()
    torch.testing.assert_close(loss(x, y, progress), task + domain)
    weight = net.encoder[1 if network == "amazon_mlp" else 0].weight
    strength = torch.tanh(torch.tensor(progress * 5))
    expected = torch.autograd.grad(task - strength * domain, weight)[0]
    torch.testing.assert_close(torch.autograd.grad(loss(x, y, progress), weight)[0], expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("network", NETWORKS)
def test_the_discriminator_learns(network: str) -> None:
    features = NETWORKS[network]().features
    x = torch.randn(8, features)
    critic = discriminator(features)
    loss = functional.binary_cross_entropy_with_logits(critic(x), torch.ones(8, 1))
    assert all(gradient.abs().sum() > 0 for gradient in torch.autograd.grad(loss, list(critic.parameters())))


@pytest.mark.parametrize("network", NETWORKS)
def test_rows_are_the_same_every_time_and_fit_the_network(network: str) -> None:
    rows = arrays(network)
    arrays.cache_clear()
    again = arrays(network)
    assert (rows.source == again.source).all()
    assert (rows.target == again.target).all()
    logits = NETWORKS[network]()(torch.from_numpy(rows.source[:2]))
    assert 0 <= rows.labels.min() <= rows.labels.max() < logits.shape[1]
    if network == "amazon_mlp":
        assert 0 < (rows.source > 0).mean() < 0.05


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("loop", [_handwritten.fast, _handwritten.plain])
def test_the_loops_run(loop: Callable[[str, str, int], float], method: str) -> None:
    assert 0 < loop("amazon_mlp", method, 2) < 10
