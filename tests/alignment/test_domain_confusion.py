import math

import pytest
import torch
from hypothesis import given

from dareps.alignment import DomainConfusion
from dareps.testing import check_alignment
from dareps.types import ORDINARY, View
from tests.alignment._built import ONE, STEP, can_be_captured, drawn, filled, seen, shapes_of, step_of, views_of
from tests.alignment._samples import PROPERTY, normal

LEARN = step_of("opponent")


def built(domains=2, **settings):
    return filled(DomainConfusion(**settings).build(shapes_of(1, domains - 1)))


def reference(module, pairs, label_of):
    """Mean over domains of the mean over rows of -sum_k label_k log q_k."""
    found = []
    for domain, (x, _) in enumerate(pairs):
        label = label_of(domain)
        total = 0.0
        for row in x:
            out = module.classifier(row[None])[0].tolist()
            log_sum = max(out) + math.log(sum(math.exp(z - max(out)) for z in out))
            total -= sum(share * (z - log_sum) for share, z in zip(label, out, strict=True))
        found.append(total / len(x))
    return sum(found) / len(found)


@pytest.mark.parametrize("domains", [2, 3])
@pytest.mark.parametrize("hidden", [(), (5,)])
def test_equals_the_definition(domains, hidden):
    module = built(domains, hidden=hidden)

    @given(pairs=drawn(domains))
    @PROPERTY
    def check(pairs):
        views = views_of(*pairs)
        uniform = reference(module, pairs, lambda _: [1 / domains] * domains)
        true = reference(module, pairs, lambda domain: [float(k == domain) for k in range(domains)])
        assert module(views, ONE, STEP).item() == pytest.approx(uniform, rel=1e-10)
        assert module(views, ONE, LEARN).item() == pytest.approx(true, rel=1e-9, abs=1e-12)
        assert uniform >= math.log(domains) - 1e-12

    check()


@pytest.mark.parametrize("domains", [2, 3, 5])
@pytest.mark.parametrize("step", [STEP, LEARN])
def test_starts_at_chance(domains, step):
    fresh = DomainConfusion().build(shapes_of(1, domains - 1)).double()
    value = fresh(seen(*range(2, 2 + domains))[2], ONE, step)
    assert value.item() == pytest.approx(math.log(domains), rel=1e-14)


@pytest.mark.parametrize("strength", [0.0, 0.4, 3.0])
def test_each_side_learns_in_its_own_step_alone(strength):
    rows, _, views = seen(4, 6)
    module = built(hidden=(5,))
    leaves = [*rows, *module.parameters()]
    learned = torch.autograd.grad(module(views, ONE * strength, LEARN), leaves, allow_unused=True)
    assert learned[:2] == (None, None)
    assert all(slope.any() for slope in learned[2:])
    values = (module(views, ONE * factor, STEP) for factor in (1, strength))
    once, taught = (torch.autograd.grad(value, leaves, allow_unused=True) for value in values)
    assert taught[2:] == (None,) * (len(leaves) - 2)
    for want, got in zip(once[:2], taught[:2], strict=True):
        assert want.any()
        torch.testing.assert_close(got, strength * want, rtol=1e-12, atol=1e-15)


def test_gradient_is_that_of_the_value():
    module = built(hidden=(5,))

    def value(x, y):
        return module([View("d0", "source", x), View("d1", "target", y)], ONE, STEP)

    assert torch.autograd.gradcheck(value, [normal(3, 3, 5).requires_grad_(), normal(2, 3, 6).requires_grad_()])


def test_a_step_against_the_gradient_undecides_the_classifier():
    rows, _, views = seen(5, 7)
    module = built()
    value = module(views, ONE, STEP)
    moved = [(x - 1e-2 * slope).detach() for x, slope in zip(rows, torch.autograd.grad(value, rows), strict=True)]
    after = module(views_of(*[(x, x) for x in moved]), ONE, STEP)
    assert math.log(2) < after < value


def test_order_of_streams_does_not_matter_and_streams_of_a_domain_count_as_one():
    rows, _, views = seen(4, 9, 3)
    module = built(3)
    whole = module(views, ONE, STEP)
    torch.testing.assert_close(module(views[::-1], ONE, STEP), whole)
    halves = [View("d1", "target", part) for part in (rows[1][:2], rows[1][2:])]
    torch.testing.assert_close(module([views[0], *halves, views[2]], ONE, STEP), whole)


def test_saturated_classifier_still_teaches():
    rows, _, views = seen(4, 6)
    module = built()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(1e4)
    slopes = torch.autograd.grad(module(views, ONE, STEP), rows)
    assert all(slope.isfinite().all() and slope.any() for slope in slopes)


def test_steps_and_capture():
    module = built(repeat=3)
    (own, ordinary) = module.steps()
    assert (own.repeat, own.trains, own.tasks, ordinary) == (3, ("align",), False, ORDINARY)
    assert can_be_captured(module, seen(4, 6)[2], STEP, LEARN)


def test_other_settings_keep_the_laws():
    check_alignment(DomainConfusion(hidden=(16,)), max_examples=10)
