import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import log_softmax, softmax

from dareps.alignment import SelfTraining
from dareps.alignment._pseudo_labels import RunningMean, confident, one_hot, rescaled, within_quota
from dareps.errors import ContractError
from dareps.maths.networks import Copy
from dareps.types import View
from tests.alignment._built import ONE, STEP, can_be_captured
from tests.alignment._networks import attached, keep_their_statistics, stepping, student, views_through
from tests.alignment._samples import PROPERTY, normal

X, Y = normal(4, 5, 1), 3 * normal(9, 5, 2)


def _moved(networks, by):
    """Add a number to every weight."""
    with torch.no_grad():
        for weight in networks.parameters():
            weight.add_(by)


def _value(settings, networks=None, teacher=None, y=Y):
    """The loss of rows whose networks and teacher are given."""
    networks = networks or student()
    module = attached(settings, teacher or networks)
    return module(views_through(networks, X, y), ONE, stepping(networks))


def _logits(networks, rows=Y):
    return views_through(networks, X, rows)[1].logits


# The teacher.


@given(decay=st.floats(0, 0.999), steps=st.lists(st.floats(-2, 2), min_size=1, max_size=6))
@PROPERTY
def test_the_teacher_is_the_exponential_average_of_the_weights(decay, steps):
    networks = student(norm=True)
    module = attached(SelfTraining(decay=decay), networks)
    expected = {name: value.detach().clone() for name, value in networks.named_parameters()}
    for by in steps:
        _moved(networks, by)
        module.after_step(ONE, networks)
        for name, value in networks.named_parameters():
            expected[name] = decay * expected[name] + (1 - decay) * value.detach()
    held = dict(module.teacher.named_buffers())
    for name, value in expected.items():
        torch.testing.assert_close(held[name], value, rtol=1e-10, atol=1e-10)


def test_the_average_after_k_equal_steps_has_its_closed_form():
    networks = student()
    module = attached(SelfTraining(decay=0.9), networks)
    first = {name: value.detach().clone() for name, value in networks.named_parameters()}
    _moved(networks, 2.0)
    for _ in range(7):
        module.after_step(ONE, networks)
    held = dict(module.teacher.named_buffers())
    for name, value in first.items():
        torch.testing.assert_close(held[name], value + 2 * (1 - 0.9**7))


def test_a_teacher_that_equals_the_networks_stays_equal_to_the_last_bit():
    networks = student(norm=True)
    module = attached(SelfTraining(), networks)
    for _ in range(3):
        module.after_step(ONE, networks)
    assert all(torch.equal(module.teacher.get_buffer(name), value) for name, value in networks.state_dict().items())


def test_the_teacher_is_state_without_parameters_and_never_trains():
    networks = student(dropout=0.5, norm=True)
    module = attached(SelfTraining(), networks)
    assert not list(module.parameters())
    assert {f"teacher.{name}" for name in networks.state_dict()} <= set(module.state_dict())
    module.train()
    assert not any(part.training for part in module.teacher.modules())
    assert networks.training


def test_a_new_phase_starts_the_teacher_at_the_networks():
    networks = student()
    module = attached(SelfTraining(), networks)
    _moved(networks, 1.0)
    with torch.no_grad():
        module.begin(networks)
    assert all(torch.equal(module.teacher.get_buffer(name), value) for name, value in networks.named_parameters())


def test_a_copy_keeps_the_layout_of_memory():
    layer = torch.nn.Conv2d(2, 3, 3).to(memory_format=torch.channels_last)
    from dareps.maths.networks import Networks

    twin = Copy(Networks(layer, torch.nn.Identity()))
    assert twin.encoder.weight.stride() == layer.weight.stride()


# The value.


