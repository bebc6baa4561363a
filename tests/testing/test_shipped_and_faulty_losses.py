"""Every fault is named by its law, and every shipped loss passes."""

import pytest
from hypothesis import Phase

from dareps import plugin
from dareps.alignment import (
    CMD,
    CORAL,
    MMD,
    Adversarial,
    ClassAlignment,
    ConditionalAdversarial,
    FeatureNorm,
    HigherOrderMoments,
    JointMMD,
    JointOT,
    LocalMMD,
    MinimumClassConfusion,
    SlicedWasserstein,
)
from dareps.testing import Interval, LawViolation, _check, alignment_laws, check_alignment, parametrize_alignments
from tests.testing._faulty import FAULTS, claims_of, loss_of


@pytest.fixture(autouse=True)
def _forget_losses_defined_here(monkeypatch):
    monkeypatch.setitem(plugin._registry, "alignment", dict(plugin._registry["alignment"]))


OTHER_SETTINGS = pytest.mark.parametrize(
    "loss",
    [
        MMD(estimator="unbiased"),
        MMD(bandwidth="median"),
        MMD(estimator="unbiased", bandwidth="median"),
        MMD(bandwidth=3e4),
        CMD(moments=3),
        CMD(moments=1),
        Adversarial(hidden=()),
        MinimumClassConfusion(temperature=1.0),
        MMD(kernel="laplace", bandwidth=3e4),
        MMD(kernel="linear"),
        MMD(bandwidth="running"),
        CORAL(metric="log_euclidean"),
        JointMMD(bandwidth=3e3),
        LocalMMD(bandwidth=3e3),
        ClassAlignment(inter=0.0),
        FeatureNorm(variant="hard"),
        JointOT(solver="exact"),
        ConditionalAdversarial(map="random", entropy=True),
        SlicedWasserstein(projections=3),
        HigherOrderMoments(order=1),
    ],
    ids=str,
)


@parametrize_alignments()
def test_shipped_losses_keep_their_laws(loss):
    check_alignment(loss, max_examples=10)


@OTHER_SETTINGS
def test_other_settings_keep_the_laws_they_claim(loss):
    check_alignment(loss, max_examples=5)


@pytest.mark.slow
@parametrize_alignments()
def test_shipped_losses_keep_their_laws_in_a_long_run(loss):
    check_alignment(loss, max_examples=300)


@pytest.mark.slow
@OTHER_SETTINGS
def test_other_settings_keep_their_laws_in_a_long_run(loss):
    check_alignment(loss, max_examples=100)


def test_linear_estimator_depends_on_row_order_as_documented():
    with pytest.raises(LawViolation) as caught:
        check_alignment(MMD(estimator="linear"), max_examples=20)
    assert caught.value.law == "row order"


def test_narrower_support_with_larger_values_is_judged_by_the_power_it_grows_with():
    check_alignment(CMD(low=-100, high=100), domain=Interval(-99, 99), max_examples=20)


@pytest.mark.parametrize(("law", "fault"), [(law, fault) for law, faults in FAULTS.items() for fault in faults])
def test_fault_is_named_by_its_law(law, fault, monkeypatch):
    monkeypatch.setattr(_check, "PHASES", (Phase.explicit, Phase.generate))
    with pytest.raises(LawViolation) as caught:
        check_alignment(loss_of(fault), max_examples=10, **claims_of(law, fault))
    assert caught.value.law == law, caught.value.hint


def test_every_law_names_two_faults():
    assert set(FAULTS) == set(alignment_laws())
    assert not [law for law, faults in FAULTS.items() if len(set(faults)) < 2]
    assert len({fault for faults in FAULTS.values() for fault in faults}) >= 70
