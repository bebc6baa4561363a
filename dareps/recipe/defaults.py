"""What recipes and runs leave open, filled in from the dataset or by what fits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dareps.data._base import Dataset
from dareps.errors import ConfigError
from dareps.plugin import plugins, suggestion
from dareps.recipe.settings import Recipe, Run
from dareps.recipe.stems import fitting_stem
from dareps.selection._base import Validator
from dareps.transfer import Train
from dareps.types import lead_task

FALLBACK = {"steps": 1000, "batch": 64, "optimizer": "adam", "schedule": "constant"}


def with_fitting_rules(run: Run) -> Run:
    """The run with selection rules that mean something to it.

    Open rules are those that fit: all but `source_score` for one task of classes with a target. Data with several tasks
    adds `source_score`, which looks at all that are learned, so that one of them alone compares with all together;
    where no other rule with a score fits, its checkpoint is kept.

    Raises:
        ConfigError: A rule that was asked for does not fit.
    """
    return _with_watched(_fitting(run))


def _with_watched(run: Run) -> Run:
    """The run with the rules among its own that its phases watch.

    Raises:
        ConfigError: A phase watches a rule that does not exist, or reads sealed labels.
    """
    rules = list(run.engine.selection)
    for number, phase in enumerate(run.method.phases):
        patience = phase.patience if isinstance(phase, Train) else None
        if patience is None or patience.rule in [rule.name for rule in rules if not rule.oracle]:
            continue
        where, known = f"phases.{number}.patience.rule", plugins(Validator)
        if patience.rule not in known:
            raise ConfigError(where, "no rule has this name", patience.rule, suggestion(patience.rule, known))
        if known[patience.rule].oracle:
            what = "an oracle reads sealed target labels, which no phase may"
            raise ConfigError(where, what, patience.rule, "Watch source_score or target_score.")
        rules.append(Validator.bind(patience.rule))
    changed = run.engine.model_copy(update={"selection": tuple(rules)})
    return run if len(rules) == len(run.engine.selection) else run.model_copy(update={"engine": changed})


def _fitting(run: Run) -> Run:
    engine, has = run.engine, {"target"} if run.target else set()
    has |= {"labels"} if run.held else set()
    lead, asked = lead_task(run.tasks).kind, "selection" in engine.model_fields_set
    has |= {"classes", "values"} if lead == "classification" else set()
    # Unasked, numbers are judged by the rules that they always were: what runs choose by is part of their keys.
    has |= {"values"} if lead == "regression" and asked else set()
    unfit = [rule for rule in engine.selection if not rule.needs <= has]
    more = ["target_score"] if run.held else []
    if asked or (not unfit and not more and len(type(run.data).tasks) < 2):
        for rule in unfit:
            lacking = " or ".join(_LACKING[need] for need in sorted(rule.needs - has))
            fix = "Use source_score and last."
            raise ConfigError("engine.selection", f"the run has no {lacking}, which this rule reads", rule.name, fix)
        return run
    more += ["source_score"] if unfit or len(type(run.data).tasks) > 1 else []
    rules = [rule for rule in engine.selection if rule not in unfit] + [Validator.bind(name) for name in more]
    keep = engine.keep if engine.keep in [rule.name for rule in rules] else "source_score"
    return run.model_copy(update={"engine": engine.model_copy(update={"selection": tuple(rules), "keep": keep})})


_LACKING = {
    "classes": "task of classes",
    "values": "task of classes or numbers",
    "target": "target",
    "labels": "labelled target validation rows",
}


def fill(settings: Mapping[str, Any], dataset: type[Dataset]) -> dict[str, Any]:
    """Raw recipe settings with what they leave open taken from the dataset, so that overrides can reach into it."""
    filled = dict(settings)
    phases = filled.setdefault("phases", [{}])
    named = [own.get("name") for own in phases if isinstance(own, dict)] if isinstance(phases, list) else []
    default = "identity" if "linear_svm" in named else dataset.defaults.get("encoder", "mlp")
    given = filled.get("encoder")
    if given is None:
        filled["encoder"] = default
    elif isinstance(given, dict) and "name" not in given:
        filled["encoder"] = {**({"name": default} if isinstance(default, str) else default), **given}
    if isinstance(phases, list):
        filled["phases"] = [_fill_phase(own, dataset.defaults) for own in phases]
    return filled


def _fill_phase(phase: Any, defaults: Mapping[str, Any]) -> Any:
    if not isinstance(phase, dict) or phase.get("name", "train") != "train":
        return phase
    return {**phase, **{key: defaults.get(key, value) for key, value in FALLBACK.items() if phase.get(key) is None}}


def resolve(recipe: Recipe, dataset: Dataset) -> Recipe:
    """The recipe with everything it left open filled in from the dataset's defaults."""
    raw = recipe.model_dump()
    phases = [_fill_phase(phase, dataset.defaults) for phase in raw["phases"]]
    encoder = raw["encoder"] or ("identity" if recipe.shallow else dataset.defaults.get("encoder", "mlp"))
    stem = fitting_stem(recipe, dataset)
    normalise = recipe.normalise or dataset.defaults.get("normalise", "joint")
    found = {**raw, "phases": phases, "encoder": encoder, "stem": stem, "normalise": normalise}
    return _laid_out(Recipe.model_validate(found), dataset)


def _laid_out(recipe: Recipe, dataset: Dataset) -> Recipe:
    """The recipe with an encoder that knows where the dataset's categories are."""
    assert recipe.encoder is not None
    encoder = recipe.encoder.laid_out(type(dataset).layout)
    return recipe if encoder is recipe.encoder else recipe.model_copy(update={"encoder": encoder})
