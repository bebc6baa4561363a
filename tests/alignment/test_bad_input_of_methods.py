"""Losses that run the method, against bad inputs: a refusal that names them, or a value that means something."""

from dataclasses import replace

import pytest
import torch

from dareps.alignment import Alignment, VirtualAdversarial
from dareps.errors import ContractError
from dareps.plugin import plugins
from dareps.types import ORDINARY
from tests.alignment._built import ONE
from tests.alignment._networks import INPUTS, attached, stepping, student, views_through
from tests.alignment._samples import normal

LOSSES = [part() for _, part in sorted(plugins(Alignment).items()) if part.forwards]
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)


def values(loss, views, networks):
    """The value of every sub-step."""
    module = attached(loss, networks)
    step = stepping(networks)
    return torch.stack([module(views, ONE, replace(step, sub=sub)) for sub in module.steps() or (ORDINARY,)])


def views_of(x, y, networks):
    return views_through(networks, x, y, torch.arange(len(x)) % 4)


@every_loss
def test_what_is_no_number_never_gives_one(loss):
    networks = student()
    x, y = normal(4, INPUTS, 1), normal(3, INPUTS, 2)
    y[1, 2] = torch.nan
    with torch.no_grad():
        found = values(loss, views_of(x, y, networks), networks)
    assert found.isnan().any()


@every_loss
@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 9), (9, 1)])
def test_one_row_a_side_and_one_against_many(loss, n, m):
    networks = student()
    assert values(loss, views_of(normal(n, INPUTS, 1), normal(m, INPUTS, 2), networks), networks).isfinite().all()


@every_loss
@pytest.mark.parametrize("size", [0.0, 1e-30, 1e30])
def test_tiny_large_and_constant_rows(loss, size):
    networks = student()
    rows = torch.full((3, INPUTS), size, dtype=torch.float64)
    assert values(loss, views_of(rows, rows, networks), networks).isfinite().all()


CHANGES = {
    "an empty target": lambda view: replace(view, shared=view.shared[:0], logits=view.logits[:0], x=view.x[:0]),
    "another width": lambda view: replace(view, shared=view.shared[:, :2]),
    "integers": lambda view: replace(view, shared=view.shared.long()),
    "another device": lambda view: replace(view, shared=view.shared.to("meta")),
    "an array": lambda view: replace(view, shared=view.shared.detach().numpy()),
}


@every_loss
@pytest.mark.parametrize("what", CHANGES)
def test_streams_that_do_not_fit_are_refused_by_name(loss, what):
    networks = student()
    source, target = views_of(normal(4, INPUTS, 1), normal(3, INPUTS, 2), networks)
    with pytest.raises(ContractError, match=f"alignment {loss.name}: ") as caught:
        values(loss, [source, CHANGES[what](target)], networks)
    assert caught.value.fix


@every_loss
def test_inputs_and_a_model_have_to_be_there(loss):
    networks = student()
    views = views_of(normal(4, INPUTS, 1), normal(3, INPUTS, 2), networks)
    without = [replace(view, x=None, plain=None) for view in views]
    with pytest.raises(ContractError, match=r"has no inputs|forwards = True"):
        values(loss, without, networks)
    module = attached(loss, networks)
    sub = (module.steps() or (ORDINARY,))[0]
    with pytest.raises(ContractError, match=f"alignment {loss.name}: "):
        module(views, ONE, replace(stepping(networks), model=None, sub=sub))


@pytest.mark.parametrize("missing", ["source", "target"])
@pytest.mark.parametrize("loss", [*LOSSES, VirtualAdversarial(rows="source")], ids=str)
def test_a_missing_stream_is_refused_by_name_or_not_needed(loss, missing):
    networks = student()
    views = views_of(normal(4, INPUTS, 1), normal(3, INPUTS, 2), networks)
    module = attached(loss, networks)
    for sub in module.steps() or (ORDINARY,):
        step = replace(stepping(networks), sub=sub)
        left = [view for view in views if view.role != missing]
        if missing in module.roles:
            with pytest.raises(ContractError, match=f"alignment {loss.name}: there is no {missing} stream"):
                module(left, ONE, step)
        else:
            assert module(left, ONE, step).isfinite()
