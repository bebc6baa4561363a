"""Class labels that are spread over the classes in part."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dareps.recipe.gram import Heads
from dareps.recipe.task_losses import task_losses
from dareps.types import Labelled, Representation, Task
from tests.alignment._samples import PROPERTY

TASK = Task("kind", "classification", 3)
NUMBER = Task("number", "regression", 1)
VALUES = st.floats(-20, 20, allow_subnormal=False)


def stream(labels, complete=(), domain="a"):
    labels = torch.tensor(labels)
    return Labelled(domain, "source", torch.zeros(len(labels), 1), {TASK.name: labels}, frozenset(complete))


def loss_of(streams, logits, smoothing):
    return task_losses([TASK], streams, [{TASK.name: torch.as_tensor(own)} for own in logits], smoothing)[TASK.name]


@given(
    logits=arrays(np.float64, (5, 3), elements=VALUES),
    labels=arrays(np.int64, 5, elements=st.integers(0, 2)),
    smoothing=st.floats(0, 0.99),
)
@PROPERTY
def test_it_is_the_cross_entropy_against_the_mixture(logits, labels, smoothing):
    mixed = (1 - smoothing) * np.eye(3)[labels] + smoothing / 3
    log_p = torch.tensor(logits).log_softmax(1).numpy()
    found = loss_of([stream(labels, [TASK.name])], [logits], smoothing)
    assert found.item() == pytest.approx(-(mixed * log_p).sum(1).mean(), rel=1e-10, abs=1e-10)


def test_sure_outputs_cost_what_is_spread():
    """With logits t for the class and 0 else, the loss grows by smoothing times t (c - 1) / c."""
    logits = 40.0 * torch.eye(3, dtype=torch.float64)
    assert loss_of([stream([0, 1, 2])], [logits], 0.1).item() == pytest.approx(0.1 * 40 * 2 / 3, rel=1e-12)
    assert loss_of([stream([0, 1, 2])], [torch.zeros(3, 3)], 0.1).item() == pytest.approx(math.log(3), rel=1e-6)


def test_nothing_spread_is_the_same_to_the_last_bit():
    logits = torch.linspace(-3, 4, 12).view(4, 3)
    whole = stream([0, 2, 1, 1], [TASK.name])
    assert torch.equal(loss_of([whole], [logits], 0.0), torch.nn.functional.cross_entropy(logits, whole.y[TASK.name]))


def test_missing_labels_and_several_streams_count_as_in_the_cross_entropy():
    logits = [torch.linspace(-2, 5, 9).view(3, 3).double(), torch.linspace(3, -4, 9).view(3, 3).double()]
    streams = [stream([0, -1, 2]), stream([1, -1, -1], domain="b")]
    rows = torch.stack([logits[0][0], logits[0][2], logits[1][0]])
    expected = torch.nn.functional.cross_entropy(rows, torch.tensor([0, 2, 1]), label_smoothing=0.2)
    torch.testing.assert_close(loss_of(streams, logits, 0.2), expected)
    assert loss_of([stream([-1, -1, -1])], logits[:1], 0.2).item() == 0


def test_numbers_are_not_spread():
    y = {NUMBER.name: torch.tensor([[1.0], [2.0]])}
    rows = Labelled("a", "source", torch.zeros(2, 1), y, frozenset([NUMBER.name]))
    outputs = [{NUMBER.name: torch.zeros(2, 1)}]
    assert torch.equal(*(task_losses([NUMBER], [rows], outputs, own)[NUMBER.name] for own in (0.0, 0.5)))


def test_what_balancers_read_is_smoothed_as_well():
    rows = stream([0, 2], [TASK.name])
    heads = torch.nn.ModuleDict({TASK.name: torch.nn.Linear(2, 3).double()})
    x = torch.tensor([[1.0, -1.0], [0.5, 2.0]]).double().requires_grad_()
    logits = heads[TASK.name](x)
    own = Heads([TASK], heads, [rows], [{TASK.name: Representation(x, x)}], [{TASK.name: logits}], 0.3)
    (expected,) = torch.autograd.grad(loss_of([rows], [logits], 0.3), x)
    torch.testing.assert_close(own.slopes()[0][0], expected)
