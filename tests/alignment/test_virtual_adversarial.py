from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dareps.alignment import VirtualAdversarial
from dareps.alignment._virtual import divergence, leading, unit
from dareps.errors import ContractError
from tests.alignment._built import ONE, STEP, can_be_captured
from tests.alignment._networks import (
    attached,
    keep_their_statistics,
    linear,
    model_of,
    stepping,
    student,
    views_through,
)
from tests.alignment._samples import PROPERTY, normal

X, Y = normal(4, 5, 1), normal(6, 5, 2) / 3
WEIGHT = normal(5, 4, 7)


def softmax_model(x):
    """Logits that are linear in x, so that the second order of the divergence is W (diag(p) - p p') W'."""
    return x @ WEIGHT


def hessians(x):
    p = softmax_model(x).softmax(1)
    fisher = torch.diag_embed(p) - p.unsqueeze(2) * p.unsqueeze(1)
    return WEIGHT @ fisher @ WEIGHT.T


def smooth(settings, networks, x=X, y=Y, number=0):
    module = attached(settings, networks)
    return module(views_through(networks, x, y, number=number), ONE, stepping(networks, number=number))


def test_one_iteration_multiplies_by_the_hessian():
    start = normal(6, 5, 3)
    _, found = leading(softmax_model, Y, start, 1)
    expected = unit((hessians(Y) @ start.unsqueeze(2)).squeeze(2))
    torch.testing.assert_close(found, expected)


def test_many_iterations_find_the_leading_eigenvector():
    logits, found = leading(softmax_model, Y, normal(6, 5, 3), 300)
    torch.testing.assert_close(logits, softmax_model(Y))
    vectors = torch.linalg.eigh(hessians(Y)).eigenvectors[:, :, -1]
    torch.testing.assert_close((found * vectors).sum(1).abs(), torch.ones(6).double())


def test_two_classes_have_one_direction():
    # The Hessian of a logistic model is p (1 - p) (w_1 - w_2)(w_1 - w_2)', whatever the row.
    weight = WEIGHT[:, :2]
    _, found = leading(lambda x: x @ weight, Y, normal(6, 5, 3), 1)
    line = unit((weight[:, 0] - weight[:, 1]).unsqueeze(0))[0]
    torch.testing.assert_close((found @ line).abs(), torch.ones(6).double())


@given(radius=st.floats(1e-4, 1e-2))
@PROPERTY
def test_a_small_change_costs_half_the_largest_eigenvalue_times_its_square(radius):
    logits, direction = leading(softmax_model, Y, normal(6, 5, 3), 300)
    cost = divergence(logits, softmax_model(Y + radius * direction)).item()
    largest = torch.linalg.eigvalsh(hessians(Y))[:, -1].mean().item()
    assert cost == pytest.approx(radius**2 * largest / 2, rel=0.1)


def test_the_value_of_a_logistic_method():
    """Two classes: the direction is known, so the value is a divergence of two Bernoulli distributions."""
    networks = linear()
    head = networks.heads["task"]
    head.weight.data[2:], head.bias.data[2:] = 0, -1e3
    line = head.weight[0] - head.weight[1]
    margin = (Y @ line + head.bias[0] - head.bias[1]).detach()
    rows = []
    for sign in (-1, 1):
        p, q = margin.sigmoid(), (margin + sign * 0.5 * line.norm().item()).sigmoid()
        rows.append(p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log())
    settings = VirtualAdversarial(radius=0.5, relative=False)
    found = torch.stack([smooth(settings, networks, y=Y[i : i + 1]).detach() for i in range(len(Y))])
    assert (found - torch.stack(rows)).abs().amin(0).max().item() < 1e-9


def test_the_change_has_the_radius_and_no_gradient(monkeypatch):
    seen = []
    networks = student()

    def spy(outputs, x, start, iterations):
        seen.append(leading(outputs, x, start, iterations))
        return seen[0]

    monkeypatch.setattr("dareps.alignment._virtual.leading", spy)
    smooth(VirtualAdversarial(), networks).backward()
    ((logits, direction),) = seen
    torch.testing.assert_close(direction.norm(dim=1), torch.ones(6).double())
    assert not direction.requires_grad
    assert not logits.requires_grad
    assert all(weight.grad.any() for weight in networks.parameters())


