"""The four cases: what to do with a pretrained model, by how much of the target is labelled and how like the source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from dareps.errors import DataError

Size = Literal["small", "large"]
Likeness = Literal["similar", "dissimilar"]

FEW: Final = 20
"""Labelled target rows per class below which a target is small: with fewer rows than a new head has weights a class,
some 65, moving the encoder as well mostly fits noise, but not for targets that differ, which is why it is far lower."""
NEAR: Final = 0.5
"""Proxy A-distance of the top features up to which they are alike: a linear classifier takes three rows of eight or
more for one of the other side."""
STEEP: Final = 1 / 2.6
"""Factor on the learning rate from a stage to the one below it (Howard & Ruder, ACL 2018, section 3.2)."""
GENTLE: Final = STEEP**0.5
"""The same where lower stages must change as well: half of it on a logarithmic scale."""


RECIPES: Final[Mapping[str, str]] = {
    "extract": "feature_extraction",
    "extract_low": "lower_features",
    "fine_tune_top": "fine_tuning",
    "fine_tune_all": "fine_tuning",
}
"""Strategy -> the shipped recipe of two phases, source and then labelled target, with a new head."""


@dataclass(frozen=True, slots=True)
class StageScores:
    """What one stage's output is worth to the target.

    Attributes:
        name: The stage.
        width: Numbers per row.
        distance: Proxy A-distance of source and target rows there.
        logme: LogME of the labelled target rows, with a constant as in a head with a bias.
        h_score: H-score of the same, with a shrunk covariance.
    """

    name: str
    width: int
    distance: float
    logme: float
    h_score: float


@dataclass(frozen=True, slots=True)
class Measured:
    """All numbers that advice goes by.

    Attributes:
        task: The target task.
        rows: Labelled target rows.
        classes: Classes that occur among them.
        entropy: H(Y) of their labels, in nats.
        leep: LEEP of the source model's predictions; `nce` likewise.
        stages: Stages that have been trained, from the input on.
    """

    task: str
    rows: int
    classes: int
    entropy: float
    leep: float
    nce: float
    stages: tuple[StageScores, ...]

    @property
    def per_class(self) -> float:
        """Labelled target rows per class."""
        return self.rows / self.classes

    @property
    def explained(self) -> float:
        """(LEEP + H(Y)) / H(Y): 0 where source predictions say nothing of the target's classes, 1 where all."""
        return (self.leep + self.entropy) / self.entropy


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do, and why.

    Attributes:
        size: Whether the target is small.
        likeness: Whether it is like the source.
        strategy: A name for what to do.
        cut: The last stage that is kept as it is; empty where none is.
        decay: Factor on the learning rate from a stage that moves to the one below it.
        rates: Factor on the learning rate of each stage that moves, from the top down; heads learn at the rate itself.
        reasons: The numbers that led here, a sentence each.
    """

    size: Size
    likeness: Likeness
    strategy: str
    cut: str
    decay: float
    rates: Mapping[str, float]
    reasons: tuple[str, ...]


def advise(measured: Measured) -> Advice:
    """The case of the numbers, and its cut stage and learning rates.

    | best stage by LogME | the top one | another of the upper half | lower, or rows unlike |
    |---|---|---|---|
    | small target | extract: features of the top stage | fine_tune_top | fine_tune_all |
    | large target | fine_tune_top: move what is above the best stage | fine_tune_top | fine_tune_all: move everything |

    Evidence is comparable between features of different widths, which the other scores are not; of several best stages
    the highest counts, and in `fine_tune_top` the top stage always moves. Rows are unlike where the proxy A-distance at
    the top stage is above `NEAR`. A target is similar where rows are alike and the top stage is the best one.

    The usual advice for a small and dissimilar target, features of a lower stage, is not given: on declared validation
    labels (`python -m benchmarks.cases --calibrate`), where the thresholds come from, moving stages was better there.

    Raises:
        DataError: There is no stage, or fewer than two classes.
    """
    if not measured.stages or measured.classes < 2:
        what = "advice needs a trained stage and two classes, (stages, classes)"
        found = len(measured.stages), measured.classes
        raise DataError(f"advice for {measured.task}", what, found, "Label rows of more classes.")
    names = [stage.name for stage in measured.stages]
    size, likeness, reasons = _case(measured)
    best, last = _best(measured.stages), len(names) - 1
    if not _alike(measured) or best < last / 2:
        return Advice(size, likeness, "fine_tune_all", "", GENTLE, _rates(names, GENTLE), reasons)
    if size == "small" and best == last:
        return Advice(size, likeness, "extract", names[-1], 1.0, {}, reasons)
    kept = min(best + 1, last)
    cut = names[kept - 1] if kept else ""
    return Advice(size, likeness, "fine_tune_top", cut, STEEP, _rates(names[kept:], STEEP), reasons)


def phase_settings(advice: Advice, measured: Measured) -> dict[str, Any]:
    """What the second phase of the advised recipe, the one on the target, sets differently."""
    names = [stage.name for stage in measured.stages]
    found: dict[str, Any] = {}
    if advice.cut and advice.strategy != "extract":
        found["freeze_below"] = names[names.index(advice.cut) + 1]
    if advice.strategy.startswith("fine_tune"):
        found["decay"] = round(advice.decay, 3)
    return found


def _case(measured: Measured) -> tuple[Size, Likeness, tuple[str, ...]]:
    size: Size = "small" if measured.per_class < FEW else "large"
    top, best = measured.stages[-1], measured.stages[_best(measured.stages)]
    signs = (
        (_alike(measured), f"proxy A-distance at {top.name} {top.distance:.2f}, alike up to {NEAR:g}"),
        (best is top, f"LogME is highest at {best.name}, which {'is' if best is top else 'is not'} the top stage"),
    )
    likeness: Likeness = "similar" if all(sign for sign, _ in signs) else "dissimilar"
    told = f"{measured.per_class:.3g} labelled target rows per class, small below {FEW}"
    return size, likeness, (told, *(f"{'like' if sign else 'unlike'}: {text}" for sign, text in signs))


def _alike(measured: Measured) -> bool:
    """Whether rows of both sides are alike at the top stage."""
    return measured.stages[-1].distance <= NEAR


def _best(stages: tuple[StageScores, ...]) -> int:
    """The number of the stage of the highest LogME; the last one of several."""
    return max(range(len(stages)), key=lambda number: (stages[number].logme, number))


def _rates(moving: list[str], decay: float) -> dict[str, float]:
    return {name: decay ** (depth + 1) for depth, name in enumerate(reversed(moving))}
