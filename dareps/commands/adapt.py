"""`dareps adapt`: from one's own source and target files to predictions, a model and a page about them."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from dareps.commands._output import columns, duration, note, say, warn
from dareps.commands.bench import Wanted, carried_out
from dareps.commands.train import STOPPED, one_thread
from dareps.data.own.description import Asked, Description, Place
from dareps.errors import ConfigError, DataError
from dareps.recipe.own_data import described_text, load_description, whole
from dareps.suite._files import write_whole
from dareps.suite.settings import Suite

if TYPE_CHECKING:
    import numpy as np

    from dareps.data._base import LabelledPart, Part
    from dareps.data.own.dataset import OwnFiles
    from dareps.engine.outcome import Outcome
    from dareps.transfer.relation import Distance

Kind = Literal["classification", "regression"]
NAME: Final = "own"
RECIPES: Final[dict[str, tuple[str, ...]]] = {
    "classification": ("source_only", "deep_coral", "dann", "mcc", "dan", "adabn"),
    "regression": ("source_only", "deep_coral", "dann", "dan"),
    "few": ("source_only", "fine_tuning", "target_only", "weight_sharing"),
}
"""What is tried where nobody says, in this order, by the kind of task or with labelled target rows."""
RULES: Final = {"classification": "information_maximisation", "regression": "importance_weighted"}
NUMBERS: Final = {"engine.selection": ["last", "source_score", "dev", "importance_weighted"]}
"""What else is found out about runs on numbers, whose rules are not chosen by themselves."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asks for.

    Attributes:
        sources: Files or folders; `target` likewise.
        label: The label's column; None finds it.
        recipes: Recipes to try; none named means those that fit.
        budget: Minutes after which no further run begins.
        few: Target rows of each class whose labels may be trained on.
        overrides: Settings of all recipes.
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


def adapt(asked: Request) -> int:
    """Carry it out; returns the exit code.

    Raises:
        ConfigError: What was asked for does not go together.
        DataError: Files cannot be used.
    """
    clock = time.monotonic()
    one_thread()
    dataset, path = _described(asked)
    wanted = _wanted(asked, dataset, path)
    return _answered(asked, wanted, dataset, clock)


def _described(asked: Request) -> tuple[type[OwnFiles], Path]:
    """The dataset that the files make up, described in the output folder, with what was found said."""
    names = _names([*asked.sources, asked.target])
    places = {
        name: Place(file=str(_there(path))) for name, path in zip(names, [*asked.sources, asked.target], strict=True)
    }
    tasks = {asked.label: Asked(kind=asked.task)} if asked.label else {}
    description, found = whole(Description(name=NAME, domains=places, tasks=tasks))
    if asked.task and not asked.label:
        [label] = description.tasks
        tasks = {label: Asked(kind=asked.task)}
        description, found = whole(Description(name=NAME, domains=places, tasks=tasks))
    for line in found:
        say(line)
    path = asked.out.resolve() / f"{NAME}.yaml"
    _keep(path, described_text(description))
    return load_description(path), path


def _keep(path: Path, text: str) -> None:
    """Write the description, unless models that lie beside it read another one.

    Raises:
        ConfigError: The folder holds an answer about other data.
        StoreError: It cannot be written.
    """
    if path.is_file() and path.read_text(encoding="utf-8") != text:
        what = "the folder holds an answer about other files, whose models read their description there"
        raise ConfigError("--out", what, str(path.parent), "Choose another folder.")
    write_whole(path, text)


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
    few = "" if asked.few is None else f"@{asked.few}"
    kind = _kind(dataset)
    names = asked.recipes or RECIPES["few" if asked.few is not None else kind]
    suite = Suite(
        splits=(f"{NAME}/{'+'.join(sources)}:{target}{few}",),
        recipes=tuple(names),
        seeds=asked.seeds,
        headline=RULES[kind],
        set={"protocol": "paper", **({} if kind == "classification" else {**NUMBERS, "engine.keep": RULES[kind]})},
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
    from dareps.suite.distances import distance
    from dareps.suite.store import Store
    from dareps.tracking import make_tracker

    runs = sorted(wanted.runs(), key=lambda run: run.seed)  # Every recipe once before any twice: time may be short.
    data = split_of(runs[0])
    far = distance(*(_rows(side) for side in (data.source_train, data.target_train)))
    say(f"shift: proxy A-distance {far.proxy:.2f} of 0 to 2, MMD {far.mmd:.4f} with p = {far.p:.3f} by permutation")
    store = Store(wanted.out / wanted.title)
    with store.exclusive():
        store.mark_expected(set(keys_of(runs)))
        tracker = make_tracker(store.folder)
        try:
            cuda, over = uses_cuda(asked.device), _over(asked, clock)
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


def _rows(parts: Sequence[Part | LabelledPart]) -> np.ndarray:
    import numpy as np

    return np.concatenate([part.x for part in parts])


def _over(asked: Request, clock: float) -> Callable[[], bool]:
    """Whether the minutes are up."""
    return lambda: asked.budget is not None and time.monotonic() - clock > 60 * asked.budget


def _finish(
    asked: Request, wanted: Wanted, dataset: type[OwnFiles], folder: Path, outcomes: Sequence[Outcome], far: Distance
) -> None:
    """Choose, predict, write and say."""
    from dareps.report.answer import Answer, write_answer
    from dareps.suite.answering import cautions, chosen, predicted, scored

    rule, target = wanted.suite.headline, dataset.domains[-1]
    places = scored(outcomes, rule)
    run = chosen(outcomes, places, rule)
    found = predicted(folder, run, outcomes, dataset().rows(target).x)
    texts = [*_doubles(dataset), *cautions(far, places, run, found)]
    answer = Answer(dataset.domains, run.identity.task, rule, far, places, run, found, tuple(texts), _names_of(asked))
    page = write_answer(folder, answer)
    head = ("recipe", rule, "source %", "target %", "seeds")
    lines = [(own.recipe, f"{own.score:.4f}", _percent(own.source), _percent(own.target), str(own.n)) for own in places]
    for line in columns([head, *lines]):
        say(line)
    say(f"chosen without target labels: {run.identity.recipe}, seed {run.identity.seed}")
    for text in texts:
        warn(text)
    say(f"Predictions: {folder / 'predictions.csv'}")
    say(f"Model: {folder / run.folder}")
    say(f"Report: {page}")


def _names_of(asked: Request) -> tuple[str, ...]:
    """What the target's images are called; nothing where rows are in a file."""
    if not asked.target.is_dir():
        return ()
    from dareps.data.own._images import names

    return tuple(names(asked.target))


def _doubles(dataset: type[OwnFiles]) -> list[str]:
    """What rows that occur twice do to the answer."""
    from dareps.data.own._doubles import shared_rows, told_rows

    *sources, target = dataset.domains
    read = dataset()
    return told_rows(target, *shared_rows([read.rows(name).x for name in sources], read.rows(target).x))


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.1f}"
