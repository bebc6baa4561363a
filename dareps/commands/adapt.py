"""`dareps adapt`: from one's own source and target files to predictions, a model and a page about them."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from dareps.commands._few_shot import ENOUGH, RULE, chosen_by, need_labels
from dareps.commands._few_shot import held as held_of
from dareps.commands._output import columns, duration, note, say, warn
from dareps.commands.bench import Wanted, carried_out
from dareps.commands.train import STOPPED, one_thread
from dareps.data.own.description import Asked, Description, Place, described
from dareps.errors import ConfigError, DataError
from dareps.recipe.own_data import described_text, load_description, whole
from dareps.recipe.yaml_io import read
from dareps.suite._files import write_whole
from dareps.suite.settings import Entry, Suite

if TYPE_CHECKING:
    from dareps.data.own.dataset import OwnFiles
    from dareps.engine.outcome import Outcome
    from dareps.transfer.relation import Distance

Kind = Literal["classification", "regression"]
NAME: Final = "own"
LABELLED: Final = Entry(name="source_and_target", recipe="source_only", set={"phases.0.streams.target": "labelled"})
RECIPES: Final[dict[str, tuple[str | Entry, ...]]] = {
    "classification": ("source_only", "deep_coral", "dann", "mcc", "dan", "adabn"),
    "regression": ("source_only", "deep_coral", "dann", "dan"),
    "few": ("source_only", "fine_tuning", LABELLED),
}
"""What is tried where nobody says, in this order, by the kind of task or with labelled target rows."""
RULES: Final = {"classification": "information_maximisation", "regression": "importance_weighted"}
LOOKED_AT: Final = {
    "classification": ["last", "source_accuracy", "information_maximisation"],
    "regression": ["last", "source_score", "dev", "importance_weighted"],
}
"""Rules whose scores are found out where they are not chosen by themselves."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asks for.

    Attributes:
        sources: Files or folders; `target` likewise.
        label: The label's column; None finds it.
        recipes: Recipes to try; none named means those that fit.
        budget: Minutes of training after which no further run begins.
        few: Target rows of each class whose labels may be used.
        overrides: Settings of all recipes.
        rows: Rows of each file that are learned from at most; None for the usual number.
        side: Of the squares that images are squeezed to; None for the usual one.
        columns: Column -> its kind, for those that need saying.
    """

    sources: tuple[Path, ...]
    target: Path
    label: str | None = None
    task: Kind | None = None
    recipes: tuple[str, ...] = ()
    budget: float | None = None
    seeds: int = 3
    few: int | None = None
    out: Path = Path("runs/adapt")
    overrides: tuple[tuple[str, Any], ...] = ()
    workers: int | None = None
    device: str = "auto"
    rows: int | None = None
    side: int | None = None
    columns: Mapping[str, str] = field(default_factory=dict)


def adapt(asked: Request) -> int:
    """Carry it out; returns the exit code.

    Raises:
        ConfigError: What was asked for does not go together.
        DataError: Files cannot be used.
    """
    from dareps.recipe.bind import find_config

    clock = time.monotonic()
    one_thread()
    for name in asked.recipes:  # A wrong name must not show after long files have been read.
        if name != LABELLED.name:
            find_config("recipes", name)
    dataset, path = _described(asked)
    wanted = _wanted(asked, dataset, path)
    return _answered(asked, wanted, dataset, clock)


def _described(asked: Request) -> tuple[type[OwnFiles], Path]:
    """The dataset that the files make up, described in the output folder, with what was found said."""
    names = _names([*asked.sources, asked.target])
    places = {
        name: Place(file=str(_there(path))) for name, path in zip(names, [*asked.sources, asked.target], strict=True)
    }
    kinds = {name: {"kind": kind} for name, kind in asked.columns.items()}
    settings: dict[str, Any] = {"name": NAME, "domains": places, "targets": names[-1:], "columns": kinds}
    if asked.rows is not None:
        settings["rows"] = asked.rows
    if asked.side is not None:
        settings["side"] = asked.side
    tasks = {asked.label: Asked(kind=asked.task)} if asked.label else {}
    description, found = whole(described({**settings, "tasks": tasks}, "adapt"))
    if asked.task and not asked.label:
        [label] = description.tasks
        tasks = {label: Asked(kind=asked.task)}
        description, found = whole(described({**settings, "tasks": tasks}, "adapt"))
    for line in found:
        say(line)
    path = asked.out.resolve() / f"{NAME}.yaml"
    _keep(path, description)
    return load_description(path), path


def _keep(path: Path, description: Description) -> None:
    """Write the description, unless results that lie beside it are about other data.

    Raises:
        ConfigError: The folder holds an answer about other files.
        StoreError: It cannot be written.
    """
    from dareps.suite.store import FILE

    answered = path.is_file() and (path.parent / FILE).is_file()
    if answered and not continues(described(read(path), str(path)), description):
        what = "the folder holds an answer about other files, or other rows of them"
        raise ConfigError("--out", what, str(path.parent), "Choose another folder.")
    write_whole(path, described_text(description))


def continues(earlier: Description, description: Description) -> bool:
    """Whether the earlier description says the same, but for files that are no longer where they were.

    That labels of the target are for testing only was not always written down.
    """
    places = {
        name: place.model_copy(update={"file": description.domains[name].file})
        if name in description.domains and not Path(place.file).exists()
        else place
        for name, place in earlier.domains.items()
    }
    targets = earlier.targets or description.targets
    return earlier.model_copy(update={"domains": places, "targets": targets}) == description


def _there(path: Path) -> Path:
    found = path.expanduser().resolve()
    if not found.exists():
        raise DataError(str(path), "there is no such file or folder", fix="Check its name.")
    return found


def _names(paths: Sequence[Path]) -> list[str]:
    """Names of domains: those of the files, told apart where they are the same."""
    names: list[str] = []
    for path in paths:
        stem = re.sub(r"\W+", "_", path.name.split(".")[0].lower()).strip("_") or "rows"
        number = sum(name == stem or re.fullmatch(rf"{stem}_\d+", name) is not None for name in names)
        names.append(f"{stem}_{number + 1}" if number else stem)
    return names


def _wanted(asked: Request, dataset: type[OwnFiles], path: Path) -> Wanted:
    """The suite of runs: all recipes on the one split."""
    *sources, target = dataset.domains
    if asked.few is not None:
        need_labels(asked.few, dataset)
    kind, held = _kind(dataset), held_of(asked.few)
    few = "" if asked.few is None else f"@{asked.few - held}+{held}" if held else f"@{asked.few}"
    usual = RECIPES["few" if asked.few is not None else kind]
    names = [LABELLED if own == LABELLED.name else own for own in asked.recipes or usual]
    rule = RULE if held else RULES[kind]
    rules = {"engine.selection": [*LOOKED_AT[kind], *([RULE] if held else [])], "engine.keep": rule}
    suite = Suite(
        splits=(f"{NAME}/{'+'.join(sources)}:{target}{few}",),
        recipes=tuple(names),
        seeds=asked.seeds,
        headline=rule,
        set={"protocol": "paper", **(rules if held or kind == "regression" else {})},
        plugins=(str(path),),
    )
    out = asked.out.resolve()
    return Wanted(out.name, suite, out.parent, None, (), (), asked.overrides, (), asked.workers, asked.device)


def _kind(dataset: type[OwnFiles]) -> str:
    return "classification" if any(task.kind == "classification" for task in dataset.tasks) else "regression"


def _answered(asked: Request, wanted: Wanted, dataset: type[OwnFiles], clock: float) -> int:
    from dareps.commands._device import uses_cuda
    from dareps.engine.building import split_of
    from dareps.suite.bench import keys_of
    from dareps.suite.distances import distance, rows_of
    from dareps.suite.store import Store
    from dareps.tracking import make_tracker

    runs = sorted(wanted.runs(), key=lambda run: run.seed)  # Every recipe once before any twice: time may be short.
    data = split_of(runs[0])
    rows = [rows_of(side) for side in (data.source_train, data.target_train)]
    if min(map(len, rows)) < 2:
        what = "a side has fewer than two rows to learn from"
        raise DataError("adapt", what, " and ".join(f"{len(own):,}" for own in rows), "Give files of more rows.")
    far = distance(*rows)
    say(f"shift: proxy A-distance {far.proxy:.2f} of 0 to 2, MMD {far.mmd:.4f} with p = {far.p:.3f} by permutation")
    store = Store(wanted.out / wanted.title)
    with store.exclusive():
        store.mark_expected(set(keys_of(runs)))
        tracker = make_tracker(store.folder)
        try:
            cuda, over = uses_cuda(asked.device), _over(asked, time.monotonic())
            stopped, failures = carried_out(wanted, runs, store, tracker, cuda, None, over)
        finally:
            for text in tracker.close():
                warn(text)
    for text in failures:
        note(f"failed: {text}")
    outcomes = store.outcomes()
    if stopped and not over():
        note("Stopped. The same command continues where it left off.")
        return STOPPED
    if not any(own.status == "ok" for own in outcomes):
        raise DataError("adapt", "no run has finished", fix="Give more minutes with --budget, or mend what failed.")
    _finish(asked, wanted, dataset, store.folder, outcomes, far)
    say(f"{duration(time.monotonic() - clock)} in all")
    return 0


def _over(asked: Request, clock: float) -> Callable[[], bool]:
    """Whether the minutes since the `clock` was read are up."""
    return lambda: asked.budget is not None and time.monotonic() - clock > 60 * asked.budget


def _finish(
    asked: Request, wanted: Wanted, dataset: type[OwnFiles], folder: Path, outcomes: Sequence[Outcome], far: Distance
) -> None:
    """Choose, predict, write and say."""
    from dareps.data.own._images import names
    from dareps.report.answer import Answer, write_answer
    from dareps.report.predictions import write_predictions
    from dareps.suite.answering import cautions, chosen, predicted, scored

    rule, target = wanted.suite.headline, dataset.domains[-1]
    places = scored(outcomes, rule)
    run = chosen(outcomes, places, rule)
    found = predicted(folder, run, outcomes, dataset().rows(target).x)
    found, doubles = write_predictions(folder, run, dataset.description, found, names(asked.target))
    texts = [*doubles, *cautions(far, places, run, found)]
    if asked.few is not None and not held_of(asked.few):
        sure = "what has trained on target labels looks sure of itself on the target"
        texts.append(f"fewer than {ENOUGH} labels of a class leave none to choose by: {sure}")
    words = (chosen_by(asked.few), asked.few)
    answer = Answer(dataset.domains, run.identity.task, rule, far, places, run, found, tuple(texts), *words)
    page = write_answer(folder, answer)
    unit = "%" if found.classes else "R2, %"
    head = ("recipe", rule, f"source {unit}", f"target {unit}", "seeds")
    lines = [(own.recipe, f"{own.score:.4f}", _percent(own.source), _percent(own.target), str(own.n)) for own in places]
    for line in columns([head, *lines]):
        say(line)
    say(f"chosen {chosen_by(asked.few)}: {run.identity.recipe}, seed {run.identity.seed}")
    for text in texts:
        warn(text)
    say(f"Predictions of all {found.count:,} rows: {folder / 'predictions.csv'}")
    say(f"Model: {folder / run.folder}")
    say(f"Report: {page}")


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.1f}"
