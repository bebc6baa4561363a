"""Every scheme with every encoder along tasks and along domains: it works, or says which stage does not fit."""

import pytest

from dareps.encoders import Encoder
from dareps.errors import ConfigError, ContractError
from dareps.plugin import plugins
from dareps.sharing import SharingScheme
from dareps.sharing._base import BranchedScheme
from dareps.sharing.asp_mtl import AspMtl
from dareps.sharing.cgc import CGC
from dareps.sharing.cross_stitch import CrossStitch
from dareps.sharing.hierarchical import Hierarchical
from dareps.sharing.mmoe import MMoE
from dareps.sharing.ple import PLE
from dareps.sharing.shared_private import SharedPrivate
from dareps.sharing.sluice import Sluice
from dareps.sharing.soft import Soft
from tests.sharing._make import DOMAINS, TASKS, blueprint, built, called, rows

SCHEMES = {name: part for name, part in plugins(SharingScheme).items() if part.__module__.startswith("dareps.")}
OTHER_INPUTS = ("two_view", "torchvision", "timm")
"""Encoders that read several views or photographs, and so none of the table's inputs."""
SHIPPED = {name: part for name, part in plugins(Encoder).items() if part.__module__.startswith("dareps.")}
ENCODERS = {name: part for name, part in SHIPPED.items() if name not in OTHER_INPUTS}
IMAGE, SERIES = (1, 8, 8), (2, 16)
SHAPES = {"conv1d": SERIES, "series_transformer": SERIES}
"""Of the rows that an encoder reads, where they are no images."""
FITTED = {
    "digit_cnn": {"padding": 2, "channels": (4, 6), "width": 6},
    "conv1d": {"channels": (4, 6), "kernels": (3,), "width": 6},
    "conv2d": {"channels": (4, 6), "width": 6},
    "series_transformer": {"embedding": 4, "heads": 2, "hidden": 6, "width": 6},
    "module": {"import": "tests.encoders._nets:Digits", "stages": ("conv1", "conv2", "fc")},
    "table": {"blocks": ((3, 5), (20, 4)), "width": 6},
}
STAGED = tuple(FITTED)
"""Encoders of several stages."""
REFUSALS = {
    ("hierarchical", "domains"): "no stages to split",
    ("joint_many_tasks", "domains"): "domains predict nothing",
}
BRANCHED = (Soft, CrossStitch, Hierarchical, SharedPrivate, AspMtl, MMoE, CGC, PLE, Sluice)


def cell(scheme, encoder, along):
    """Features of two domains for two tasks, and penalties; or the refusal."""
    settings = {"along": along} if issubclass(SCHEMES[scheme], BranchedScheme) else {}
    shape = SHAPES.get(encoder, IMAGE)
    module = built(SCHEMES[scheme](**settings), encoder=ENCODERS[encoder](**FITTED.get(encoder, {})), shape=shape)
    return called(module, [(3, DOMAINS[0], TASKS), (2, DOMAINS[1], TASKS)], rows(5, shape))


def refused():
    """The cells that refuse, with their errors."""
    found = {}
    for key in ((s, e, a) for s in SCHEMES for e in ENCODERS for a in ("tasks", "domains")):
        try:
            cell(*key)
        except ConfigError as error:
            found[key] = str(error)
    return found


def test_fewer_than_one_cell_in_ten_refuses_and_says_why():
    cells = len(SCHEMES) * len(ENCODERS) * 2
    found = refused()
    assert len(found) < cells / 10
    assert {key[0] for key in found} == {"hierarchical", "joint_many_tasks"}
    assert {key[2] for key in found} == {"domains"}
    assert "all parameters lie in one stage" in found["hierarchical", "mlp", "domains"]
    assert "from (64,) to (50,) at stage layer1" in found["hierarchical", "mlp", "domains"]


@pytest.mark.parametrize("along", ["tasks", "domains"])
@pytest.mark.parametrize("encoder", sorted(ENCODERS))
@pytest.mark.parametrize("scheme", sorted(SCHEMES))
def test_every_cell_gives_features_and_penalties(scheme, encoder, along):
    if (scheme, along) in REFUSALS and (scheme != "hierarchical" or encoder not in STAGED):
        with pytest.raises(ConfigError, match=REFUSALS[scheme, along]):
            cell(scheme, encoder, along)
        return
    found, penalties = cell(scheme, encoder, along)
    for own, count in zip(found, (3, 2), strict=True):
        assert set(own) == set(TASKS)
        for representation in own.values():
            assert representation.task.shape[0] == count
            assert representation.task.dim() == representation.shared.dim() == 2
            assert representation.task.isfinite().all()
    assert all(value.isfinite() for value in penalties.values())


@pytest.mark.parametrize("scheme", BRANCHED)
@pytest.mark.parametrize("along", ["tasks", "domains"])
def test_a_single_branch_is_refused(scheme, along):
    parts = {"tasks": ("only",)} if along == "tasks" else {"domains": ("only",)}
    with pytest.raises(ConfigError, match=r"one branch only.*only.*sharing.along=.*or use sharing: hard"):
        scheme(along=along).build(blueprint(**parts))


@pytest.mark.parametrize("scheme", BRANCHED)
def test_branches_are_tasks_where_there_are_several_and_domains_else(scheme):
    assert scheme().branches(blueprint()) == ("tasks", TASKS)
    assert scheme().branches(blueprint(tasks=("one",))) == ("domains", DOMAINS)


@pytest.mark.parametrize("scheme", BRANCHED)
@pytest.mark.parametrize("group", [(2, "books", ("shape",)), (2, "music", ("kind",))])
def test_a_branch_it_was_not_built_for_is_refused(scheme, group):
    for along in ("tasks", "domains"):
        with pytest.raises(ContractError, match=r"built without this (task|domain).*It knows"):
            called(built(scheme(along=along)), [group])


def test_groups_that_want_nothing_get_nothing():
    for scheme in BRANCHED:
        for along in ("tasks", "domains"):
            found, _ = called(built(scheme(along=along)), [(2, "books", ()), (2, "films", ("kind",))])
            assert [set(own) for own in found] == [set(), {"kind"}], scheme


def test_a_scheme_is_told_by_its_class_that_it_lacks_build():
    with pytest.raises(ContractError, match="no build"):
        type("Bare", (SharingScheme,), {"__doc__": "x"}, abstract=True)().build(blueprint())
