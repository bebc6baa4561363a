import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dareps.alignment import ConsistencyTraining
from dareps.errors import ContractError
from dareps.types import View
from tests.alignment._built import ONE, STEP, can_be_captured
from tests.alignment._networks import attached, keep_their_statistics, model_of, stepping, student, views_through
from tests.alignment._samples import PROPERTY, normal

X, Y = 2 * normal(6, 5, 1), 2 * normal(9, 5, 2)
LABELS = torch.tensor([0, 1, 2, 3, 1, 0])
SAME = {"rounds": 1, "mask": 0.0}


def shift(x, role, noise, place):
    """An augmentation: one draw per row."""
    return x + noise.normal(place, (len(x), 1)).to(x.dtype)


def value(settings, networks, augment=None, x=X, y=Y):
    module = attached(settings, networks)
    return module(views_through(networks, x, y, LABELS), ONE, stepping(networks, augment=augment))


def probabilities(networks, rows=Y):
    return views_through(networks, X, rows)[1].logits.detach().softmax(1)


def source_probabilities(networks):
    return views_through(networks, X, Y)[0].logits.detach().softmax(1)


@given(threshold=st.floats(0, 0.99))
@PROPERTY
def test_nothing_changed_is_the_loss_of_the_surest_class(threshold):
    networks = student()
    top = probabilities(networks).amax(1)
    expected = sum(-math.log(p) for p in top.tolist() if p >= threshold) / len(Y)
    settings = ConsistencyTraining(threshold=threshold, **SAME)
    assert value(settings, networks).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("rounds", [0, 1, 3])
def test_strong_rows_learn_the_classes_of_the_rows_as_they_were(rounds):
    networks = student()
    settings = ConsistencyTraining(threshold=0.4, rounds=rounds, mask=0.0)
    model = model_of(networks, augment=shift)
    target = views_through(networks, X, Y)[1]
    strong = model.augmented(target, "strong", rounds)
    assert torch.equal(strong, Y) == (rounds == 0)
    p, q = probabilities(networks), probabilities(networks, strong)
    rows = [-math.log(q[i, p[i].argmax()].item()) if p[i].max() >= 0.4 else 0.0 for i in range(len(Y))]
    assert value(settings, networks, shift).item() == pytest.approx(sum(rows) / len(Y), rel=1e-9)


def test_rounds_are_drawn_one_upon_the_other():
    model = model_of(student(), augment=shift)
    target = View("d1", "target", Y, x=Y, plain=Y)
    once, twice = (model.augmented(target, "strong", rounds) - Y for rounds in (1, 2))
    assert not torch.equal(once, twice)
    assert once.std(1).max() < 1e-9  # one draw per row
    assert twice.std(1).max() < 1e-9
    draws = [model_of(student(), number, shift).augmented(target, "strong", 4) for number in range(99)]
    spread = torch.stack([rows[0, 0] - Y[0, 0] for rows in draws])
    assert spread.std().item() == pytest.approx(2, rel=0.3)


@pytest.mark.parametrize("mask", [0.2, 0.7])
def test_a_mask_drops_that_share_of_inputs_without_rescaling(mask):
    rows = torch.ones(400, 5, dtype=torch.float64)
    kept = model_of(student()).augmented(View("d1", "target", rows, x=rows, plain=rows), "strong", 2, mask)
    assert set(kept.unique().tolist()) == {0, 1}
    assert kept.mean().item() == pytest.approx(1 - mask, abs=0.05)


def test_a_relative_threshold_is_a_share_of_the_sources_certainty():
    networks = student()
    least = 0.9 * source_probabilities(networks).amax(1).mean().item()
    relative = ConsistencyTraining(threshold=0.9, relative=True, **SAME)
    fixed = ConsistencyTraining(threshold=least, **SAME)
    assert 0 < value(relative, networks).item() == pytest.approx(value(fixed, networks).item(), rel=1e-12)


def test_prior_brings_the_mean_prediction_to_the_sources():
    networks = student()
    p, s = probabilities(networks), source_probabilities(networks)
    aligned = p * (s.mean(0) / p.mean(0))
    aligned = aligned / aligned.sum(1, keepdim=True)
    expected = -p.log().gather(1, aligned.argmax(1, keepdim=True)).mean().item()
    settings = ConsistencyTraining(threshold=0, prior=True, **SAME)
    assert value(settings, networks).item() == pytest.approx(expected, rel=1e-9)
    assert expected != pytest.approx(value(ConsistencyTraining(threshold=0, **SAME), networks).item())


def test_supervised_adds_the_cross_entropy_of_strong_source_rows():
    networks = student()
    plain, more = (value(ConsistencyTraining(supervised=own, **SAME), networks) for own in (False, True))
    logits = views_through(networks, X, Y)[0].logits
    torch.testing.assert_close(more - plain, torch.nn.functional.cross_entropy(logits, LABELS))


def test_gradient_comes_through_the_changed_rows_alone():
    networks = student()
    module = attached(ConsistencyTraining(threshold=0, mask=0.0), networks)
    source, target = views_through(networks, X, Y)
    logits = target.logits.detach().requires_grad_()
    loss = module([source, replace(target, logits=logits)], ONE, stepping(networks))
    assert torch.autograd.grad(loss, logits, allow_unused=True, retain_graph=True)[0] is None
    assert all(own.any() for own in torch.autograd.grad(loss, list(networks.parameters())))


def test_statistics_of_normalisation_do_not_move():
    networks = student(dropout=0.2, norm=True)
    module = attached(ConsistencyTraining(supervised=True), networks)
    views = views_through(networks, X, Y, LABELS)
    assert keep_their_statistics(networks, module, views)


def test_it_fits_into_a_step_and_names_what_is_missing():
    networks = student(dropout=0.3, norm=True)
    views = views_through(networks, X, Y, LABELS)
    for settings in (ConsistencyTraining(), ConsistencyTraining(relative=True, prior=True, supervised=True)):
        assert can_be_captured(attached(settings, networks), views, stepping(networks, augment=shift))
    module = attached(ConsistencyTraining(supervised=True), networks)
    with pytest.raises(ContractError, match="no model"):
        module(views, ONE, STEP)
    with pytest.raises(ContractError, match="no labels"):
        module([replace(views[0], labels=None), views[1]], ONE, stepping(networks))