def test_common_batch_statistics_do_not_hide_the_direction():
    """Normalisation removes a shift that all rows have in common, so each row needs a start of its own."""
    networks = student(norm=True)
    start = model_of(networks).normal(views_through(networks, X, Y)[1], "virtual")
    assert len(start.unique(dim=0)) == len(start)
    assert smooth(VirtualAdversarial(), networks).item() > 0


def test_a_relative_radius_is_a_share_of_the_rows_mean_length():
    networks = student()
    length = 0.3 * Y.norm(dim=1).mean().item()
    share, absolute = VirtualAdversarial(radius=0.3), VirtualAdversarial(radius=length, relative=False)
    torch.testing.assert_close(smooth(share, networks), smooth(absolute, networks))


def test_rows_of_length_zero_stay_zero_and_tiny_ones_do_not_vanish():
    rows = torch.tensor([[0.0, 0.0], [3e-200, 4e-200], [3e200, 4e200]], dtype=torch.float64)
    torch.testing.assert_close(unit(rows), torch.tensor([[0, 0], [0.6, 0.8], [0.6, 0.8]], dtype=torch.float64))


def test_a_method_that_is_sure_or_constant_costs_nothing():
    networks = linear()
    networks.heads["task"].weight.data.zero_()
    assert smooth(VirtualAdversarial(), networks).item() == 0


@pytest.mark.parametrize(("rows", "other"), [("target", "source"), ("source", "target")])
def test_only_the_named_rows_are_changed(rows, other):
    networks = student()
    settings = VirtualAdversarial(rows=rows, radius=0.5)
    base = smooth(settings, networks).item()
    moved = {"target": smooth(settings, networks, y=2 * Y).item(), "source": smooth(settings, networks, x=2 * X).item()}
    assert moved[other] == base
    assert moved[rows] != base


def test_all_passes_share_their_dropout():
    """With a radius of almost nothing the divergence is almost nothing, which other masks would not let it be."""
    networks = student(dropout=0.5)
    assert smooth(VirtualAdversarial(radius=1e-6), networks).item() < 1e-9
    assert smooth(VirtualAdversarial(), networks).item() != smooth(VirtualAdversarial(), networks, number=1).item()


def test_statistics_of_normalisation_do_not_move():
    networks = student(norm=True)
    module = attached(VirtualAdversarial(), networks)
    views = views_through(networks, X, Y)
    assert keep_their_statistics(networks, module, views)


def test_single_precision_finds_the_same_direction():
    _, narrow = leading(lambda x: x @ WEIGHT.float(), Y.float(), normal(6, 5, 3).float(), 1)
    _, exact = leading(softmax_model, Y, normal(6, 5, 3), 1)
    torch.testing.assert_close(narrow.double(), exact, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("gap", [10.0, 16.0, 40.0])
def test_sure_rows_keep_their_direction_in_single_precision(gap):
    sure = torch.tensor([gap, 0, 0, 0], dtype=torch.float64)
    _, narrow = leading(lambda x: x @ WEIGHT.float() + sure.float(), Y.float(), normal(6, 5, 3).float(), 1)
    _, exact = leading(lambda x: x @ WEIGHT + sure, Y, normal(6, 5, 3), 1)
    torch.testing.assert_close(narrow.double(), exact, rtol=1e-4, atol=1e-5)


def test_it_fits_into_a_step_and_names_what_is_missing():
    networks = student(dropout=0.3, norm=True)
    views = views_through(networks, X, Y)
    module = attached(VirtualAdversarial(iterations=2), networks)
    assert can_be_captured(module, views, stepping(networks))
    with pytest.raises(ContractError, match="no model"):
        module(views, ONE, STEP)
    with pytest.raises(ContractError, match="no inputs"):
        module([replace(view, x=None) for view in views], ONE, stepping(networks))
