import math

import pytest
import torch
from torch.nn import functional

from dareps.alignment import Adversarial
from dareps.alignment._discriminator import domain_loss
from dareps.errors import ContractError
from dareps.testing._gates import forbid_host_copies, forbid_host_sync
from dareps.types import Shapes, View
from tests.alignment._built import ONE, STEP
from tests.alignment._samples import normal


def module(domains=2, hidden=(7,), trained=True):
    names = tuple(f"d{i}" for i in range(domains))
    built = Adversarial(hidden=hidden).build(Shapes(3, 5, names[:1], names[1:])).double()
    if trained:
        for key, parameter in enumerate(built.parameters()):
            parameter.data = normal(parameter.numel(), 1, key).view(parameter.shape)
    return built


def views(*sizes):
    rows = [normal(n, 3, 50 + i).requires_grad_() for i, n in enumerate(sizes)]
    roles = ["source"] + ["target"] * (len(sizes) - 1)
    pairs = enumerate(zip(rows, roles, strict=True))
    return rows, [View(f"d{i}", role, x, x) for i, (x, role) in pairs]


@pytest.mark.parametrize("domains", [2, 3, 5])
@pytest.mark.parametrize("hidden", [(), (7,), (4, 3)])
def test_starts_at_chance(domains, hidden):
    _, seen = views(*range(4, 4 + domains))
    value = module(domains, hidden, trained=False)(seen, ONE, STEP)
    assert value.item() == pytest.approx(math.log(domains), rel=1e-14)


def test_two_domains_are_the_logistic_loss_averaged_over_domains():
    rows, seen = views(4, 9)
    built = module()
    logits = [built.discriminator(x)[:, 0] for x in rows]
    expected = [
        functional.binary_cross_entropy_with_logits(part, torch.full_like(part, label))
        for part, label in zip(logits, (1.0, 0.0), strict=True)
    ]
    torch.testing.assert_close(built(seen, ONE, STEP), sum(expected) / 2)


def test_more_domains_are_one_class_each_whatever_their_order():
    rows, seen = views(4, 9, 2)
    built = module(3)
    expected = [
        functional.cross_entropy(built.discriminator(x), torch.full((len(x),), label)) for label, x in enumerate(rows)
    ]
    torch.testing.assert_close(built(seen, ONE, STEP), sum(expected) / 3)
    torch.testing.assert_close(built([seen[2], seen[0], seen[1]], ONE, STEP), sum(expected) / 3)


def test_two_streams_of_one_domain_count_as_one():
    rows, seen = views(4, 9)
    halves = [View("d1", "target", part, part) for part in (rows[1][:3], rows[1][3:])]
    built = module()
    torch.testing.assert_close(built([seen[0], *halves], ONE, STEP), built(seen, ONE, STEP))


@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0, 5.0])
def test_strength_scales_the_reversed_gradient_and_leaves_the_discriminator_alone(strength):
    rows, seen = views(4, 6)
    built = module()
    plain = domain_loss(built.discriminator(torch.cat(rows)), [4, 6])
    value = built(seen, ONE * strength, STEP)
    assert torch.equal(value, plain)
    parameters = list(built.parameters())
    expected, found = (torch.autograd.grad(loss, [*rows, *parameters]) for loss in (plain, value))
    for i, (want, got) in enumerate(zip(expected, found, strict=True)):
        torch.testing.assert_close(got, -strength * want if i < 2 else want, rtol=1e-12, atol=1e-15)
    if strength == 0:
        assert not any(part.any() for part in found[:2])


def test_zeroed_layer_still_learns():
    _, seen = views(4, 6)
    built = module(trained=False)
    last = built.discriminator[-1]
    (slope,) = torch.autograd.grad(built(seen, ONE, STEP), [last.weight])
    assert slope.any()
    last.weight.data += 1
    last.reset_parameters()
    assert not last.weight.any()


def test_saturated_logits_keep_their_gradient():
    logits = torch.tensor([[-200.0], [200.0]], requires_grad=True)
    value = domain_loss(logits, [1, 1])
    assert value.item() == 200
    (slope,) = torch.autograd.grad(value, logits)
    assert slope.abs().tolist() == [[0.5], [0.5]]


def test_empty_domain_is_left_out():
    logits = torch.tensor([[1.0], [2.0]])
    assert domain_loss(logits, [2, 0]).isfinite()


def test_whole_step_can_be_captured():
    _, seen = views(4, 6)
    built = module()
    with forbid_host_sync(), forbid_host_copies():
        built(seen, ONE, STEP).backward()


def test_needs_building_and_sane_widths():
    with pytest.raises(ContractError, match=r"build\(shapes\)"):
        Adversarial()(torch.zeros(2, 2), torch.zeros(2, 2))
    with pytest.raises(ValueError, match="greater than 0"):
        Adversarial(hidden=(0,))
    assert Adversarial.model_validate({"hidden": [8, 4]}).hidden == (8, 4)
