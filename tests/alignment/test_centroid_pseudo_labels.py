"""Pseudo-labels by the nearest of the centroids of all target rows."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import log_softmax, softmax

from dareps.alignment import CentroidPseudoLabels
from dareps.alignment._centroids import bent, centroids, nearest
from dareps.errors import ContractError
from dareps.types import View
from tests.alignment._built import ONE, STEP, can_be_captured
from tests.alignment._networks import attached, keep_their_statistics, stepping, student, views_through
from tests.alignment._samples import PROPERTY, normal

X, Y = normal(4, 5, 1), 3 * normal(9, 5, 2)
ALL = 3 * normal(40, 5, 3)


def passed(networks, rows=ALL, **settings):
    """The loss after one pass over all rows."""
    module = attached(CentroidPseudoLabels(**settings), networks)
    seen = views_through(networks, X, rows)[1]
    with torch.no_grad():
        module.refresh(seen.shared, seen.logits, networks)
    return module


def moved(networks, by):
    with torch.no_grad():
        for weight in networks.parameters():
            weight.add_(by)


def by_definition(features, logits, rounds):
    """Labels of rows and how clear they are, from one class and one row at a time."""
    p = softmax(logits, axis=1)
    rows = np.concatenate([features, np.ones((len(features), 1))], axis=1)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    classes = sorted(set(p.argmax(1).tolist()))
    middle = {k: sum(weight * row for weight, row in zip(p[:, k], rows, strict=True)) for k in classes}
    gaps = []
    for turn in range(rounds + 1):
        cosines = np.array([[row @ middle[k] / np.linalg.norm(middle[k]) for k in classes] for row in rows])
        labels = np.array(classes)[cosines.argmax(1)]
        ordered = np.sort(cosines, axis=1)
        gaps.append((ordered[:, -1] - ordered[:, -2]).min() if len(classes) > 1 else 1.0)
        for k in classes if turn < rounds else ():
            own = rows[labels == k]
            middle[k] = own.sum(0) if len(own) else middle[k]
    return labels, min(gaps)


numbers = st.floats(-5, 5, allow_subnormal=False)


@given(
    features=arrays(np.float64, (8, 3), elements=numbers),
    logits=arrays(np.float64, (8, 4), elements=numbers),
    rounds=st.integers(0, 3),
)
@PROPERTY
def test_labels_equal_the_definition(features, logits, rounds):
    # Drawn numbers are often equal, and then no class is nearest.
    features, logits = features + normal(8, 3, 6).numpy(), logits + normal(8, 4, 7).numpy()
    expected, gap = by_definition(features, logits, rounds)
    top = np.sort(logits, axis=1)
    assume(gap > 1e-9)
    assume((top[:, -1] - top[:, -2]).min() > 1e-9)
    rows = bent(torch.tensor(features))
    found = nearest(rows, *centroids(rows, torch.tensor(logits).softmax(1), rounds))
    assert found.argmax(1).tolist() == expected.tolist()
    assert found.sum(1).tolist() == [1] * 8


def test_a_row_that_lies_with_another_class_gets_its_label():
    features = torch.tensor([[5.0, 0.1], [6.0, 0.0], [5.5, -0.2], [0.0, 5.0], [0.1, 6.0]]).double()
    p = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.1, 0.9], [0.2, 0.8]]).double()
    rows = bent(features)
    assert nearest(rows, *centroids(rows, p, 1)).tolist() == [[1, 0]] * 3 + [[0, 1]] * 2


def test_centroids_have_length_one_and_after_a_round_the_direction_of_their_rows():
    rows = bent(torch.tensor([[3.0, 0.0], [0.0, 3.0], [3.0, 0.3]]).double())
    p = torch.tensor([[0.8, 0.2], [0.2, 0.8], [0.8, 0.2]]).double()
    first, found = centroids(rows, p, 0)
    torch.testing.assert_close(first.norm(dim=1), torch.ones(2).double())
    expected = 0.8 * rows[0] + 0.2 * rows[1] + 0.8 * rows[2]
    torch.testing.assert_close(first[0], expected / expected.norm())
    second, _ = centroids(rows, p, 1)
    expected = rows[0] + rows[2]
    torch.testing.assert_close(second[0], expected / expected.norm())
    torch.testing.assert_close(second[1], rows[1])
    assert found.tolist() == [1, 1]


def test_a_class_that_is_nobodys_first_choice_is_no_label():
    rows = bent(normal(6, 2, 4))
    p = torch.tensor([[0.5, 0.3, 0.2], [0.2, 0.3, 0.5]]).double().repeat(3, 1)
    directions, found = centroids(rows, p, 1)
    assert found.tolist() == [1, 0, 1]
    assert nearest(bent(normal(50, 2, 5)), directions, found)[:, 1].sum() == 0


def test_a_class_that_loses_all_its_rows_keeps_its_centroid():
    rows = bent(torch.tensor([[5.0, 0.2]] * 3).double())  # Both centroids are the row itself, and one class gets all.
    p = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9]]).double()
    directions, found = centroids(rows, p, 3)
    assert found.tolist() == [1, 1]
    torch.testing.assert_close(directions, rows[:2])


@pytest.mark.parametrize("size", [0.0, 1e-300, 1e30, 1e200])
def test_rows_of_any_length_have_a_direction(size):
    rows = bent(torch.full((3, 2), size, dtype=torch.float64))
    torch.testing.assert_close(rows.norm(dim=1), torch.ones(3).double())


# The loss.


def expected_value(networks, labels, rows=Y):
    z = views_through(networks, X, rows)[1].logits.detach().numpy()
    return -log_softmax(z, axis=1)[np.arange(len(z)), labels].mean()


@pytest.mark.parametrize("rounds", [0, 1])
def test_value_equals_the_definition(rounds):
    networks = student()
    module = passed(networks, rounds=rounds)
    seen = views_through(networks, X, ALL)[1]
    labels, _ = by_definition(seen.shared.detach().numpy(), seen.logits.detach().numpy(), rounds)
    value = module(views_through(networks, X, ALL[:9]), ONE, stepping(networks))
    assert value.item() == pytest.approx(expected_value(networks, labels[:9], ALL[:9]), rel=1e-10)


def test_labels_stand_still_until_the_next_pass():
    networks = student()
    module = passed(networks)
    labels = by_definition(*(own.detach().numpy() for own in seen_of(networks)), 1)[0][:9]
    moved(networks, 0.7)
    value = module(views_through(networks, X, ALL[:9]), ONE, stepping(networks))
    assert value.item() == pytest.approx(expected_value(networks, labels, ALL[:9]), rel=1e-10)
    later = by_definition(*(own.detach().numpy() for own in seen_of(networks)), 1)[0][:9]
    assert (later != labels).any()
    with torch.no_grad():
        module.refresh(*seen_of(networks), networks)
    value = module(views_through(networks, X, ALL[:9]), ONE, stepping(networks))
    assert value.item() == pytest.approx(expected_value(networks, later, ALL[:9]), rel=1e-10)


def seen_of(networks):
    view = views_through(networks, X, ALL)[1]
    return view.shared, view.logits


def test_without_a_pass_the_centroids_are_the_batchs_own():
    networks = student()
    module = attached(CentroidPseudoLabels(), networks)
    views = views_through(networks, X, Y)
    labels, _ = by_definition(views[1].shared.detach().numpy(), views[1].logits.detach().numpy(), 1)
    assert module(views, ONE, stepping(networks)).item() == pytest.approx(expected_value(networks, labels), rel=1e-10)


def test_a_new_phase_forgets_the_centroids_and_keeps_the_networks_it_begins_with():
    networks = student()
    module = passed(networks)
    assert module.found.any()
    moved(networks, 1.0)
    with torch.no_grad():
        module.begin(networks)
    assert not module.found.any()
    assert all(torch.equal(module.reference.get_buffer(name), value) for name, value in networks.named_parameters())


def test_sure_and_right_rows_cost_nothing():
    networks = student()
    for name, weight in networks.heads.named_parameters():
        weight.data.zero_()
        if name.endswith("bias"):
            weight.data[2] = 60.0
    value = passed(networks)(views_through(networks, X, Y), ONE, stepping(networks))
    assert value.item() == pytest.approx(0, abs=1e-12)


def test_unsure_rows_cost_the_logarithm_of_the_number_of_classes():
    networks = student()
    for weight in networks.heads.parameters():
        weight.data.zero_()
    value = passed(networks)(views_through(networks, X, Y), ONE, stepping(networks))
    assert value.item() == pytest.approx(math.log(4), rel=1e-12)


def test_the_gradient_is_that_of_the_cross_entropy_with_labels_held_still():
    networks = student(dropout=0.5)
    module = passed(networks)
    views = views_through(networks, X, Y)
    plain = Y.clone().requires_grad_()
    views[1] = replace(views[1], plain=plain)
    value = module(views, ONE, stepping(networks))
    assert torch.autograd.grad(value, plain, allow_unused=True, retain_graph=True)[0] is None
    (slope,) = torch.autograd.grad(value, views[1].logits)
    labels = views[1].logits.detach().softmax(1) - 9 * slope
    torch.testing.assert_close(labels, labels.round())
    torch.testing.assert_close(labels.sum(1), torch.ones(9).double())
    assert module([views[0], replace(views[1], x=2 * Y)], ONE, stepping(networks, number=5)).item() == value.item()


def test_source_rows_do_not_matter_and_target_domains_are_averaged():
    networks = student()
    module = passed(networks)
    one, two = (views_through(networks, X, rows)[1] for rows in (Y[:3], Y[3:]))
    step = stepping(networks)
    both = module([one, two], ONE, step)
    torch.testing.assert_close(both, (module([one], ONE, step) + module([two], ONE, step)) / 2)
    assert torch.equal(module([*views_through(networks, X, Y)], ONE, step), module([one_of(networks, Y)], ONE, step))


def one_of(networks, rows):
    return views_through(networks, X, rows)[1]


def test_the_order_of_rows_does_not_matter():
    networks = student()
    order = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    step, views = stepping(networks), views_through(networks, X, Y)
    shuffled = passed(networks, ALL[order])(views_through(networks, X, Y.flip(0)), ONE, step)
    torch.testing.assert_close(passed(networks)(views, ONE, step), shuffled)


# In a step.


def test_all_that_it_knows_is_in_buffers():
    networks = student(norm=True)
    module, other = passed(networks), attached(CentroidPseudoLabels(), student(norm=True))
    assert not list(module.parameters())
    other.load_state_dict(module.state_dict())
    views = views_through(networks, X, Y)
    assert torch.equal(module(views, ONE, stepping(networks)), other(views, ONE, stepping(networks)))
    assert keep_their_statistics(networks, module, views)


def test_it_fits_into_a_step():
    networks = student(dropout=0.3, norm=True)
    for module in (passed(networks), attached(CentroidPseudoLabels(rounds=2), networks)):
        assert can_be_captured(module, views_through(networks, X, Y), stepping(networks))


def test_what_is_missing_is_named():
    networks = student()
    module = passed(networks)
    with pytest.raises(ContractError, match="centroid_pseudo_labels: the step has no model"):
        module(views_through(networks, X, Y), ONE, STEP)
    with pytest.raises(ContractError, match="no inputs"):
        module([View("d1", "target", normal(9, 3, 1), normal(9, 4, 2))], ONE, stepping(networks))
    with pytest.raises(ContractError, match="called unbuilt"):
        CentroidPseudoLabels()(Y)


@pytest.mark.parametrize(("setting", "value"), [("every", 0), ("rounds", -1), ("every", 1.5)])
def test_settings_out_of_range_are_refused(setting, value):
    with pytest.raises(ValueError, match=setting):
        CentroidPseudoLabels(**{setting: value})
