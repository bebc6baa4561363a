"""What the report says about one dataset: its runs, its leaderboard and the choices among its recipes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dareps.data._base import Dataset
from dareps.data.split import plain
from dareps.engine.outcome import Outcome, Selected, by_task
from dareps.errors import ConfigError
from dareps.guarding import SIGN
from dareps.plugin import plugins
from dareps.report._facts import phases
from dareps.suite._results import (
    AVERAGE,
    CHOSEN,
    ORACLE,
    SOURCE_ONLY,
    TARGET_ONLY,
    Place,
    Result,
    baseline_among,
    dataset_name,
    results,
    split_name,
    table_names,
)
from dareps.suite.exports import Entry, leaderboard
from dareps.suite.statistics import best_recipe, comparable
from dareps.tasks import KINDS, TaskKind, kind_with

HEADLINE: Final = "information_maximisation"
_FALLBACKS: Final = (HEADLINE, "entropy", "dev", "source_score", "source_accuracy", "last")


@dataclass(frozen=True, slots=True)
class Section:
    """One dataset of the report.

    Attributes:
        name: The dataset's name in tables.
        rule: The selection rule of the headline figures here.
        outcomes: Current runs, failed ones included.
        entries: The leaderboard, all rules.
        choices: (split, seed) -> the result that the rule's score preferred; empty when its scores do not compare.
        stale: Runs of the dataset that no longer count.
        reference: The recipe that others are compared with.
    """

    name: str
    rule: str
    outcomes: tuple[Outcome, ...]
    entries: tuple[Entry, ...]
    choices: dict[Place, Result]
    stale: tuple[Outcome, ...] = ()
    reference: str = SOURCE_ONLY

    @property
    def bounds(self) -> tuple[str, str]:
        """The reference, and what is trained on target labels."""
        return self.reference, TARGET_ONLY

    @property
    def supervised(self) -> bool:
        """Whether there is no target, so that nothing is adapted."""
        return self.protocols == ["supervised"]

    @property
    def role(self) -> str:
        """What the reference is."""
        if self.reference != SOURCE_ONLY:
            return "single-task baseline"
        return "joint training" if self.supervised else "lower bound"

    @property
    def blindly(self) -> str:
        """How label-free rules choose."""
        return "on validation rows" if self.supervised else "without target labels"

    @property
    def splits(self) -> list[str]:
        """Splits with results."""
        return list(dict.fromkeys(entry.split for entry in self.entries if entry.split != AVERAGE))

    @property
    def rules(self) -> list[str]:
        """Selection rules with results; the oracle, which opens target labels, last."""
        return sorted({entry.selection for entry in self.entries}, key=lambda rule: (rule == ORACLE, rule))

    @property
    def seeds(self) -> list[int]:
        """Seeds with results."""
        return sorted({outcome.identity.seed for outcome in self.finished})

    @property
    def recipes(self) -> list[str]:
        """Recipes with results, the bounds last."""
        return sorted(
            {outcome.identity.recipe for outcome in self.finished}, key=lambda name: (name in self.bounds, name)
        )

    @property
    def methods(self) -> list[str]:
        """Recipes with results, the bounds aside."""
        return [name for name in self.recipes if name not in self.bounds]

    @property
    def ordered(self) -> list[str]:
        """Recipes as the tables have them: the upper bound, the methods by accuracy, the lower bound."""
        ranked = [entry.recipe for entry in self.board() if entry.recipe not in (*self.bounds, CHOSEN)]
        inner = [*ranked, *(name for name in self.methods if name not in ranked)]
        return [name for name in (TARGET_ONLY, *inner, self.reference) if name in self.recipes]

    @property
    def classes(self) -> tuple[str, ...]:
        """What the task's classes are called; empty for a dataset that is not known here."""
        own = self.outcomes[0].identity
        kind = plugins(Dataset).get(plain(own.dataset))
        return next((task.classes for task in (kind.tasks if kind else ()) if task.name == own.task), ())

    @property
    def kind(self) -> TaskKind:
        """The kind of task, by the names of the figures; classification where there are none."""
        found = (kind_with(row.metrics) for run in self.finished for row in run.selected)
        return next(filter(None, found), KINDS["classification"])

    @property
    def measure(self) -> str:
        """What the figures are: accuracy, R^2 or mean average precision."""
        return self.kind.shown

    @property
    def finished(self) -> list[Outcome]:
        """Runs that ended well."""
        return [outcome for outcome in self.outcomes if outcome.status == "ok"]

    @property
    def protocols(self) -> list[str]:
        """Protocols of the runs; one, unless two datasets share a name."""
        return sorted({outcome.identity.protocol for outcome in self.outcomes})

    def board(self, split: str = AVERAGE, rule: str | None = None) -> list[Entry]:
        """The entries of a split under a rule (the headline's by default), best mean first."""
        wanted = rule or self.rule
        found = [entry for entry in self.entries if (entry.split, entry.selection) == (split, wanted)]
        return sorted(found, key=lambda entry: -1.0 if entry.mean is None else entry.mean, reverse=True)

    def entry(self, recipe: str, split: str = AVERAGE, rule: str | None = None) -> Entry | None:
        """One recipe's entry."""
        return next((entry for entry in self.board(split, rule) if entry.recipe == recipe), None)

    def runs(self, recipe: str, split: str | None = None) -> list[Outcome]:
        """Finished runs of a recipe, or of whatever recipe was `chosen` at each split and seed."""
        found = self.finished
        found = [own for own in found if recipe in (own.identity.recipe, self._role(own))]
        return [own for own in found if split in (None, split_name(own.identity))]

    @property
    def oracle_recipe(self) -> str:
        """The best recipe in hindsight on average, or an empty text."""
        return next((entry.recipe for entry in self.board() if entry.oracle_recipe), "")

    @property
    def shown(self) -> tuple[str, str]:
        """The recipe that figures set against the reference, and its role: the choice, else the best in hindsight."""
        if any(result.recipe != self.reference for result in self.choices.values()):
            return CHOSEN, CHOSEN
        return self.oracle_recipe, "oracle recipe"

    def selected(self, outcome: Outcome) -> Selected | None:
        """The checkpoint that the headline's rule chose in a run."""
        return next((row for row in outcome.selected if row.selection == self.rule), None)

    def warnings(self, recipe: str, split: str = AVERAGE) -> int:
        """How many runs of a recipe warn of a collapse, or have none but a collapsed checkpoint to show."""
        runs = self.runs(recipe, None if split == AVERAGE else split)
        return sum(any(not text.startswith(SIGN) for text in run.warnings) or self._unlearned(run) for run in runs)

    def failing(self, split: str = AVERAGE) -> list[str]:
        """Recipes of which nothing but failed runs is there."""
        here = [run for run in self.outcomes if split in (AVERAGE, split_name(run.identity))]
        well = {run.identity.recipe for run in here if run.status == "ok"}
        return sorted({run.identity.recipe for run in here} - well)

    def failures(self, recipe: str, split: str = AVERAGE) -> int:
        """How many runs of a recipe failed."""
        failed = [run.identity for run in self.outcomes if run.status == "failed" and run.identity.recipe == recipe]
        return sum(split in (AVERAGE, split_name(run)) for run in failed)

    def _unlearned(self, run: Outcome) -> bool:
        """Whether the checkpoint shown knows no more of the source than chance, though training saw it."""
        row = self.selected(run)
        if row is None or not row.confusion or not _reads_source(run):
            return False
        return row.source_metric < 1.2 / len(row.confusion)

    def _role(self, outcome: Outcome) -> str:
        choice = self.choices.get((split_name(outcome.identity), outcome.identity.seed))
        return CHOSEN if choice is not None and choice.recipe == outcome.identity.recipe else ""


