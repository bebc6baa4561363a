"""The law kit on losses of other frameworks, each with what its documentation says it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from torch import Tensor

from dareps.testing import LawViolation, check_alignment
from dareps.testing._check import LAWS
from dareps.types import Interval

Loss = Callable[[Tensor, Tensor], Tensor]
_TRIALS = 20
_WIDE: Final = Interval(-100.0, 100.0)
_SAMPLES: Final = ("symmetric", "translation", "rotation")
_DISTANCE: Final = (*_SAMPLES, "nonnegative", "zero_on_identical")


@dataclass(frozen=True)
class Peer:
    """A loss of another framework.

    Attributes:
        make: Returns the loss; imports its framework.
        claims: Flags that hold by its documentation.
        scale: Degree of homogeneity, or None.
        variants: The loss with another value of a documented setting, by name.
        domain: Inputs that suit its settings.
    """

    make: Callable[[], Loss]
    claims: tuple[str, ...] = ()
    scale: float | None = None
    variants: Mapping[str, Callable[[], Loss]] = field(default_factory=dict)
    domain: Interval = _WIDE


def report(name: str) -> list[dict[str, Any]]:
    """Every law that the loss is subject to, with what broke it where it does not hold."""
    peer = PEERS[name]
    loss = peer.make()
    asked: dict[str, Any] = dict.fromkeys(peer.claims, True)
    if peer.scale is not None:
        asked["scale"] = peer.scale
    if peer.variants:
        asked["settings"] = {setting: make() for setting, make in peer.variants.items()}
    names = [law.name for law in LAWS if _concerns(law.name, law.claim, asked)]
    return _without_echoes([_row(law, loss, asked, peer.domain) for law in names])


def _without_echoes(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One crash, or one NaN, breaks every law that comes across it: it counts against the first alone."""
    known: dict[str, str] = {}
    for row in rows:
        faults = row.pop("faults")
        echoed = [known[fault] for fault in faults if fault in known]
        if faults and len(echoed) == len(faults):
            row |= {"holds": None, "why": f"not told: broken by what breaks {echoed[0]!r}"}
        for fault in faults:
            known.setdefault(fault, row["law"])
    return rows


def _faults(cause: BaseException | None) -> list[str]:
    """What may break several laws at once: the text of each crash, NaN; a law's own words are unlike all others."""
    if isinstance(cause, BaseExceptionGroup):
        return [fault for part in cause.exceptions for fault in _faults(part)]
    text = f"{type(cause).__name__}: {cause}"
    return ["nan"] if "nan" in text.lower() else [text]


def _concerns(law: str, claim: str, asked: Mapping[str, Any]) -> bool:
    """Whether a plain callable with these claims is subject to the law."""
    built = ("outputs count", "state comes back", "reversal forward", "reversal by strength alone", "reversal backward")
    if law == "settings count":
        return "settings" in asked
    return law not in built and (not claim or claim in asked)


def _row(law: str, loss: Loss, asked: Mapping[str, Any], domain: Interval) -> dict[str, Any]:
    try:
        check_alignment(loss, domain=domain, largest=1e6, max_examples=_TRIALS, laws=[law], **asked)
    except LawViolation as violation:
        return {
            "law": law,
            "holds": False,
            "why": violation.hint,
            "example": violation.example,
            "faults": _faults(violation.__cause__),
        }
    return {"law": law, "holds": True, "faults": []}


def _adapt_mmd(kind: str) -> Loss:
    from pytorch_adapt.layers import MMDLoss  # type: ignore[import-not-found]

    loss: Loss = MMDLoss(mmd_type=kind)
    return loss


def _adapt_coral() -> Loss:
    from pytorch_adapt.layers import CORALLoss

    loss: Loss = CORALLoss()
    return loss


def _adapt_sliced() -> Loss:
    from pytorch_adapt.layers import SlicedWasserstein

    loss: Loss = SlicedWasserstein()
    return loss


def _adapt_sliced_seeded(directions: int) -> Loss:
    """In float32 and with the directions of one seed, so that a setting alone makes a difference."""
    from pytorch_adapt.layers import SlicedWasserstein

    module = SlicedWasserstein(m=directions)

    def loss(source: Tensor, target: Tensor) -> Tensor:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            value: Tensor = module(source.float(), target.float()).to(source.dtype)
        return value

    return loss


def _skada_coral(centred: bool = False) -> Loss:
    from skada.deep.losses import deepcoral_loss  # type: ignore[import-not-found]

    return lambda source, target: deepcoral_loss(source, target, assume_centered=centred)


