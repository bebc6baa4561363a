"""Trying laws on a loss, and reporting the first that breaks with the smallest example found."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as trials

from dareps.alignment import Alignment
from dareps.errors import ContractError, LawViolation
from dareps.plugin import plugins, suggestion
from dareps.testing._claimed import CLAIMED
from dareps.testing._draws import Case, Space
from dareps.testing._gradients import CLAIMED_GRADIENTS, GRADIENTS
from dareps.testing._law import Law
from dareps.testing._modules import MODULES
from dareps.testing._robust import ROBUST
from dareps.testing._settings import setting_names
from dareps.testing._subject import DOMAIN, Subject, subject_of
from dareps.testing._universal import UNIVERSAL
from dareps.types import Interval

if TYPE_CHECKING:
    import pytest
    from torch import Tensor

LAWS: Final = (*UNIVERSAL, *ROBUST, *MODULES, *GRADIENTS, *CLAIMED, *CLAIMED_GRADIENTS)
PHASES: Final = (Phase.explicit, Phase.generate, Phase.shrink)


def check_alignment(
    loss: object,
    *,
    symmetric: bool | None = None,
    nonnegative: bool | None = None,
    zero_on_identical: bool | None = None,
    translation: bool | None = None,
    rotation: bool | None = None,
    scale: float | None = None,
    duplication: bool | None = None,
    unbiased: bool | None = None,
    gradient: bool | Callable[[Tensor, Tensor, Tensor, Tensor], Tensor] | None = None,
    settings: Mapping[str, object] | None = None,
    largest: float | None = None,
    domain: Interval = DOMAIN,
    max_examples: int = 50,
    laws: Collection[str] | None = None,
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
        duplication: Likewise.
        unbiased: Likewise; zero in expectation when both sides follow one law.
        gradient: Likewise. True: the gradient is the slope of the value. A function (source, target, fixed source,
            fixed target) -> scalar is the definition of a loss that detaches something: its slope in the first two
            arguments, with what is detached computed from the last two, is the gradient to find.
        settings: For a callable, the same loss with another value of a setting, by name: each has to differ from it
            somewhere. An alignment's settings are known.
        largest: Up to which magnitude float32 inputs give finite numbers; left out, an alignment's own, else 1e6, or
            the end of a domain that was passed.
        domain: Where inputs are drawn from; left out, an alignment's own domain counts. One that is passed counts even
            if it equals the default.
        max_examples: Trials per law.
        laws: Names of the laws to try, out of those that the loss is subject to; left out, all of them.

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
        "duplication": duplication,
        "unbiased": unbiased,
        "gradient": gradient,
        "settings": settings,
    }
    subject = subject_of(loss, claims, domain, largest)
    for law in _chosen(laws, subject):
        _try(law, subject, max_examples)


def _chosen(names: Collection[str] | None, subject: Subject) -> list[Law]:
    known = alignment_laws()
    wrong = [name for name in names or () if name not in known]
    if wrong:
        raise ContractError("check_alignment", "there is no such law", wrong[0], suggestion(wrong[0], known))
    return [law for law in LAWS if law.holds_for(subject) and (names is None or law.name in names)]


def alignment_laws() -> dict[str, str]:
    """Every law by name with what it demands, in the order in which they are tried."""
    return {law.name: law.line for law in LAWS}


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


def _try(law: Law, subject: Subject, max_examples: int) -> None:
    tried: list[Case] = []

    def trial(case: Case) -> None:
        tried[:] = [case]
        law.check(subject, case)

    try:
        with subject.built.still() if law.still and subject.built else nullcontext():
            _on_draws(trial, law, replace(subject.space, settings=setting_names(subject)), max_examples)()
    except Exception as error:
        if not tried:
            raise
        # Hypothesis runs the smallest failing case last.
        detail = str(error) if type(error).__name__ == "Broken" else f"{type(error).__name__}: {error}"
        raise LawViolation(law.name, tried[0].shown(subject.beside), f"{detail.rstrip('.')}. {law.hint}") from error


def _on_draws(trial: Callable[[Case], None], law: Law, space: Space, max_examples: int) -> Callable[[], None]:
    return trial_settings(min(max_examples, law.most))(given(law.draws(space))(trial))


def trial_settings(max_examples: int) -> trials:
    """How Hypothesis tries a law: the same draws everywhere, shrunk, whatever time they take."""
    return trials(
        max_examples=max_examples,
        phases=PHASES,
        derandomize=True,
        database=None,
        deadline=None,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )
