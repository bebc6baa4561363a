"""The laws accuse no sound loss of what the kit does to it, and see the settings of losses that run the method."""

import contextlib

import pytest
import torch

from dareps import plugin
from dareps.alignment import (
    Adversarial,
    Alignment,
    CentroidPseudoLabels,
    ConsistencyTraining,
    SelfTraining,
    TargetTerm,
    VirtualAdversarial,
)
from dareps.alignment._settings import CLAIMS
from dareps.alignment._virtual import unit
from dareps.testing import Interval, LawViolation, check_alignment
from dareps.testing._null import setting_probes
from dareps.testing._settings import changes_something, setting_names
from dareps.testing._subject import DOMAIN, subject_of


@pytest.fixture(autouse=True)
def _forget_losses_defined_here(monkeypatch):
    monkeypatch.setitem(plugin._registry, "alignment", dict(plugin._registry["alignment"]))


def test_a_built_loss_is_built_before_copies_of_it_are_stacked():
    check_alignment(Adversarial(), laws=["stacked equals loop"], max_examples=2)


def test_dropout_of_the_project_breaks_no_law():
    from dareps.alignment._modules import AlignmentModule
    from dareps.maths.noise import Dropout

    class Drops(AlignmentModule):
        def __init__(self, settings, shapes):
            super().__init__(settings)
            self.layers = torch.nn.Sequential(torch.nn.Linear(shapes.features, 4), Dropout(0.5))

        def forward(self, views, strength, step):
            turned = (view.shared.detach() - strength * (view.shared - view.shared.detach()) for view in views)
            source, target = (self.layers(rows).sum(1) for rows in turned)
            soft = torch.nn.functional.softplus
            return soft(-source).mean() + soft(target).mean()

    class Dropping(Alignment):
        """A discriminator with dropout."""

        reverses = True
        nonnegative = True

        def build(self, shapes):
            return Drops(self, shapes)

    check_alignment(Dropping(), max_examples=4)


def _beyond_one(x, y):
    return (torch.acosh(x).mean(0) - torch.acosh(y).mean(0)).square().sum()


def test_no_law_leaves_a_domain_without_zero():
    check_alignment(_beyond_one, domain=Interval(2.0, 10.0), laws=["large inputs"], max_examples=20)
    for claim in ("scale", "rotation"):
        seen = []

        def watched(x, y, seen=seen):
            seen.append((float(x.min()), float(x.max())))
            return _beyond_one(x, y)

        with contextlib.suppress(LawViolation):
            check_alignment(watched, domain=Interval(2.0, 10.0), laws=[claim], max_examples=20, **{claim: 1})
        assert min(low for low, _ in seen) >= 2
        assert max(high for _, high in seen) <= 10
    exchanged = {"domain": Interval(0.0, 4.0), "rotation": True, "laws": ["rotation"], "max_examples": 30}
    check_alignment(lambda x, y: (x.mean(0) - y.mean(0)).abs().sum(), **exchanged)
    with pytest.raises(LawViolation, match="rotation"):
        check_alignment(lambda x, y: (x[:, 0].mean() - y[:, 0].mean()).square(), **exchanged)


def test_a_domain_that_is_passed_counts_even_where_it_equals_the_default():
    def eighth_power(x, y):
        return ((x**4).mean(0) - (y**4).mean(0)).square().sum()

    check_alignment(eighth_power, domain=Interval(-100.0, 100.0), laws=["large inputs"], max_examples=10)
    with pytest.raises(LawViolation, match="large inputs"):
        check_alignment(eighth_power, laws=["large inputs"], max_examples=10)

    class Root(TargetTerm):
        """Finite above 0 only."""

        domain = Interval(1.0, 2.0)

        def __call__(self, target):
            return (target.sqrt() - 1).square().mean()

    with pytest.raises(LawViolation, match="finite"):
        check_alignment(Root(), domain=Interval(-100.0, 100.0), laws=["finite"], max_examples=20)


def deaf_to(base, setting, value):
    """The shipped loss with one of its settings overridden by a constant."""

    def build(self, shapes):
        return base(
            **{key: getattr(self, key) for key in type(self).model_fields if key != setting} | {setting: value}
        ).build(shapes)

    return type(f"Deaf{setting.title()}", (base,), {"build": build, "__doc__": base.__doc__})()


def counts(loss, setting):
    subject = subject_of(loss, dict.fromkeys((*CLAIMS, "settings")), DOMAIN, None)
    assert setting in setting_names(subject)
    return changes_something(subject, setting, setting_probes(subject.space))


@pytest.mark.parametrize(
    ("base", "setting", "value"),
    [
        (SelfTraining, "threshold", 0.968),
        (SelfTraining, "decay", 0.99),
        (SelfTraining, "labels", "hard"),
        (SelfTraining, "temperature", 1.0),
        (SelfTraining, "quota", None),
        (SelfTraining, "prior", False),
        (CentroidPseudoLabels, "every", 100),
        (CentroidPseudoLabels, "rounds", 1),
        (VirtualAdversarial, "rows", "target"),
        (VirtualAdversarial, "radius", 0.1),
        (VirtualAdversarial, "relative", True),
        (VirtualAdversarial, "iterations", 1),
        (ConsistencyTraining, "threshold", 0.95),
        (ConsistencyTraining, "relative", False),
        (ConsistencyTraining, "prior", False),
        (ConsistencyTraining, "supervised", False),
        (ConsistencyTraining, "rounds", 2),
        (ConsistencyTraining, "mask", 0.2),
    ],
)
def test_an_ignored_setting_of_what_runs_the_method_is_found(base, setting, value):
    assert counts(base(), setting)
    assert not counts(deaf_to(base, setting, value), setting)


def test_a_direction_that_is_no_iteration_is_found(monkeypatch):
    def start_alone(outputs, x, start, iterations):
        return outputs(x).detach(), unit(start)

    monkeypatch.setattr("dareps.alignment._virtual.leading", start_alone)
    with pytest.raises(LawViolation, match="no other value of iterations "):
        check_alignment(VirtualAdversarial(), laws=["settings count"], max_examples=10)