@pytest.mark.parametrize("labels", ["hard", "soft"])
@given(threshold=st.floats(0, 0.99), temperature=st.floats(0.2, 3), by=st.floats(-0.5, 0.5))
@PROPERTY
def test_value_equals_the_definition(labels, threshold, temperature, by):
    networks, teacher = student(), student()
    _moved(teacher, by)
    settings = SelfTraining(threshold=threshold, temperature=temperature, labels=labels)
    z, t = (_logits(each).detach().numpy() for each in (networks, teacher))
    p = softmax(t / temperature, axis=1)
    q = np.eye(4)[p.argmax(1)] if labels == "hard" else p
    rows = -(q * log_softmax(z, axis=1)).sum(1)
    expected = sum(row for row, own in zip(rows, p, strict=True) if own.max() >= threshold) / len(z)
    assert _value(settings, networks, teacher).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_soft_labels_of_the_networks_themselves_give_their_entropy():
    networks = student()
    p = softmax(_logits(networks).detach().numpy(), axis=1)
    value = _value(SelfTraining(labels="soft", threshold=0), networks)
    assert value.item() == pytest.approx(-(p * np.log(p)).sum(1).mean(), rel=1e-9)


def test_no_row_is_sure_enough():
    networks = student()
    for weight in networks.heads.parameters():
        weight.data.zero_()
    value = _value(SelfTraining(threshold=0.26), networks)
    value.backward()
    assert value.item() == 0
    assert not any(weight.grad.any() for weight in networks.parameters())
    assert _value(SelfTraining(threshold=0), networks).item() == pytest.approx(math.log(4), rel=1e-12)


def test_the_teacher_reads_plain_rows_without_dropout_and_has_no_gradient():
    networks = student(dropout=0.5)
    module = attached(SelfTraining(threshold=0, labels="soft"), networks)
    views = views_through(networks, X, Y)
    from dataclasses import replace

    plain = Y.clone().requires_grad_()
    views[1] = replace(views[1], plain=plain)
    value = module(views, ONE, stepping(networks))
    assert torch.autograd.grad(value, plain, allow_unused=True)[0] is None
    other = module([views[0], replace(views[1], x=2 * Y)], ONE, stepping(networks, number=5))
    assert other.item() == value.item()
    assert module([views[0], replace(views[1], plain=2 * Y)], ONE, stepping(networks)).item() != value.item()


def test_source_rows_do_not_matter_and_target_domains_are_averaged():
    networks = student()
    module = attached(SelfTraining(threshold=0), networks)
    one, two = (views_through(networks, X, rows)[1] for rows in (Y[:3], Y[3:]))
    step = stepping(networks)
    both = module([one, two], ONE, step)
    torch.testing.assert_close(both, (module([one], ONE, step) + module([two], ONE, step)) / 2)


def test_statistics_of_normalisation_are_the_networks_own_and_do_not_move():
    networks = student(norm=True)
    module = attached(SelfTraining(), networks)
    views = views_through(networks, X, Y)
    assert keep_their_statistics(networks, module, views)
    networks.encoder.encoder[1].running_mean_1.fill_(0.3)
    module.after_step(ONE, networks)
    assert (module.teacher.encoder.encoder[1].running_mean_1 == 0.3).all()


# Which rows count.

FIRST = torch.tensor([0.9, 0.8, 0.7, 0.4, 0.1, 0.55], dtype=torch.float64)
PROBABILITIES = torch.stack((FIRST, 1 - FIRST), 1)


def test_a_quota_by_hand():
    # Six rows and two classes: all of them is three a class, half is 1.5.
    assert within_quota(PROBABILITIES, 1.0).tolist() == [1, 1, 1, 1, 1, 0]
    assert within_quota(PROBABILITIES, 0.5).tolist() == pytest.approx([1, 0.5, 0, 0.5, 1, 0])
    assert within_quota(PROBABILITIES[[0, 0, 0, 0, 3, 5]], 0.5).tolist() == pytest.approx([0.375] * 4 + [1, 0])
    assert confident(PROBABILITIES, 0.7).tolist() == [1, 1, 1, 0, 1, 0]
    assert one_hot(torch.tensor([[0.3, 0.3, 0.4], [0.4, 0.4, 0.2]])).tolist() == [[0, 0, 1], [1, 0, 0]]