def sections(
    outcomes: Sequence[Outcome], rule: str, stale: Sequence[Outcome] = (), reference: str = SOURCE_ONLY
) -> list[Section]:
    """One section per dataset with a run that ended well.

    Raises:
        ConfigError: The headline was to be chosen with target labels.
    """
    if rule == ORACLE:
        fix = f"Use a rule without target labels, such as {HEADLINE}."
        raise ConfigError("selection", "the oracle selects by target labels and is never the headline", rule, fix)
    outcomes, stale = by_task(outcomes), by_task(stale)
    entries, found = leaderboard(outcomes, reference), results(outcomes)
    names = table_names(outcomes)
    return [
        _section(
            name,
            rule,
            [own for own in outcomes if names[dataset_name(own.identity), own.identity.task] == name],
            [entry for entry in entries if entry.dataset == name],
            [result for result in found if result.dataset == name],
            [own for own in stale if names.get((dataset_name(own.identity), own.identity.task)) == name],
            reference,
        )
        for name in sorted({entry.dataset for entry in entries})
    ]


def preferred(rule: str) -> tuple[str, ...]:
    """Rules for headline figures by preference, the one asked for first."""
    return (rule, *_FALLBACKS)


def _section(
    name: str,
    rule: str,
    outcomes: Iterable[Outcome],
    entries: Sequence[Entry],
    found: Sequence[Result],
    stale: Iterable[Outcome],
    reference: str,
) -> Section:
    known = {entry.selection for entry in entries}
    used = next((own for own in (*preferred(rule), *sorted(known)) if own in known), rule)
    best = best_recipe(found, used) if comparable(used) else {}
    choices = {(split, seed): result for (_, split, seed), result in best.items()}
    outcomes = tuple(outcomes)
    base = baseline_among(reference, [own.identity.recipe for own in outcomes])
    return Section(name, used, outcomes, tuple(entries), choices, tuple(stale), base)


def _reads_source(run: Outcome) -> bool:
    """Whether training saw the source; `target_only` does not, nor a recipe whose phases all leave it out."""
    if run.identity.recipe == TARGET_ONLY:
        return False
    streams = [own["streams"] for own in phases(run) if isinstance(own.get("streams"), Mapping)]
    return not streams or any(own.get("source") for own in streams)
