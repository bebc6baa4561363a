"""Trying laws on a sharing scheme, and reporting the first that breaks with the smallest example found."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from hypothesis import given

from dareps.encoders import Encoder
from dareps.errors import ContractError
from dareps.plugin import suggestion
from dareps.sharing import SharingScheme
from dareps.testing._check import trial_settings
from dareps.testing._law import reported
from dareps.testing._sharing import ENCODER, SharingCase, SharingSubject
from dareps.testing._sharing_laws import GENERAL, SharingLaw
from dareps.testing._sharing_limits import LIMITS

LAWS: Final = (*GENERAL, *LIMITS)


def check_sharing(
    scheme: SharingScheme | type[SharingScheme],
    *,
    encoder: Encoder = ENCODER,
    laws: Collection[str] | None = None,
    max_examples: int = 10,
) -> None:
    """Hold a sharing scheme against every law that it is subject to, in float64.

    The scheme is built for three tasks `a` (classes), `b` (a number), `c` (labels) on three domains `x`, `y`, `z` with
    inputs of four numbers, and is called with groups of rows that Hypothesis draws. Weights are drawn as a method draws
    them, and the tasks' heads are fixed.

    Args:
        scheme: The scheme; a class stands for its defaults.
        encoder: What it shares; it needs a setting `norm`. A perceptron of two normalised layers unless given.
        laws: Names of the laws to try, out of those that the scheme is subject to; left out, all of them.
        max_examples: Trials per law.

    Raises:
        LawViolation: The first law that breaks, with `.law`, the shrunk `.example` and a `.hint`.
        ContractError: There is no such law.
    """
    subject = SharingSubject(scheme() if isinstance(scheme, type) else scheme, encoder)
    known = sharing_laws()
    for name in laws or ():
        if name not in known:
            raise ContractError("check_sharing", "there is no such law", name, suggestion(name, known))
    for law in LAWS:
        if law.needs(subject.scheme) and (laws is None or law.name in laws):
            _try(law, subject, max_examples)


def sharing_laws() -> dict[str, str]:
    """Every law of sharing by name with what it demands, in the order in which they are tried."""
    return {law.name: law.line for law in LAWS}


def _try(law: SharingLaw, subject: SharingSubject, max_examples: int) -> None:
    tried: list[SharingCase] = []

    def trial(case: SharingCase) -> None:
        tried[:] = [case]
        law.check(subject, case)

    reported(law.name, law.hint, tried, lambda: trial_settings(max_examples)(given(law.draws)(trial))())
