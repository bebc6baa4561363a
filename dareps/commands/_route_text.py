"""The lines that `dareps route` prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dareps.commands._output import columns
from dareps.recipe.bind import CONFIGS
from dareps.transfer.advice import RECIPES, Measured, advise, phase_settings
from dareps.transfer.relation import DISTANT, SHARED, SIGNIFICANT, Labels
from dareps.transfer.routes import ROUTES, Answer, Route, command, fitting, route_named, training

if TYPE_CHECKING:
    from dareps.suite.relate import Relation

BOTH: tuple[Answer, ...] = ("same", "different")
STRATEGIES = {
    "extract": "feature extraction from the top: the encoder stays as it is, a new head reads {cut}",
    "fine_tune_top": "fine-tuning of the stages above {cut}, the rest stays as it is",
    "fine_tune_all": "fine-tuning of all stages",
}


def overview() -> Iterator[str]:
    """All routes, a line each."""
    yield from columns((own.name, f"{own.task} task", f"{own.domain} domain", own.order) for own in ROUTES)
    yield "\nMore of one: dareps route NAME. Which of them fit your data: dareps route SPLIT."


def page(route: Route) -> Iterator[str]:
    """What a route is, its recipe, and the command that runs it on embedded data."""
    path = CONFIGS / "recipes" / f"{route.name}.yaml"
    yield f"{route.name}: {route.task} task, {route.domain} domain, {route.order}"
    yield from (f"  {line}" for line in route.lines)
    yield f"\nrecipe {path}\n"
    yield from (f"  {line}".rstrip() for line in path.read_text(encoding="utf-8").splitlines())
    yield f"\nOn embedded data:\n  {command(route, route.split, route.changes)}"


def relation_lines(relation: Relation) -> Iterator[str]:
    """How both sides relate, with the numbers and the thresholds."""
    yield from _domains(relation)
    for own in relation.labels:
        yield f"task {own.task}: {own.answer}; {_classes(own, len(relation.sides) > 1)}"
    yield from (f"task {fine}: finer than {coarse}, whose classes it divides" for coarse, fine in relation.finer)


def fitting_lines(relation: Relation, split: str, told: Sequence[str]) -> Iterator[str]:
    """The routes that fit and their commands: across both sides, and from one task to another where rows are alike.

    Args:
        relation: What was found.
        split: The split as given.
        told: Overrides as given.
    """
    for answer in BOTH:
        tasks = relation.tasks(answer)
        if tasks:
            named = [] if len(tasks) == len(relation.labels) else [f"tasks=[{','.join(tasks)}]"]
            yield f"\n{', '.join(tasks)}: {answer} task, {relation.domain} domain"
            yield from columns(_entry(route, split, [*told, *named]) for route in fitting(answer, relation.domain))
    if relation.forms:
        yield "\nrows of another form reach the encoder through a stem"
        yield from columns([_entry(route_named("modality_transfer"), split, told)])
    if len(relation.labels) > 1 and relation.domain == "same":
        coarse, fine = relation.finer[0] if relation.finer else [own.task for own in relation.labels][:2]
        both = [f"tasks=[{coarse},{fine}]"] if len(relation.labels) > 2 else []
        onwards = [*told, *both, f"phases.0.tasks=[{coarse}]", f"phases.1.tasks=[{fine}]"]
        first = fitting("same" if relation.finer else "different", "same")[0]
        yield f"\nfrom {coarse} to {fine}, or both at once"
        joint = route_named("multi_task_learning")
        yield from columns([_entry(first, split, onwards), _entry(joint, split, [*told, *both])])


def advice_lines(measured: Measured, split: str, told: Sequence[str], several: bool) -> Iterator[str]:
    """The numbers of a target task, the case they make, and the command that follows it."""
    advice = advise(measured)
    rows = f"{measured.rows} labelled target rows, {measured.per_class:.3g} for each of {measured.classes} classes"
    yield f"task {measured.task}: {rows}"
    yield from columns(_stage_table(measured), indent="  ")
    yield f"  LEEP {measured.leep:.3f}, NCE {measured.nce:.3f}, from {-measured.entropy:.3f} (nothing) to 0 (all)"
    yield f"case: {advice.size} target, {advice.likeness} to the source"
    yield from (f"  {reason}" for reason in advice.reasons)
    yield f"advice: {STRATEGIES[advice.strategy].format(cut=advice.cut or 'the input')}"
    if advice.rates:
        rates = ", ".join(f"{name} {factor:.3g}" for name, factor in advice.rates.items())
        yield f"  factors on the learning rate: heads 1, {rates}"
    settings = [f"phases.1.{key}={value}" for key, value in phase_settings(advice, measured).items()]
    only = [f"phases.1.tasks=[{measured.task}]"] if several else []
    yield f"  {training(RECIPES[advice.strategy], split, [*told, *settings, *only])}"


def _entry(route: Route, split: str, changes: Sequence[str]) -> tuple[str, str, str]:
    return f"  {route.name}", route.order, command(route, split, changes)


def _domains(relation: Relation) -> Iterator[str]:
    far = relation.distance
    if relation.forms:
        forms = ", ".join(f"{domain} {form}" for domain, form in relation.forms.items())
        yield f"domain: different; rows differ in form: {forms}"
    elif far is None:
        yield f"domain: same; {relation.sides[0]} is the only one"
    else:
        yield f"domain: {far.answer}; {' against '.join(relation.sides)}"
        yield f"  proxy A-distance {far.proxy:.2f} of 0 to 2, different from {DISTANT:g} on"
        yield f"  MMD {far.mmd:.4f}, p = {far.p:.3f} by permutation, different up to {SIGNIFICANT:g}"
        yield f"  from {far.rows[0]} and {far.rows[1]} unlabelled rows, standardised, as {far.width} numbers each"


def _classes(own: Labels, apart: bool) -> str:
    if not own.declared:
        return "its labels are not classes"
    if not apart:
        return f"there are labels of {len(own.source)} of {own.declared} declared classes"
    target = "no target label is declared" if own.target is None else f"the other side of {len(own.target)}"
    seen = f"of {own.declared} declared classes the source has labels of {len(own.source)}, {target}"
    return f"{seen}; {100 * own.share:.0f} % in common, same from {100 * SHARED:.0f} % on"


def _stage_table(measured: Measured) -> Iterator[tuple[str, ...]]:
    yield "stage", "width", "proxy A-distance", "LogME", "H-score"
    for own in measured.stages:
        yield own.name, str(own.width), f"{own.distance:.2f}", f"{own.logme:.4f}", f"{own.h_score:.3f}"
