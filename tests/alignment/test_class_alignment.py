import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dareps.alignment import MMD, ClassAlignment
from dareps.errors import ContractError
from dareps.testing import check_alignment
from dareps.types import Shapes, View
from tests.alignment._samples import PROPERTY, gradient, largest_tensor, normal, pairs
from tests.alignment._steps import fits_into_a_step

CLASSES = 3


@st.composite
def labelled(draw, classes=CLASSES, least=1):
    """Source and target rows, source labels, target logits."""
    x, y = draw(pairs(least=least, most=6))
    labels = draw(arrays(np.int64, len(x), elements=st.integers(0, classes - 1)))
    logits = draw(arrays(np.float64, (len(y), classes), elements=st.floats(-5, 5, allow_subnormal=False)))
    return x, y, torch.tensor(labels), torch.tensor(logits)


def mean_kernel(a, b, bandwidth):
    distances = (a[:, None] - b[None]).square().sum(-1)
    return sum((-distances / (2.0**i * (bandwidth or math.inf))).exp().mean() for i in range(-2, 3))


def discrepancy(a, b, bandwidth):
    return mean_kernel(a, a, bandwidth) + mean_kernel(b, b, bandwidth) - 2 * mean_kernel(a, b, bandwidth)


def unbiased(a, b, bandwidth):
    """The same over pairs of different rows; a row with itself adds 5, one for each kernel."""
    n, m = len(a), len(b)
    within = (n * mean_kernel(a, a, bandwidth) - 5) / (n - 1) + (m * mean_kernel(b, b, bandwidth) - 5) / (m - 1)
    return within - 2 * mean_kernel(a, b, bandwidth)


def reference(x, y, labels, logits, inter=1.0, confidence=0.0, estimate=discrepancy, least=1):
    """The definition, class by class, with differences of all rows and the bandwidth as a number."""
    pool = torch.cat((x, y)).tolist()
    gaps = [math.dist(p, q) ** 2 for i, p in enumerate(pool) for q in pool[:i]]
    sure = logits.softmax(1).amax(1) >= confidence
    found = {True: [], False: []}
    for k in range(logits.shape[1]):
        for other in range(logits.shape[1]):
            a, b = x[labels == k], y[(logits.argmax(1) == other) & sure]
            if min(len(a), len(b)) >= least:
                found[k == other].append(estimate(a, b, sum(gaps) / len(gaps)))
    intra, between = (sum(found[same]) / max(len(found[same]), 1) for same in (True, False))
    return intra - inter * between


@given(sample=labelled(), inter=st.floats(0, 2), confidence=st.sampled_from((0.0, 0.5, 0.9)))
@PROPERTY
def test_equals_the_definition(sample, inter, confidence):
    found = ClassAlignment(inter=inter, confidence=confidence)(*sample).item()
    assert found == pytest.approx(float(reference(*sample, inter, confidence)), rel=1e-8, abs=1e-8)


@given(sample=labelled(least=2), inter=st.floats(0, 2))
@PROPERTY
def test_the_unbiased_form_equals_the_definition(sample, inter):
    found = ClassAlignment(estimator="unbiased", inter=inter)(*sample).item()
    assert found == pytest.approx(float(reference(*sample, inter, estimate=unbiased, least=2)), rel=1e-8, abs=1e-8)


@given(sample=labelled(classes=1))
@PROPERTY
def test_with_one_class_it_is_the_biased_discrepancy(sample):
    torch.testing.assert_close(ClassAlignment()(*sample), MMD()(*sample[:2]), rtol=1e-9, atol=1e-12)


@given(sample=labelled(), data=st.data())
@PROPERTY
def test_names_of_classes_do_not_matter(sample, data):
    x, y, labels, logits = sample
    order = torch.tensor(data.draw(st.permutations(range(CLASSES))))
    # Equal logits would be told apart by the order of classes.
    logits = logits + 1e-3 * torch.nn.functional.one_hot(logits.argmax(1), CLASSES)
    renamed = ClassAlignment()(x, y, order.argsort()[labels], logits[:, order])
    torch.testing.assert_close(renamed, ClassAlignment()(x, y, labels, logits), rtol=1e-9, atol=1e-12)


@given(sample=labelled(), more=st.integers(1, 3))
@PROPERTY
def test_classes_that_nobody_has_are_skipped(sample, more):
    x, y, labels, logits = sample
    wider = torch.cat((logits, logits.new_full((len(y), more), -1e3)), 1)
    torch.testing.assert_close(ClassAlignment()(x, y, labels, wider), ClassAlignment()(*sample), rtol=1e-9, atol=1e-12)


def clusters(gap):
    """Two classes a side, each a point; the target lies `gap` aside."""
    x = torch.tensor([[0.0, 0.0], [0.0, 0.0], [4.0, 0.0], [4.0, 0.0]], dtype=torch.float64)
    labels = torch.tensor([0, 0, 1, 1])
    return x, x[1:] + torch.tensor([0.0, gap], dtype=torch.float64), labels, 9 * torch.eye(2).double()[labels[1:]]


