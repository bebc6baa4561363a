import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dareps.alignment import MMD, LocalMMD
from dareps.errors import ContractError
from dareps.maths import pairs as pairs_module
from dareps.testing import check_alignment
from dareps.testing._gates import forbid_host_copies, forbid_host_sync
from dareps.types import Shapes, View
from tests.alignment._samples import PROPERTY, gradient, normal, pairs


def reference(x, y, labels, logits, b=None):
    """The definition, class by class with loops over rows."""
    rows = torch.cat((x, y)).numpy()
    p = logits.softmax(1).numpy()
    if b is None:
        b = np.mean([((rows[i] - rows[j]) ** 2).sum() for i in range(len(rows)) for j in range(i)])
    terms = []
    for c in range(p.shape[1]):
        ours = [float(label == c) for label in labels.tolist()]
        if not sum(ours) or c not in p.argmax(1):
            continue
        w = [each / sum(ours) for each in ours] + [-each / p[:, c].sum() for each in p[:, c]]
        terms.append(
            sum(
                w[i] * w[j] * math.exp(-((rows[i] - rows[j]) ** 2).sum() / (2.0**o * b)) if b else 0.0
                for i in range(len(rows))
                for j in range(len(rows))
                for o in range(-2, 3)
            )
        )
    return np.mean(terms) if terms else 0.0


@st.composite
def problems(draw, most=4):
    x, y = draw(pairs(low=-3, high=3, least=1))
    c = draw(st.integers(1, most))
    labels = draw(st.lists(st.integers(0, c - 1), min_size=len(x), max_size=len(x)))
    # Whole numbers: the likeliest class is then not a matter of rounding.
    logits = draw(arrays(np.int64, (len(y), c), elements=st.integers(-6, 6)))
    return x, y, torch.tensor(labels), torch.tensor(logits, dtype=torch.float64)


@given(problem=problems())
@PROPERTY
def test_equals_the_definition(problem):
    assert LocalMMD()(*problem).item() == pytest.approx(reference(*problem), rel=1e-8, abs=1e-10)
    assert LocalMMD(bandwidth=2.0)(*problem).item() == pytest.approx(reference(*problem, 2.0), rel=1e-8, abs=1e-10)


@given(problem=problems(most=1))
@PROPERTY
def test_one_class_is_the_biased_mmd(problem):
    torch.testing.assert_close(LocalMMD()(*problem), MMD()(*problem[:2]), rtol=1e-9, atol=1e-12)


@given(problem=problems(), data=st.data())
@PROPERTY
def test_certain_predictions_give_the_mean_of_the_classes_mmd(problem, data):
    x, y, labels, logits = problem
    classes = logits.shape[1]
    picks = torch.tensor(data.draw(st.lists(st.integers(0, classes - 1), min_size=len(y), max_size=len(y))))
    certain = torch.nn.functional.one_hot(picks, classes).double() * 1000
    common = [c for c in range(classes) if (labels == c).any() and (picks == c).any()]
    apart = [MMD(bandwidth=3.0)(x[labels == c], y[picks == c]).item() for c in common]
    found = LocalMMD(bandwidth=3.0)(x, y, labels, certain).item()
    assert found == pytest.approx(np.mean(apart) if apart else 0, rel=1e-9, abs=1e-11)


@given(problem=problems(), shift=st.floats(-5, 5), data=st.data())
@PROPERTY
def test_names_of_classes_and_a_common_shift_of_features_do_not_matter(problem, shift, data):
    x, y, labels, logits = problem
    order = torch.tensor(data.draw(st.permutations(range(logits.shape[1]))))
    renamed = LocalMMD()(x + shift, y + shift, order.argsort()[labels], logits[:, order])
    # Ties of the likeliest class may be broken otherwise under other names.
    if (logits.topk(min(2, logits.shape[1]), 1).values.diff(dim=1) == 0).any():
        return
    torch.testing.assert_close(renamed, LocalMMD()(*problem), rtol=1e-7, atol=1e-9)


@given(problem=problems(most=1))
@PROPERTY
def test_one_class_is_the_unbiased_mmd_without_the_pairs_of_a_row_with_itself(problem):
    x, y = problem[:2]
    if min(len(x), len(y)) < 2:
        with pytest.raises(ContractError, match="at least 2"):
            LocalMMD(estimator="unbiased")(*problem)
    else:
        found = LocalMMD(estimator="unbiased")(*problem).item()
        assert found == pytest.approx(MMD(estimator="unbiased")(x, y).item(), rel=1e-8, abs=1e-10)


def test_the_unbiased_form_keeps_to_classes_with_pairs_on_both_sides():
    x, y = normal(5, 3, 1), normal(5, 3, 2) + 0.5
    labels, picks = torch.tensor([0, 0, 0, 1, 1]), torch.tensor([0, 0, 1, 0, 2])
    certain = torch.nn.functional.one_hot(picks, 3).double() * 1000
    unbiased = MMD(estimator="unbiased", bandwidth=3.0)(x[labels == 0], y[picks == 0])
    # Class 1 has one target row, class 2 no source row.
    found = LocalMMD(estimator="unbiased", bandwidth=3.0)(x, y, labels, certain)
    torch.testing.assert_close(found, unbiased, rtol=1e-9, atol=1e-12)