def test_rows_that_single_precision_makes_equally_sure_share_their_quota():
    logits = torch.zeros(32, 2)
    logits[:30, 0], logits[30:, 1] = 20 + torch.arange(30), 1
    weights = within_quota(logits.softmax(1), 0.25)
    assert weights[:30].sum().item() == pytest.approx(0.25 * 32 / 2)
    assert weights[30:].tolist() == [1, 1]


@given(
    rows=arrays(np.float64, (7, 3), elements=st.floats(-4, 4, allow_subnormal=False)),
    share=st.floats(0.05, 1),
)
@PROPERTY
def test_no_class_gets_more_than_its_quota(rows, share):
    p = torch.tensor(softmax(rows, axis=1))
    assume(p.amax(1).sort().values.diff().min() > 1e-9)
    weights = within_quota(p, share)
    per_class = one_hot(p).T @ weights
    assert (per_class <= share * 7 / 3 + 1e-9).all()
    for label in range(3):
        own = p.argmax(1) == label
        kept = min(share * 7 / 3, own.sum().item())
        assert per_class[label].item() == pytest.approx(kept)
        order = p.amax(1)[own].argsort(descending=True)
        assert (weights[own][order].diff() <= 1e-12).all()


def test_a_quota_and_a_threshold_both_limit():
    networks = student()
    p = _logits(networks).softmax(1).detach()
    rows = -p.amax(1).log()
    expected = (rows * confident(p, 0.6) * within_quota(p, 0.8)).mean().item()
    assert _value(SelfTraining(threshold=0.6, quota=0.8), networks).item() == pytest.approx(expected, rel=1e-9)


@given(vectors=st.lists(st.floats(0, 1), min_size=1, max_size=6), memory=st.floats(0, 0.99))
@PROPERTY
def test_a_running_mean_weighs_old_batches_down(vectors, memory):
    mean = RunningMean(1, memory).double()
    for value in vectors:
        found = mean(torch.tensor([value], dtype=torch.float64))
    ages = memory ** np.arange(len(vectors), dtype=float)[::-1]
    assert found.item() == pytest.approx(np.average(vectors, weights=ages), rel=1e-9, abs=1e-12)
    mean.eval()
    assert mean(torch.tensor([7.0]).double()).item() == pytest.approx(found.item())


def test_dividing_by_the_prior_lifts_the_rarer_class():
    p = torch.tensor([[0.9, 0.1], [0.6, 0.4]]).double()
    lifted = rescaled(p, 1 / p.mean(0))
    assert lifted.sum(1).tolist() == pytest.approx([1, 1])
    assert lifted.argmax(1).tolist() == [0, 1]
    assert lifted[1, 1].item() == pytest.approx(0.4 / 0.25 / (0.4 / 0.25 + 0.6 / 0.75))


def test_the_prior_changes_labels_and_survives_a_class_that_nobody_predicts():
    networks = student()
    networks.heads["task"].bias.data[2] = -1e4
    plain, with_prior = (_value(SelfTraining(threshold=0, prior=prior), networks) for prior in (False, True))
    assert plain.isfinite()
    assert with_prior.isfinite()
    assert plain.item() != with_prior.item()


# In a step.


def test_it_fits_into_a_step():
    networks = student(dropout=0.3, norm=True)
    for settings in (SelfTraining(), SelfTraining(quota=0.5, prior=True, labels="soft", temperature=0.5)):
        module = attached(settings, networks)
        assert can_be_captured(module, views_through(networks, X, Y), stepping(networks))


def test_what_is_missing_is_named():
    networks = student()
    module = attached(SelfTraining(), networks)
    views = views_through(networks, X, Y)
    with pytest.raises(ContractError, match="self_training: the step has no model"):
        module(views, ONE, STEP)
    with pytest.raises(ContractError, match="no inputs"):
        module([View("d1", "target", Y, Y)], ONE, stepping(networks))
    with pytest.raises(ContractError, match="called unbuilt"):
        SelfTraining()(Y)
