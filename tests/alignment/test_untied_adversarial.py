import math
from dataclasses import replace

import pytest
import torch

from dareps.alignment import UntiedAdversarial
from dareps.errors import ContractError
from dareps.types import Shapes, View
from tests.alignment._built import ONE, can_be_captured, filled, step_of
from tests.alignment._networks import attached, model_of, student, views_through
from tests.alignment._samples import normal

X, Y = normal(4, 5, 1), normal(7, 5, 2)


def stepping(networks, name=""):
    return replace(step_of(name), model=model_of(networks))


def built(networks, hidden=(4,)):
    module = attached(UntiedAdversarial(hidden=hidden), networks)
    filled(module.discriminator)
    return module


def test_both_losses_are_log_two_at_chance():
    networks = student()
    module = attached(UntiedAdversarial(), networks)
    views = views_through(networks, X, Y)
    for name in ("opponent", ""):
        assert module(views, ONE, stepping(networks, name)).item() == pytest.approx(math.log(2), rel=1e-12)


def test_both_losses_equal_the_definition():
    networks = student()
    module = built(networks)
    views = views_through(networks, X, Y)
    with torch.no_grad():
        log_p = [module.discriminator(view.shared).log_softmax(1) for view in views]
    learns = module(views, ONE, stepping(networks, "opponent")).item()
    teaches = module(views, ONE, stepping(networks)).item()
    assert learns == pytest.approx(-(log_p[0][:, 0].mean() + log_p[1][:, 1].mean()).item() / 2, rel=1e-9)
    assert teaches == pytest.approx(-log_p[1][:, 0].mean().item(), rel=1e-9)


def test_several_sources_are_one_aim():
    networks = student()
    module = attached(UntiedAdversarial(), networks, Shapes(3, 4, ("d0", "d2"), ("d1",)))
    views = views_through(networks, X, Y)
    assert module(views, ONE, stepping(networks)).item() == pytest.approx(-math.log(2 / 3), rel=1e-12)


def test_the_reference_is_what_the_encoder_was():
    networks = student(norm=True)
    module = built(networks)
    source, target = views_through(networks, X, Y)
    first = module([source, target], ONE, stepping(networks, "opponent")).item()
    with torch.no_grad():
        for weight in networks.encoder.parameters():
            weight.add_(1)
    module.after_step(ONE, networks)
    assert module([source, target], ONE, stepping(networks, "opponent")).item() == first
    with torch.no_grad():
        module.begin(networks)
    assert module([source, target], ONE, stepping(networks, "opponent")).item() != first


def test_dropout_and_batch_statistics_do_not_tell_equal_domains_apart():
    """Chance is log 2; beside a reference in evaluation mode the same steps get below .45."""
    networks = student(dropout=0.5, norm=True)
    module = built(networks, hidden=(16,))
    optimizer = torch.optim.Adam(module.parameters(), 0.02)
    losses = []
    for number in range(100):
        x, y = normal(64, 5, 1000 + number), normal(64, 5, 2000 + number)
        step = replace(step_of("opponent", number), model=model_of(networks, number))
        loss = module(views_through(networks, x, y, number=number), ONE, step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-20:]) / 20 == pytest.approx(math.log(2), abs=0.03)


def test_the_reference_follows_the_mode_of_its_module():
    module = built(student(dropout=0.5))
    for mode in (False, True):
        assert {part.training for part in module.train(mode).reference.modules()} == {mode}


def test_each_side_moves_by_its_own_loss_alone():
    networks = student()
    module = built(networks)
    views = views_through(networks, X, Y)
    module(views, ONE, stepping(networks, "opponent")).backward()
    assert all(weight.grad.any() for weight in module.parameters())
    assert all(weight.grad is None for weight in networks.parameters())
    module.zero_grad()
    module(views, ONE, stepping(networks)).backward()
    assert all(weight.grad is None or not weight.grad.any() for weight in module.parameters())
    assert all(weight.grad.any() for weight in networks.encoder.parameters())


def test_strength_acts_on_the_gradient_of_target_features():
    networks = student()
    module = built(networks)
    rows = normal(5, 3, 4).requires_grad_()
    source = views_through(networks, X, Y)[0]
    slopes = []
    for strength in (ONE, 3 * ONE):
        value = module([source, View("d1", "target", rows)], strength, stepping(networks))
        slopes.append(torch.autograd.grad(value, rows)[0])
    torch.testing.assert_close(slopes[1], 3 * slopes[0])
    # Downhill of the value, features pass for the source's more often.
    with torch.no_grad():
        after = module([source, View("d1", "target", rows - 0.01 * slopes[0])], ONE, stepping(networks))
        assert after < module([source, View("d1", "target", rows)], ONE, stepping(networks))


def test_it_fits_into_a_step_and_names_what_is_missing():
    networks = student(dropout=0.3, norm=True)
    module = built(networks)
    views = views_through(networks, X, Y)
    assert can_be_captured(module, views, stepping(networks, "opponent"), stepping(networks))
    with pytest.raises(ContractError, match="no model"):
        module(views, ONE, step_of("opponent"))
    with pytest.raises(ContractError, match="at least 1"):
        module([views[0], View("d1", "target", views[1].shared[:0])], ONE, stepping(networks))
