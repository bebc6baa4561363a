"""Trying laws on a loss, and reporting the first that breaks with the smallest example found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings

from dareps.alignment import Alignment
from dareps.errors import LawViolation
from dareps.plugin import plugins
from dareps.testing._claimed import CLAIMED
from dareps.testing._draws import Case
from dareps.testing._law import Law
from dareps.testing._subject import DOMAIN, Subject, subject_of
from dareps.testing._universal import UNIVERSAL
from dareps.types import Interval

if TYPE_CHECKING:
    import pytest


def check_alignment(
    loss: object,
    *,
    symmetric: bool | None = None,
    nonnegative: bool | None = None,
    zero_on_identical: bool | None = None,
    translation: bool | None = None,
    rotation: bool | None = None,
    scale: float | None = None,
    domain: Interval = DOMAIN,
    max_examples: int = 50,
) -> None:
    """Hold a loss against every universal law and every law it claims.

    Args:
        loss: Any (source (n, d), target (m, d)) -> scalar tensor, or an `Alignment`, also one that needs building.
        symmetric: Claims the law; left out, an alignment's own flag counts, and nothing is claimed for a callable.
        nonnegative: Likewise.
        zero_on_identical: Likewise.
        translation: Likewise.
        rotation: Likewise.
        scale: Likewise; k in L(c x, c y) = c^k L(x, y).
        domain: Where inputs are drawn from; left out, an alignment's own domain counts.
        max_examples: Trials per law.

    Raises:
        LawViolation: The first law that breaks, with `.law`, the shrunk `.example` and a `.hint`.
    """
    claims = {
        "symmetric": symmetric,
        "nonnegative": nonnegative,
        "zero_on_identical": zero_on_identical,
        "translation": translation,
        "rotation": rotation,
        "scale": scale,
    }
    subject = subject_of(loss, claims, domain)
    for law in _laws(subject):
        _try(law, subject, max_examples)


def alignment_laws() -> dict[str, str]:
    """Every law by name with what it demands, in the order in which they are tried."""
    return {law.name: law.line for law in (*UNIVERSAL, *CLAIMED.values())}


def parametrize_alignments(*losses: object, argument: str = "loss") -> pytest.MarkDecorator:
    """A pytest decorator that runs a test once per loss: those given, else every known alignment at its defaults.

    `@parametrize_alignments()` above `def test_laws(loss): check_alignment(loss)` enrols a whole project: defining an
    `Alignment` is enough for it to be known.
    """
    import pytest

    chosen = losses or tuple(alignment() for alignment in plugins(Alignment).values())
    return pytest.mark.parametrize(argument, chosen, ids=_label)


def _label(loss: Any) -> str:
    return str(getattr(loss, "name", None) or getattr(loss, "__name__", None) or type(loss).__name__)


def _laws(subject: Subject) -> Iterator[Law]:
    yield from (law for law in UNIVERSAL if law.on_host or not subject.host)
    for claim, law in CLAIMED.items():
        held = subject.claims[claim]
        if held is not None and held is not False:
            yield law


def _try(law: Law, subject: Subject, max_examples: int) -> None:
    tried: list[Case] = []

    def trial(case: Case) -> None:
        tried[:] = [case]
        law.check(subject, case)

    try:
        _on_draws(trial, law, subject.domain, max_examples)()
    except Exception as error:
        if not tried:
            raise
        # Hypothesis runs the smallest failing case last.
        detail = str(error) if type(error).__name__ == "Broken" else f"{type(error).__name__}: {error}"
        raise LawViolation(law.name, tried[0].shown(), f"{detail.rstrip('.')}. {law.hint}") from error


def _on_draws(trial: Callable[[Case], None], law: Law, domain: Interval, max_examples: int) -> Callable[[], None]:
    choices = settings(
        max_examples=max_examples,
        derandomize=True,
        database=None,
        deadline=None,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )
    return choices(given(law.draws(domain))(trial))
