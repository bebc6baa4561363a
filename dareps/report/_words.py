"""The sentences that open a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from dareps.report._format import capital, counted, interval, listed, percent, points, probability
from dareps.report._section import Section
from dareps.suite._results import CHOSEN, ORACLE, SOURCE_ONLY, TARGET_ONLY
from dareps.suite.exports import Entry
from dareps.suite.statistics import SEEDS_FOR_T, SPLITS_FOR_WILCOXON

LEVEL = 0.05
NAMED_SPLITS = 4


def summary(section: Section, asked: str) -> list[str]:
    """What was compared, how, and what the choices among recipes came to, a sentence or two each."""
    sentences = [_compared(section), _protocol(section), _rule(section, asked), _bounds(section)]
    return [sentence for sentence in (*sentences, _choice(section), _hindsight(section)) if sentence]


def verdict(section: Section) -> str:
    """Whether anything beats the reference, said plainly."""
    methods = [
        entry for entry in section.board() if entry.recipe not in (*section.bounds, CHOSEN) and not entry.target_labels
    ]
    tried = [entry for entry in methods if entry.difference is not None]
    if not tried:
        return f"Nothing can be compared with `{section.reference}` here."
    better = [entry for entry in tried if entry.difference and entry.difference > 0]
    worse = [entry for entry in tried if entry.difference and entry.difference < 0 and _sure(entry)]
    return f"{_above(section, tried, better)}{f' Worse beyond chance: {_quoted(worse)}.' if worse else ''}"


def _above(section: Section, tried: Sequence[Entry], better: Sequence[Entry]) -> str:
    measure, reference = section.measure, section.reference
    beyond = [entry for entry in better if _sure(entry)]
    if not better:
        return f"Nothing beats `{reference}` here: no recipe has a higher {measure}, averaged over splits and seeds."
    if beyond:
        count = _of(beyond, tried, "beats", "beat")
        return f"{count} `{reference}` beyond chance (Holm-adjusted p < 0.05): {_quoted(beyond)}."
    if all(entry.p is None for entry in better):
        needed = f"{SPLITS_FOR_WILCOXON} splits or {SEEDS_FOR_T} seeds"
        return (
            f"{_of(better, tried, 'reaches', 'reach')} a higher {measure} than `{reference}` ({_quoted(better)}), "
            f"but there are too few pairs for a test (it takes {needed}): whether this is chance remains open."
        )
    return f"Nothing beats `{reference}` beyond chance here: no higher {measure} has a Holm-adjusted p below 0.05."


def overall(sections: Sequence[Section], failed: int, stale: str, missing: int) -> list[str]:
    """What concerns the whole results folder."""
    notes = [] if sections else ["There are no results yet: no run has finished."]
    if failed:
        notes.append(f"{counted(failed, 'run')} failed; see the list below. Means are over the runs that finished.")
    if missing:
        notes.append(f"{counted(missing, 'run')} of the suite not done yet: the same command again continues.")
    return [*notes, stale] if stale else notes


def reading(reference: str = SOURCE_ONLY) -> tuple[str, ...]:
    """What the columns of the tables mean."""
    test = f"Wilcoxon by split from {SPLITS_FOR_WILCOXON} splits on, else t by seed from {SEEDS_FOR_T} seeds on"
    oracle = "the checkpoint that target validation labels (the oracle) would have selected in the same run"
    chosen = "the recipe that the label-free rule's own score prefers, among recipes that saw no target label"
    return (
        f"vs {reference}: difference in points, over pairs of runs of the same split and seed.",
        "95 % interval: Student's t over seeds, shown within the range of the figure.",
        f"p: paired test of that difference, {test}, adjusted by Holm within each table; fewer pairs give none.",
        f"regret: points lost on test rows against {oracle}; below zero, the rule did better on test rows.",
        "target labels: how many training saw in a run.",
        "n: seeds behind the mean; an average takes seeds that have every split.",
        f"{CHOSEN}: at each split and seed {chosen}. oracle recipe: the best in hindsight.",
    )


def _compared(section: Section) -> str:
    names = f" ({listed(section.splits)})" if len(section.splits) <= NAMED_SPLITS else ""
    seeds = counted(len(section.seeds), "seed")
    numbers = (
        (len(section.methods), "recipe"),
        (len(section.recipes) - len(section.methods), "reference" if section.supervised else "bound"),
    )
    recipes = listed([counted(count, noun) for count, noun in numbers if count])
    return f"{recipes} compared on {counted(len(section.splits), 'split')} of {section.name}{names}, with {seeds}."


def _protocol(section: Section) -> str:
    meaning = {
        "inductive": "training sees unlabelled target train rows; figures are accuracy on sealed target test rows",
        "paper": "all target rows train without labels, and are the test rows too where there are no official ones",
        "supervised": "without a target: train, validation and sealed test rows are of the same domains",
        "transductive": "the very target rows whose labels are scored are among the unlabelled rows of training",
    }
    named = [f"`{name}` ({meaning[name]})" if name in meaning else f"`{name}`" for name in section.protocols]
    return f"Protocol {listed(named)}."


def _rule(section: Section, asked: str) -> str:
    used = f"Checkpoints are selected by `{section.rule}`"
    how = " alone, at the end of training" if section.rule == "last" else f", {section.blindly}"
    how = "; it selects by target labels, so read nothing into it" if section.rule == ORACLE else how
    swapped = f" (asked for was `{asked}`, of which there are no results)" if asked != section.rule else ""
    spread = "Intervals are 95 % over seeds." if len(section.seeds) > 1 else "One seed gives no intervals."
    return f"{used}{how}{swapped}. {spread}"


def _bounds(section: Section) -> str:
    if section.supervised:
        return _baseline(section)
    lower, upper = section.entry(section.reference), section.entry(TARGET_ONLY)
    known = [
        f"{percent(entry.mean)} % by `{entry.recipe}` ({name})"
        for entry, name in ((lower, _lower(section)), (upper, "trained on target labels"))
        if entry is not None and entry.mean is not None
    ]
    lacking: dict[str, list[str]] = {}
    for name, entry in ((section.reference, lower), (TARGET_ONLY, upper)):
        if entry is None:
            lacking.setdefault(_why_lacking(section, name), []).append(f"`{name}`")
    told = [f"Bounds: {listed(known)}."] if known else []
    return " ".join([*told, *(f"{listed(names)} {why}." for why, names in lacking.items())])


def _lower(section: Section) -> str:
    return "no adaptation" if section.role == "lower bound" else section.role


def _baseline(section: Section) -> str:
    entry, name = section.entry(section.reference), section.reference
    if entry is not None and entry.mean is not None:
        return f"{capital(section.role)}: {percent(entry.mean)} % by `{name}`."
    return f"`{name}` ({section.role}) {_why_lacking(section, name)}."


def _why_lacking(section: Section, recipe: str) -> str:
    if recipe in section.recipes:
        return f"without results under `{section.rule}`"
    if recipe in section.failing():
        return "failed"
    return "stale, left out" if any(run.identity.recipe == recipe for run in section.stale) else "not run"


def _choice(section: Section) -> str:
    chosen = section.entry(CHOSEN)
    if chosen is None:
        return f"`{section.rule}` gives no score that compares recipes, so no recipe was chosen {section.blindly}."
    counts = Counter(result.recipe for result in section.choices.values())
    total = sum(counts.values())
    names = listed([f"`{name}` ({count} of {total})" for name, count in counts.most_common()])
    text = f"Among all recipes, `{section.rule}` chose {names}"
    if chosen.mean is None:
        return f"{text}; no seed has every split, so there is no average."
    text = f"{text}: {percent(chosen.mean)} % {_bracket(section, chosen)}".rstrip()
    if set(counts) == {section.reference}:
        return f"{text}. That is no adaptation at all." if section.role == "lower bound" else f"{text}."
    return f"{text}{_against(section, chosen)}."


def _against(section: Section, entry: Entry) -> str:
    if entry.difference is None:
        return ""
    tested = f"Holm-adjusted p {_equals(entry.p)}" if entry.p is not None else "too few pairs for a test"
    loses = "" if entry.difference > 0 else ", so the choice does not beat it"
    return f", {points(entry.difference)} points against `{section.reference}` ({tested}){loses}"


def _hindsight(section: Section) -> str:
    best = next((entry for entry in section.board() if entry.oracle_recipe), None)
    chosen = section.entry(CHOSEN)
    if best is None or best.mean is None:
        return ""
    text = f"Best in hindsight (oracle recipe, never a headline): `{best.recipe}` with {percent(best.mean)} %"
    if chosen is None or chosen.mean is None:
        return f"{text}."
    gap = best.mean - chosen.mean
    if gap <= 0:
        return f"{text}; choosing {section.blindly} lost nothing against it."
    return f"{text}; choosing {section.blindly} gave away {percent(gap)} points."


def _sure(entry: Entry) -> bool:
    return entry.p is not None and entry.p < LEVEL


def _quoted(entries: Iterable[Entry]) -> str:
    return listed([f"`{entry.recipe}`" for entry in entries])


def _of(some: Sequence[Entry], all_: Sequence[Entry], singular: str, plural: str) -> str:
    """`1 of 6 recipes beats`: the verb goes with the first number."""
    return f"{len(some)} of {counted(len(all_), 'recipe')} {singular if len(some) == 1 else plural}"


def _bracket(section: Section, entry: Entry) -> str:
    return interval(entry.low, entry.high, section.kind.share) if entry.low is not None else ""


def _equals(p: float | None) -> str:
    text = probability(p)
    return text if text.startswith("<") else f"= {text}"
