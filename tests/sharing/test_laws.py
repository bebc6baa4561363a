"""The law kit on every shipped scheme, and on faulty ones that it must name."""

import pytest
import torch

from dareps.errors import ContractError, LawViolation
from dareps.plugin import plugins
from dareps.sharing import SharingScheme, Term
from dareps.sharing._base import BranchedScheme
from dareps.sharing.cross_stitch import CrossStitch
from dareps.sharing.hard import Hard
from dareps.sharing.hierarchical import Hierarchical
from dareps.sharing.joint_many_tasks import JointManyTasks
from dareps.sharing.mmoe import MMoE
from dareps.sharing.ple import PLE
from dareps.sharing.shared_private import SharedPrivate
from dareps.sharing.soft import Soft
from dareps.testing import check_sharing, sharing_laws
from tests.sharing import _faulty

SMALL = {"mmoe": {"experts": 2}}
SHIPPED = {name: part for name, part in plugins(SharingScheme).items() if part.__module__.startswith("dareps.")}
OTHERS = [
    Soft(norm="laf"),
    Soft(norm="tt", scale="mean"),
    Soft(coupling=0.0),
    Soft(coupling="inf"),
    Hierarchical(reads={"a": "layer1"}),
    Hierarchical(along="domains", private="high"),
    SharedPrivate(form="normalised", error="squared"),
    SharedPrivate(private="none", difference=0.0),
    MMoE(experts=1),
    PLE(levels=1),
    JointManyTasks(reads={"b": "layer1"}, delta_heads=0.0),
    JointManyTasks(reads={}, shortcut=False, delta=0.0),
]


@pytest.mark.parametrize(
    ("name", "along"), [(name, along) for name in sorted(set(SHIPPED) - {"hard"}) for along in SHIPPED[name].directions]
)
def test_shipped_schemes_keep_every_law(name, along):
    check_sharing(SHIPPED[name](along=along, **SMALL.get(name, {})), max_examples=2 if along == "tasks" else 1)


@pytest.mark.parametrize("scheme", OTHERS, ids=str)
def test_settings_keep_the_laws_of_gradients_and_limits(scheme):
    chosen = ("what was asked for", "stacked equals loop", "gradient reaches", "isolated", "equals hard")
    check_sharing(scheme, laws=chosen, max_examples=2)


def test_hard_sharing_keeps_every_law():
    check_sharing(Hard, max_examples=2)


@pytest.mark.parametrize(("law", "fault"), _faulty.FAULTS, ids=[law for law, _ in _faulty.FAULTS])
def test_the_kit_names_the_law_that_a_faulty_scheme_breaks(law, fault):
    # Rows change places only between groups of one size and task, which few examples have.
    with pytest.raises(LawViolation) as caught:
        check_sharing(fault, max_examples=40 if law == "rows apart" else 4)
    assert caught.value.law == law
    assert set(caught.value.example) == {"x", "groups"}
    assert sum(rows for rows, _, _ in caught.value.example["groups"]) <= 4, "the example has been shrunk"
    assert caught.value.hint


def test_every_law_has_a_fault_that_breaks_it():
    assert set(sharing_laws()) == {law for law, _ in _faulty.FAULTS}


def test_an_unknown_law_is_refused():
    with pytest.raises(ContractError, match=r"no such law.*isolated"):
        check_sharing(Hard(), laws=["isolatd"])


def test_the_schemes_say_whether_they_are_isolated():
    assert {name: part().isolated for name, part in SHIPPED.items() if not part().isolated} == {
        "cross_stitch": False,
        "sluice": False,
        "soft": False,
    }
    assert isinstance(CrossStitch(), BranchedScheme)
    assert Soft(coupling=0.5).terms() == (Term("coupling", 0.5, Soft().schedule),)
    assert torch.is_tensor(Soft().schedule(torch.zeros(())))
