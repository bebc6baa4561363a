import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dareps.alignment import MMD, JointMMD
from dareps.errors import ContractError
from dareps.maths import pairs as pairs_module
from dareps.testing import check_alignment
from dareps.testing._gates import forbid_host_copies, forbid_host_sync
from dareps.types import Shapes, View
from tests.alignment._built import ONE, STEP
from tests.alignment._samples import PROPERTY, gradient, normal, pairs


def mean_gap(rows):
    gaps = [((a - b) ** 2).sum() for i, a in enumerate(rows) for b in rows[i + 1 :]]
    return np.mean(gaps)


def biased(k, n, m):
    """The biased discrepancy of the pooled rows' kernel k(i, j), with loops."""
    s, t = range(n), range(n, n + m)
    mean = lambda rows, columns: np.mean([k(i, j) for i in rows for j in columns])  # noqa: E731
    return mean(s, s) + mean(t, t) - 2 * mean(s, t)


def unbiased(k, n, m):
    """The same without the pairs of a row with itself."""
    s, t = range(n), range(n, n + m)
    within = lambda rows: np.mean([k(i, j) for i in rows for j in rows if i != j])  # noqa: E731
    return within(s) + within(t) - 2 * np.mean([k(i, j) for i in s for j in t])


def reference(x, y, u, v, octaves=2, bandwidth=None, c=1.68, estimate=biased):
    f = torch.cat((x, y)).numpy()
    p = torch.cat((u, v)).softmax(1).numpy()
    b = mean_gap(f) if bandwidth is None else bandwidth
    c = mean_gap(p) if c is None else c

    def k(i, j):
        near = ((f[i] - f[j]) ** 2).sum()
        features = sum(math.exp(-near / (2.0**i * b)) if b else 1.0 for i in range(-octaves, octaves + 1))
        return features * (math.exp(-((p[i] - p[j]) ** 2).sum() / c) if c else 1.0)

    return estimate(k, len(x), len(y))


@st.composite
def problems(draw, least=1):
    x, y = draw(pairs(low=-3, high=3, least=least))
    classes = draw(st.integers(1, 4))
    u, v = (torch.tensor(draw(_logits(len(side), classes)), dtype=torch.float64) for side in (x, y))
    return x, y, u, v


def _logits(n, classes):
    return st.lists(st.lists(st.floats(-8, 8), min_size=classes, max_size=classes), min_size=n, max_size=n)


@given(problem=problems(least=2))
@PROPERTY
def test_the_unbiased_form_equals_the_definition(problem):
    found = JointMMD(estimator="unbiased")(*problem).item()
    assert found == pytest.approx(reference(*problem, estimate=unbiased), rel=1e-8, abs=1e-10)


def test_the_unbiased_form_alone_claims_to_be_unbiased():
    assert JointMMD(estimator="unbiased").claims()["unbiased"]
    assert not JointMMD().claims()["unbiased"]
    check_alignment(JointMMD(estimator="unbiased"), laws=["unbiased"], max_examples=3)


def test_the_unbiased_form_needs_two_rows_a_side():
    rows, logits = normal(1, 3, 1), normal(1, 2, 2)
    with pytest.raises(ContractError, match="at least 2"):
        JointMMD(estimator="unbiased")(rows, rows, logits, logits)


@given(problem=problems(), octaves=st.integers(0, 3))
@PROPERTY
def test_equals_the_definition(problem, octaves):
    found = JointMMD(octaves=octaves)(*problem).item()
    assert found == pytest.approx(reference(*problem, octaves), rel=1e-8, abs=1e-10)
    fixed = JointMMD(octaves=octaves, bandwidth=2.0, prediction_bandwidth="mean")(*problem).item()
    assert fixed == pytest.approx(reference(*problem, octaves, bandwidth=2.0, c=None), rel=1e-8, abs=1e-10)


@given(problem=problems(), b=st.floats(0.5, 20))
@PROPERTY
def test_one_gaussian_each_of_a_common_bandwidth_is_the_mmd_of_layers_side_by_side(problem, b):
    x, y, u, v = problem
    rows = torch.cat((torch.cat((x, u.softmax(1)), 1), torch.cat((y, v.softmax(1)), 1)))
    kernel = (-(torch.cdist(rows, rows) ** 2) / b).exp()
    expected = biased(lambda i, j: kernel[i, j].item(), len(x), len(y))
    found = JointMMD(octaves=0, bandwidth=b, prediction_bandwidth=b)(x, y, u, v).item()
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-11)


@given(problem=problems(), level=st.floats(-5, 5))
@PROPERTY
def test_equal_predictions_leave_the_mmd_of_features(problem, level):
    x, y, u, v = problem
    found = JointMMD()(x, y, torch.full_like(u, level), torch.full_like(v, level))
    torch.testing.assert_close(found, MMD()(x, y), rtol=1e-9, atol=1e-12)


@given(problem=problems(), data=st.data())
@PROPERTY
def test_names_of_classes_and_a_constant_per_row_do_not_matter(problem, data):
    x, y, u, v = problem
    order = data.draw(st.permutations(range(u.shape[1])))
    moved = [side[:, order] + torch.arange(len(side), dtype=side.dtype)[:, None] for side in (u, v)]
    torch.testing.assert_close(JointMMD()(x, y, *moved), JointMMD()(x, y, u, v), rtol=1e-8, atol=1e-11)


