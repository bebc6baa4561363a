"""Which streams a loss needs, said by its settings and kept by its module."""

import pytest

from dareps.alignment import Alignment, ConsistencyTraining, TargetTerm, VirtualAdversarial
from dareps.plugin import plugins
from dareps.types import ORDINARY
from tests.alignment._built import ONE, STEP, TWO_DOMAINS, filled, views_of
from tests.alignment._samples import normal

LOSSES = [part() for _, part in sorted(plugins(Alignment).items())]
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
TARGET_ALONE = {
    "bnm",
    "centroid_pseudo_labels",
    "consistency_training",
    "entropy_minimisation",
    "information_maximisation",
    "mcc",
    "self_training",
    "virtual_adversarial",
}


@every_loss
def test_settings_and_module_say_the_same(loss):
    assert loss.build(TWO_DOMAINS).roles == loss.needs()


def test_which_losses_act_on_the_target_alone():
    found = {loss.name for loss in LOSSES if loss.needs() == ("target",)}
    assert found == TARGET_ALONE
    assert all(isinstance(loss, TargetTerm) for loss in LOSSES if loss.needs() == ("target",))
    assert VirtualAdversarial(rows="source").needs() == ("source",)
    for setting in ("relative", "prior", "supervised"):
        assert ConsistencyTraining(**{setting: True}).needs() == ("source", "target")


@pytest.mark.parametrize("loss", [loss for loss in LOSSES if loss.name in TARGET_ALONE and not loss.forwards], ids=str)
def test_a_loss_of_the_target_is_the_same_without_the_source(loss):
    module = filled(loss.build(TWO_DOMAINS))
    views = views_of((normal(4, 3, 1), normal(4, 4, 2)), (normal(5, 3, 3), normal(5, 4, 4)))
    assert module.steps() in ((), (ORDINARY,))
    assert module(views, ONE, STEP).item() == module(views[1:], ONE, STEP).item()
