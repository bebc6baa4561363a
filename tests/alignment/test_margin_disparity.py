import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dareps.alignment import MarginDisparity
from dareps.alignment._margin import log_kept, log_left
from dareps.errors import ContractError
from dareps.testing import check_alignment
from dareps.types import Shapes, View
from tests.alignment._built import ONE, STEP, can_be_captured, drawn, filled, seen, shapes_of, views_of
from tests.alignment._samples import PROPERTY, normal


def built(sources=1, targets=1, **settings):
    return filled(MarginDisparity(**settings).build(shapes_of(sources, targets)))


def judged(module, x, z):
    """q_h of each row, by the definition."""
    found = []
    for row, outputs in zip(x, z.tolist(), strict=True):
        powers = [math.exp(out) for out in module.head(row[None])[0].tolist()]
        found.append(powers[outputs.index(max(outputs))] / sum(powers))
    return found


@pytest.mark.parametrize("gamma", [1.0, 4.0])
def test_equals_the_definition(gamma):
    module = built(gamma=gamma, hidden=(5,))

    @given(pairs=drawn(2, high=2.0))
    @PROPERTY
    def check(pairs):
        source, target = (judged(module, *pair) for pair in pairs)
        expected = -gamma * sum(map(math.log, source)) / len(source)
        expected -= sum(math.log1p(-q) for q in target) / len(target)
        assert module(views_of(*pairs), ONE, STEP).item() == pytest.approx(expected, rel=1e-6)

    check()


@given(gap=st.floats(-600, 600), extra=st.floats(-600, 600))
@PROPERTY
def test_what_is_left_beside_a_class_keeps_its_logarithm(gap, extra):
    outputs = torch.tensor([[gap, 0.0, extra]], dtype=torch.float64)
    first = torch.tensor([[0]])
    beside = math.log1p(math.exp(-abs(extra))) + max(extra, 0)
    expected = beside - outputs.logsumexp(1).item()
    assert log_left(outputs, first).item() == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert (log_kept(outputs, first).exp() + log_left(outputs, first).exp()).item() == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("gap", [0.0, 50.0, 1000.0, 1e6])
def test_certain_head_still_hears_of_the_target(gap, dtype):
    logits = torch.tensor([[gap, 0.0, 0.0]], dtype=dtype, requires_grad=True)
    value = log_left(logits, torch.tensor([[0]]))
    (slope,) = torch.autograd.grad(value.sum(), logits)
    assert value.isfinite().all()
    assert slope.isfinite().all()
    # The derivative in the own output is -q.
    own = 1 / (1 + 2 * math.exp(-gap)) if gap < 700 else 1
    assert slope[0, 0].item() == pytest.approx(-own, rel=1e-6)


@pytest.mark.parametrize("gamma", [1.0, 4.0, 9.0])
def test_alike_domains_are_balanced_at_gamma_over_one_plus_gamma(gamma):
    module = MarginDisparity(gamma=gamma).build(Shapes(3, 2, ("d0",), ("d1",))).double()
    x, z = normal(5, 3, 1), torch.tensor([[1.0, 0.0]]).double().expand(5, 2)
    module.head[0].bias.data = torch.tensor([math.log(gamma), 0.0], dtype=torch.float64)
    views = views_of((x, z), (x, z))
    value = module(views, ONE, STEP)
    q = gamma / (1 + gamma)
    assert value.item() == pytest.approx(-gamma * math.log(q) - math.log(1 - q), rel=1e-12)
    assert all(slope.abs().max() < 1e-12 for slope in torch.autograd.grad(value, list(module.parameters())))


@pytest.mark.parametrize("classes", [2, 4, 9])
def test_starts_undecided(classes):
    fresh = MarginDisparity(hidden=(6,)).build(Shapes(3, classes, ("d0",), ("d1",))).double()
    value = fresh(seen(4, 6, classes=classes)[2], ONE, STEP).item()
    assert value == pytest.approx(4 * math.log(classes) - math.log(1 - 1 / classes), rel=1e-12)


@pytest.mark.parametrize("strength", [0.0, 0.1, 3.0])
def test_strength_scales_the_reversed_gradient_alone(strength):
    rows, logits, views = seen(4, 6)
    module = built(hidden=(5,))
    leaves = [*rows, *module.parameters()]
    plain, value = module(views, -ONE, STEP), module(views, ONE * strength, STEP)
    assert torch.equal(plain, value)
    assert torch.autograd.grad(value, logits, allow_unused=True, retain_graph=True) == (None, None)
    expected, found = (torch.autograd.grad(each, leaves) for each in (plain, value))
    for i, (want, got) in enumerate(zip(expected, found, strict=True)):
        torch.testing.assert_close(got, -strength * want if i < 2 else want, rtol=1e-12, atol=1e-15)


def test_gradient_is_that_of_the_value_but_for_its_sign():
    _, logits, _ = seen(3, 2)
    module = built(hidden=(5,))

    def value(*rows):
        return module(views_of(*zip(rows, [z.detach() for z in logits], strict=True)), -ONE, STEP)

    assert torch.autograd.gradcheck(value, [normal(3, 3, 5).requires_grad_(), normal(2, 3, 6).requires_grad_()])


def test_predicted_classes_matter_row_by_row():
    rows, logits, views = seen(4, 6)
    module = built()
    moved = views_of(*[(x, z.roll(1, 0)) for x, z in zip(rows, logits, strict=True)])
    assert abs(module(moved, ONE, STEP) - module(views, ONE, STEP)) > 1e-3
    level = [(x, 3 * z + torch.arange(len(z))[:, None]) for x, z in zip(rows, logits, strict=True)]
    torch.testing.assert_close(module(views_of(*level), ONE, STEP), module(views, ONE, STEP))


def test_domains_of_a_side_are_averaged():
    _, _, views = seen(2, 3, 4, 5, sources=2)
    module = built(2, 2)
    alone = [module([source, target], ONE, STEP) for source in views[:2] for target in views[2:]]
    torch.testing.assert_close(module(views, ONE, STEP), sum(alone) / 4)


def test_one_class_and_huge_features_stay_finite():
    rows = [x * 1e6 for x in seen(4, 6)[0]]
    for classes in (1, 4):
        module = filled(MarginDisparity().build(Shapes(3, classes, ("d0",), ("d1",))))
        logits = [normal(len(x), classes, 3) for x in rows]
        value = module(views_of(*zip(rows, logits, strict=True)), ONE, STEP)
        assert value.isfinite()
        assert all(slope.isfinite().all() for slope in torch.autograd.grad(value, list(module.parameters())))


def test_whole_step_can_be_captured():
    assert can_be_captured(built(), seen(4, 6)[2], STEP)


def test_unusable_streams_are_refused():
    source, _ = seen(4, 6)[2]
    for target, what in ((View("d1", "target", source.shared), "has no logits"), (source.shared[:0], "at least 1")):
        bad = target if isinstance(target, View) else View("d1", "target", target, target)
        with pytest.raises(ContractError, match=what):
            built()([source, bad], ONE, STEP)
    with pytest.raises(ValueError, match="greater than 0"):
        MarginDisparity(gamma=0)


def test_other_settings_keep_the_laws():
    check_alignment(MarginDisparity(gamma=1.0, hidden=(8,)), max_examples=10)