def test_it_is_least_where_classes_meet_and_pulls_them_there():
    values = [ClassAlignment()(*clusters(gap)).item() for gap in (0.0, 1.0, 2.0)]
    assert values == sorted(values)
    assert values[0] < 0
    _, (slope,) = gradient(lambda y: ClassAlignment(inter=0)(clusters(1.0)[0], y, *clusters(1.0)[2:]), clusters(1.0)[1])
    assert (slope[:, 1] > 0).all()


def test_wrong_pseudo_labels_would_pull_classes_together():
    x, y, labels, logits = clusters(0.0)
    assert ClassAlignment()(x, y, labels, logits.flip(1)) == pytest.approx(-ClassAlignment()(x, y, labels, logits))


def test_nothing_in_common_or_nobody_confident_is_0_with_gradient_0():
    x, y, labels, logits = clusters(1.0)
    unsure = ClassAlignment(confidence=0.99), (x, y, labels, 0 * logits)
    apart = ClassAlignment(inter=0), (x, y, 0 * labels, logits.new_zeros(3, 2) + torch.arange(2))
    for loss, (*features, classes, outputs) in (unsure, apart):
        value, slopes = gradient(lambda x, y, loss=loss, c=classes, z=outputs: loss(x, y, c, z), *features)
        assert value == 0
        assert not any(slope.any() for slope in slopes)


def test_source_rows_without_a_class_count_for_the_bandwidth_alone():
    x, y, labels, logits = clusters(1.0)
    unknown = torch.cat((x, x[:1] * 0)), y, torch.cat((labels, labels[:1] - 1)), logits
    assert ClassAlignment()(*unknown).item() == pytest.approx(reference(*unknown).item(), rel=1e-10)


def test_gradient_holds_the_bandwidth_fixed_and_reaches_features_alone():
    x, y, labels, logits = normal(6, 3, 1), normal(5, 3, 2) + 1, torch.tensor([0, 1, 2, 0, 1, 1]), normal(5, 3, 3)
    fits_into_a_step(ClassAlignment(), x, y, labels, logits, moving=2)
    free = logits.clone().requires_grad_()
    slopes = [gradient(lambda x, y, f=f: f(x, y, labels, free), x, y)[1] for f in (ClassAlignment(), reference)]
    torch.testing.assert_close(*slopes)
    assert not ClassAlignment()(x, y, labels, free).requires_grad


def test_memory_is_that_of_the_kernel_matrix():
    rows, d = 30, 200
    labels, logits = torch.arange(rows) % CLASSES, normal(rows, CLASSES, 5)
    largest, _ = largest_tensor(
        lambda x, y: ClassAlignment()(x, y, labels, logits), normal(rows, d, 6), normal(rows, d, 7)
    )
    assert largest <= max((2 * rows) ** 2, 2 * rows * d)


def test_the_method_reads_source_labels_and_target_outputs():
    x, y, labels, logits = clusters(1.0)
    views = [View("a", "source", x, None, labels), View("b", "target", y, logits)]
    module = ClassAlignment().build(Shapes(2, 2, ("a",), ("b",)))
    assert module(views, torch.ones(()), None) == ClassAlignment()(x, y, labels, logits)
    with pytest.raises(ContractError, match="has no labels"):
        ClassAlignment().between(View("a", "source", x), views[1])


def test_narrow_types_and_bad_input():
    x, y, labels, logits = normal(8, 4, 8), normal(6, 4, 9) + 1, torch.arange(8) % CLASSES, normal(6, CLASSES, 10)
    loss = ClassAlignment()
    value = loss(x.bfloat16(), y.bfloat16(), labels, logits.bfloat16())
    assert value.dtype == torch.bfloat16
    assert value.item() == pytest.approx(loss(x, y, labels, logits).item(), rel=2e-2)
    assert loss(x.float(), y.float(), labels, logits.float()).item() == pytest.approx(
        loss(x, y, labels, logits).item(), rel=1e-4
    )
    assert loss(x * math.nan, y, labels, logits).isnan()
    for bad, match in (
        ((x[:0], y, labels[:0], logits), "source"),
        ((x[:, :3], y, labels, logits), "width"),
        ((x.long(), y, labels, logits), "source"),
        ((x, y, labels[1:], logits), "labels"),
        ((x, y, labels, logits[1:]), "logits"),
        ((x, y, labels.double(), logits), "class numbers"),
        ((x, y, labels, logits.long()), "logits"),
    ):
        with pytest.raises(ContractError, match=match):
            loss(*bad)


@pytest.mark.parametrize(
    "loss",
    [ClassAlignment(inter=0), ClassAlignment(confidence=0.5), ClassAlignment(inter=0.3, confidence=0.9)],
    ids=str,
)
def test_other_settings_keep_their_laws(loss):
    check_alignment(loss, max_examples=10)