def _skada_dan() -> Loss:
    from skada.deep.losses import dan_loss

    loss: Loss = dan_loss
    return loss


def _skada_domain_classifier() -> Loss:
    from skada.deep.modules import DomainClassifier  # type: ignore[import-not-found]

    made: dict[tuple[int, torch.dtype], torch.nn.Module] = {}

    def loss(source: Tensor, target: Tensor) -> Tensor:
        key = source.shape[-1], source.dtype
        if key not in made:
            with torch.random.fork_rng(devices=[]):
                made[key] = DomainClassifier(num_features=key[0]).to(key[1]).eval()
        entropy = torch.nn.functional.binary_cross_entropy
        ours, theirs = (made[key](rows).flatten() for rows in (source, target))
        return entropy(ours, torch.ones_like(ours)) + entropy(theirs, torch.zeros_like(theirs))

    return loss


def _pot_sliced(projections: int = 50) -> Loss:
    import ot

    return lambda source, target: ot.sliced_wasserstein_distance(source, target, n_projections=projections, seed=0)


def _pot_sinkhorn(reg: float = 1000.0) -> Loss:
    import ot

    return lambda source, target: ot.bregman.empirical_sinkhorn_divergence(source, target, reg)


def _pot_exact() -> Loss:
    import ot

    return lambda source, target: ot.solve_sample(source, target).value


def _pot_bures() -> Loss:
    import ot

    return lambda source, target: ot.gaussian.empirical_bures_wasserstein_distance(source, target)


def _geomloss(kind: str, blur: float = 50.0) -> Loss:
    from geomloss import SamplesLoss

    loss: Loss = SamplesLoss(kind, p=2, blur=blur, backend="tensorized")
    return loss


PEERS: Final[Mapping[str, Peer]] = {
    "pytorch-adapt MMDLoss (default, linear)": Peer(lambda: _adapt_mmd("linear"), (*_SAMPLES, "unbiased"), 0.0),
    "pytorch-adapt MMDLoss (quadratic)": Peer(lambda: _adapt_mmd("quadratic"), (*_SAMPLES, "unbiased"), 0.0),
    "pytorch-adapt CORALLoss": Peer(_adapt_coral, (*_DISTANCE, "gradient"), 4.0),
    "pytorch-adapt SlicedWasserstein": Peer(
        _adapt_sliced, ("symmetric", "nonnegative", "zero_on_identical", "translation")
    ),
    "pytorch-adapt SlicedWasserstein (seeded, m)": Peer(
        lambda: _adapt_sliced_seeded(128), variants={"m": lambda: _adapt_sliced_seeded(7)}
    ),
    "skada deepcoral_loss": Peer(
        _skada_coral, (*_DISTANCE, "gradient"), 4.0, {"assume_centered": lambda: _skada_coral(centred=True)}
    ),
    "skada dan_loss": Peer(_skada_dan, _DISTANCE),
    "skada DomainClassifier (default)": Peer(_skada_domain_classifier),
    "POT sliced_wasserstein_distance": Peer(
        _pot_sliced,
        ("symmetric", "nonnegative", "zero_on_identical", "translation", "duplication", "gradient"),
        1.0,
        {"n_projections": lambda: _pot_sliced(7)},
    ),
    "POT empirical_sinkhorn_divergence": Peer(
        _pot_sinkhorn, (*_DISTANCE, "duplication"), None, {"reg": lambda: _pot_sinkhorn(500.0)}
    ),
    "POT solve_sample (exact)": Peer(_pot_exact, (*_DISTANCE, "duplication", "gradient"), 2.0),
    "POT empirical_bures_wasserstein_distance": Peer(_pot_bures, (*_DISTANCE, "gradient"), 1.0),
    "geomloss energy": Peer(lambda: _geomloss("energy"), (*_DISTANCE, "duplication", "gradient"), 1.0),
    "geomloss gaussian": Peer(
        lambda: _geomloss("gaussian"),
        (*_DISTANCE, "duplication", "gradient"),
        None,
        {"blur": lambda: _geomloss("gaussian", 20.0)},
    ),
    "geomloss laplacian": Peer(lambda: _geomloss("laplacian"), (*_DISTANCE, "duplication", "gradient")),
    "geomloss sinkhorn": Peer(
        lambda: _geomloss("sinkhorn", 1.0),
        (*_DISTANCE, "duplication"),
        None,
        {"blur": lambda: _geomloss("sinkhorn", 20.0)},
    ),
}