def test_the_unbiased_form_does_not_reward_drawing_together():
    # Both sides of each class come from one distribution: the value must not depend on how far apart its rows are.
    labels, logits = torch.tensor([0, 1] * 4), normal(8, 2, 3) * 4
    slope = {}
    for estimator in ("biased", "unbiased"):
        spread = torch.ones((), dtype=torch.float64, requires_grad=True)
        values = [
            LocalMMD(estimator=estimator, bandwidth=4.0)(
                spread * normal(8, 3, 2 * k), spread * normal(8, 3, 2 * k + 1), labels, logits
            )
            for k in range(5, 105)
        ]
        (slope[estimator],) = torch.autograd.grad(torch.stack(values).mean(), spread)
    assert abs(slope["unbiased"]) < slope["biased"] / 10


INPUTS = normal(6, 3, 1), normal(5, 3, 2) + 0.5, torch.tensor([0, 0, 1, 1, 2, 2]), normal(5, 3, 3)


def test_weights_carry_no_gradient_and_features_do():
    x, y, labels, logits = INPUTS
    leaves = [part.clone().requires_grad_() for part in (x, y, logits)]
    value = LocalMMD()(leaves[0], leaves[1], labels, leaves[2])
    found = torch.autograd.grad(value, leaves, allow_unused=True)
    assert found[2] is None
    assert all(part.any() for part in found[:2])
    fixed = lambda x, y: LocalMMD(bandwidth=4.0)(x, y, labels, logits)  # noqa: E731
    assert torch.autograd.gradcheck(fixed, (leaves[0], leaves[1]))


def test_no_class_in_common_is_exactly_nothing():
    x, y, labels, _ = INPUTS
    logits = torch.tensor([[0.0, 0.0, 0.0, 9.0]]).double().expand(5, 4)
    found, gradients = gradient(lambda x, y: LocalMMD()(x, y, labels, logits), x, y)
    assert found.item() == 0
    assert not any(part.any() for part in gradients)


def test_class_that_nobody_predicts_is_left_out_with_finite_weights():
    x, y, labels, logits = INPUTS
    logits = logits.clone()
    logits[:, 2] = -1e5
    found, gradients = gradient(lambda x, y: LocalMMD()(x, y, labels, logits), x, y)
    assert found.item() == pytest.approx(reference(x, y, labels, logits[:, :2]), rel=1e-9)
    assert all(part.isfinite().all() for part in gradients)


def test_collapsed_and_huge_rows_are_safe():
    x, y, labels, logits = INPUTS
    for scale, exact in ((0.0, True), (1e8, False)):
        found, gradients = gradient(lambda x, y: LocalMMD()(x, y, labels, logits), x * scale, y * scale)
        assert found.item() == 0 if exact else found.isfinite()
        assert all(part.isfinite().all() and not (exact and part.any()) for part in gradients)


@pytest.mark.parametrize("common", [True, False])
def test_a_bad_number_stays_visible(common):
    x, y, labels, logits = INPUTS
    if not common:
        labels, logits = labels * 0, torch.tensor([[0.0, 9.0, 0.0]]).double().repeat(5, 1)
    for position in (0, 1, 3):
        bad = [part.clone() for part in (x, y, labels, logits)]
        bad[position][1, 1] = math.nan
        assert LocalMMD()(*bad).isnan()


def test_tiles_and_stacks_and_capture(monkeypatch):
    x, y, labels, logits = INPUTS
    loss = lambda x, y: LocalMMD()(x, y, labels, logits)  # noqa: E731
    value, slopes = gradient(loss, x, y)
    stacked = torch.vmap(LocalMMD())(*(torch.stack((part, part)) for part in INPUTS))
    torch.testing.assert_close(stacked, value.expand(2))
    monkeypatch.setattr(pairs_module, "UNTILED", 4)
    monkeypatch.setattr(pairs_module, "_ON_CPU", 30)
    torch.testing.assert_close(gradient(loss, x, y), (value, slopes), rtol=1e-10, atol=1e-12)
    leaves = [part.clone().requires_grad_() for part in (x, y)]
    with forbid_host_sync(), forbid_host_copies():
        loss(*leaves).backward()


def test_narrow_types():
    x, y, labels, logits = INPUTS
    wide = LocalMMD()(*INPUTS).item()
    assert LocalMMD()(x.float(), y.float(), labels, logits.float()).item() == pytest.approx(wide, rel=1e-4)
    narrow = LocalMMD()(x.bfloat16(), y.bfloat16(), labels, logits.bfloat16())
    assert narrow.dtype == torch.bfloat16
    assert narrow.item() == pytest.approx(wide, rel=5e-2)


def test_bad_input_is_refused():
    x, y, labels, logits = INPUTS
    for inputs, what in (
        ((x, y, labels[:3], logits), "source_labels and features differ in rows"),
        ((x, y, labels.double(), logits), "class numbers"),
        ((x, y, labels[:, None], logits), "class numbers"),
        ((x, y, labels, logits[:2]), "target_logits and features differ in rows"),
        ((x, y, labels, logits.long()), "floating point"),
        ((x[:, :2], y, labels, logits), "differ in width"),
        ((x[:0], y, labels[:0], logits), "at least 1"),
    ):
        with pytest.raises(ContractError, match=what):
            LocalMMD()(*inputs)
    with pytest.raises(ContractError, match="no labels"):
        LocalMMD().between(View("a", "source", x), View("b", "target", y, logits))


def test_views_are_unpacked_alone_and_pooled():
    x, y, labels, logits = INPUTS
    views = [View("a", "source", x, None, labels), View("b", "target", y, logits)]
    shapes = Shapes(3, 3, ("a",), ("b",))
    for loss in (LocalMMD(), LocalMMD(pairs="pooled")):
        assert torch.equal(loss.build(shapes)(views, torch.ones(()), None), LocalMMD()(*INPUTS))


def test_laws():
    check_alignment(LocalMMD(bandwidth=500.0), max_examples=10)