INPUTS = normal(5, 3, 1), normal(4, 3, 2) + 0.5, normal(5, 2, 3), normal(4, 2, 4)


def test_gradient_is_that_of_the_value_and_reaches_every_input():
    leaves = [x.clone().requires_grad_() for x in INPUTS]
    loss = JointMMD(bandwidth=4.0)
    assert torch.autograd.gradcheck(loss, leaves)
    assert all(part.any() for part in gradient(loss, *INPUTS)[1])


def test_bandwidth_carries_no_gradient():
    b = (torch.pdist(torch.cat(INPUTS[:2])) ** 2).mean().item()
    for first, second in zip(
        gradient(JointMMD(), *INPUTS)[1], gradient(JointMMD(bandwidth=b), *INPUTS)[1], strict=True
    ):
        torch.testing.assert_close(first, second, rtol=1e-10, atol=1e-13)


def test_collapsed_features_and_predictions_are_safe():
    x, y, u, v = INPUTS
    one = JointMMD(octaves=0, prediction_bandwidth="mean")
    found, gradients = gradient(one, x * 0, y * 0, u * 0, v * 0)
    assert found.item() == 0
    assert not any(part.any() for part in gradients)
    assert JointMMD()(x * 0, y * 0, u, v).item() == pytest.approx(reference(x * 0, y * 0, u, v), rel=1e-10)
    huge, slopes = gradient(JointMMD(), x * 1e6, y * 1e6, u * 1e6, v * 1e6)
    assert huge.isfinite()
    assert all(part.isfinite().all() for part in slopes)


def test_tiles_and_stacks_and_capture(monkeypatch):
    value, slopes = gradient(JointMMD(), *INPUTS)
    monkeypatch.setattr(pairs_module, "UNTILED", 4)
    monkeypatch.setattr(pairs_module, "_ON_CPU", 20)
    tiled, tiled_slopes = gradient(JointMMD(), *INPUTS)
    torch.testing.assert_close((tiled, tiled_slopes), (value, slopes), rtol=1e-10, atol=1e-12)
    stacked = torch.vmap(JointMMD())(*(torch.stack((x, x * 2)) for x in INPUTS))
    torch.testing.assert_close(stacked, torch.stack((value, JointMMD()(*(x * 2 for x in INPUTS)))))
    leaves = [x.clone().requires_grad_() for x in INPUTS]
    with forbid_host_sync(), forbid_host_copies():
        JointMMD()(*leaves).backward()


def test_narrow_types_and_bad_numbers():
    wide = JointMMD()(*INPUTS).item()
    assert JointMMD()(*(x.float() for x in INPUTS)).item() == pytest.approx(wide, rel=1e-4)
    assert JointMMD()(*(x.bfloat16() for x in INPUTS)).dtype == torch.bfloat16
    for position in range(4):
        bad = [x.clone() for x in INPUTS]
        bad[position][1, 1] = math.nan
        assert JointMMD()(*bad).isnan()


def test_bad_input_is_refused():
    x, y, u, v = INPUTS
    for inputs, what in (
        ((x, y, u[:3], v), "source_logits and features differ in rows"),
        ((x, y, u, v[:, :1]), "differ in width"),
        ((x[:, :2], y, u, v), "differ in width"),
        ((x[:0], y, u[:0], v), "at least 1"),
        ((x.long(), y, u, v), "floating point"),
    ):
        with pytest.raises(ContractError, match=what):
            JointMMD()(*inputs)
    with pytest.raises(ContractError, match="no logits"):
        JointMMD().between(View("a", "source", x), View("b", "target", y, v))


def test_views_are_unpacked_alone_and_pooled():
    x, y, u, v = INPUTS
    views = [View("a", "source", x, u), View("b", "target", y, v)]
    shapes = Shapes(3, 2, ("a",), ("b",))
    for loss in (JointMMD(), JointMMD(pairs="pooled")):
        assert torch.equal(loss.build(shapes)(views, torch.ones(()), None), JointMMD()(*INPUTS))


@pytest.mark.parametrize(
    "loss", [JointMMD(octaves=0, bandwidth=2e4), JointMMD(prediction_bandwidth="mean", octaves=1)], ids=str
)
def test_laws(loss):
    check_alignment(loss, max_examples=10)


def test_numbers_count_as_they_are():
    x, y, p, q = normal(6, 3, 1), normal(5, 3, 2), normal(6, 2, 3), normal(5, 2, 4)
    found = JointMMD()(x, y, p, q, numbers=True)
    sides = [p.softmax(1), q.softmax(1)]
    assert JointMMD()(x, y, *sides, numbers=True).item() == pytest.approx(JointMMD()(x, y, p, q).item())
    assert found.item() != pytest.approx(JointMMD()(x, y, p, q).item())
    views = [View("a", "source", x, p, kind="regression"), View("b", "target", y, q, kind="regression")]
    assert JointMMD().between(*views) == found
    assert JointMMD(pairs="pooled").build(Shapes(3, 2, ("a",), ("b",)))(views, ONE, STEP) == found
    moved = JointMMD()(x, y, p, q + 3, numbers=True)
    assert moved > found
