"""Losses of every kind: closed forms, missing labels, stacked seeds."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dareps.tasks import KINDS, Scale, kind_of
from dareps.types import Task, lead_task
from tests.alignment._samples import PROPERTY, gradient

SIZE = 3
KIND = list(KINDS)
VALUES = st.floats(-20, 20, allow_subnormal=False)


@st.composite
def problems(draw, kind, missing=True, least=1):
    """Outputs (n, 3) and labels of one kind, some of them missing where that is asked for."""
    n = draw(st.integers(least, 6))
    outputs = draw(arrays(np.float64, (n, SIZE), elements=VALUES))
    if kind == "classification":
        return outputs, draw(arrays(np.int64, n, elements=st.integers(-1 if missing else 0, SIZE - 1)))
    there = VALUES if kind == "regression" else st.sampled_from([0.0, 1.0])
    elements = there | st.just(math.nan) if missing else there
    return outputs, draw(arrays(np.float64, (n, SIZE), elements=elements))


def tensors(outputs, labels):
    return torch.tensor(outputs, requires_grad=True), torch.tensor(labels)


def by_hand(kind, outputs, labels):
    """The mean loss over the labels that are there, a term at a time."""
    terms = []
    for row, own in zip(outputs, labels, strict=True):
        if kind == "classification":
            terms += [math.log(sum(math.exp(z - row[own]) for z in row))] if own >= 0 else []
        for z, y in zip(row, np.atleast_1d(own), strict=False) if kind != "classification" else ():
            if not math.isnan(y):
                terms.append(
                    (z - y) ** 2 if kind == "regression" else math.log1p(math.exp(-abs(z))) + max(z, 0) - z * y
                )
    return sum(terms) / len(terms) if terms else 0.0


@pytest.mark.parametrize("kind", KIND)
@given(data=st.data())
@PROPERTY
def test_the_loss_is_the_mean_over_the_labels_that_are_there(kind, data):
    outputs, labels = data.draw(problems(kind))
    value = KINDS[kind].loss(*tensors(outputs, labels), complete=False)
    assert value.shape == ()
    assert value.item() == pytest.approx(by_hand(kind, outputs, labels), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("kind", KIND)
@given(data=st.data())
@PROPERTY
def test_not_looking_for_missing_labels_changes_nothing_where_none_is(kind, data):
    outputs, labels = data.draw(problems(kind, missing=False))
    found = [
        gradient(lambda z, complete=complete: KINDS[kind].loss(z, torch.tensor(labels), complete=complete), own)
        for complete in (True, False)
        for own in [torch.tensor(outputs)]
    ]
    torch.testing.assert_close(found[0], found[1], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("kind", KIND)
@given(data=st.data())
@PROPERTY
def test_a_missing_label_moves_nothing(kind, data):
    outputs, labels = data.draw(problems(kind))
    z, y = tensors(outputs, labels)
    KINDS[kind].loss(z, y, complete=False).backward()
    known = KINDS[kind].known(labels)
    missing = ~known if known.ndim == 2 else np.repeat(~known[:, None], SIZE, axis=1)
    assert (z.grad.numpy()[missing] == 0).all()
    assert torch.isfinite(z.grad).all()


@pytest.mark.parametrize("kind", KIND)
def test_without_any_label_loss_and_gradient_are_zero(kind):
    task = Task("t", kind, SIZE)
    z = torch.ones(4, SIZE, dtype=torch.float64, requires_grad=True)
    labels = torch.from_numpy(KINDS[kind].empty(task, 4))
    loss = KINDS[kind].loss(z, labels, complete=False)
    loss.backward()
    assert loss.item() == 0
    assert (z.grad == 0).all()
    assert not KINDS[kind].known(labels.numpy()).any()


@pytest.mark.parametrize("kind", KIND)
@pytest.mark.parametrize("complete", [True, False])
def test_outputs_that_are_no_numbers_are_not_hidden(kind, complete):
    labels = torch.ones(2, SIZE) if kind != "classification" else torch.ones(2, dtype=torch.int64)
    assert KINDS[kind].loss(torch.full((2, SIZE), math.nan), labels, complete=complete).isnan()


@pytest.mark.parametrize("kind", KIND)
@given(data=st.data())
@PROPERTY
def test_stacked_seeds_give_what_each_gives_alone(kind, data):
    outputs, labels = data.draw(problems(kind, least=2))
    z = torch.tensor(np.stack([outputs, outputs[::-1].copy() * 0.5]))
    y = torch.tensor(np.stack([labels, np.roll(labels, 1, axis=0)]))

    def own(z, y):
        return KINDS[kind].loss(z, y, complete=False)

    values, slopes = torch.vmap(own)(z, y), torch.vmap(torch.func.grad(own))(z, y)
    for copy in range(2):
        value, (slope,) = gradient(lambda rows, copy=copy: own(rows, y[copy]), z[copy])
        torch.testing.assert_close((values[copy], slopes[copy]), (value, slope), rtol=1e-12, atol=1e-14)


@given(data=st.data())
@PROPERTY
def test_cross_entropy_without_missing_labels_is_torchs_own_to_the_last_bit(data):
    outputs, labels = data.draw(problems("classification", missing=False))
    z, y = torch.tensor(outputs, dtype=torch.float32), torch.tensor(labels)
    assert torch.equal(KINDS["classification"].loss(z, y, complete=True), torch.nn.functional.cross_entropy(z, y))


@given(arrays(np.float64, (7, 2), elements=st.floats(-1e9, 1e9) | st.just(math.nan)))
@PROPERTY
def test_a_scale_is_undone_and_standardises(labels):
    scale = Scale.fit([labels[:3], labels[3:]], 2)
    standard = scale.standardise(labels)
    np.testing.assert_allclose(scale.restore(standard), labels, rtol=1e-9, atol=1e-9 * (1 + np.abs(scale.mean).max()))
    for column, own in zip(labels.T, standard.T, strict=True):
        known = column[~np.isnan(column)]
        if len(known) and known.std() > 1e-6 * (1 + np.abs(known).max()):
            assert abs(np.nanmean(own)) < 1e-6
            assert np.nanstd(own) == pytest.approx(1, abs=1e-6)
        assert np.array_equal(np.isnan(own), np.isnan(column))


@pytest.mark.parametrize(
    ("labels", "mean", "spread"),
    [
        ([[3.0], [3.0], [3.0]], 3.0, 1.0),
        ([[0.1], [0.1], [0.1]], 0.1, 1.0),
        ([[math.nan], [math.nan]], 0.0, 1.0),
        ([[5.0], [math.nan]], 5.0, 1.0),
        ([[0.0], [4.0]], 2.0, 2.0),
    ],
)
def test_constants_and_nothing_have_spread_one(labels, mean, spread):
    scale = Scale.fit([np.array(labels)], 1)
    assert (scale.mean[0], scale.spread[0]) == (pytest.approx(mean), pytest.approx(spread))


def test_the_lead_is_the_first_task_of_classes_else_the_first():
    age, kind, colour = Task("age", "regression", 1), Task("kind", "classification", 3), Task("c", "classification", 2)
    assert lead_task((age, kind, colour)) is kind
    assert lead_task((age,)) is age
    assert {kind_of(own) for own in (kind, colour)} == {KINDS["classification"]}
