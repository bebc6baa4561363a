"""`dareps route`: the eight routes, by name, by three answers or for a split, and advice on a pretrained model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dareps.commands._output import note, warn
from dareps.commands._route_text import advice_lines, fitting_lines, overview, page, relation_lines
from dareps.errors import ConfigError
from dareps.recipe.bind import bind_run, expanded
from dareps.recipe.overrides import parse_override
from dareps.recipe.yaml_io import dump
from dareps.transfer.routes import route_named, route_of

if TYPE_CHECKING:
    from dareps.data._base import SplitData
    from dareps.recipe.method import Method
    from dareps.recipe.settings import Run

SOURCE_RECIPE = "source_only"
"""What a model is pretrained with where none is given."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for.

    Attributes:
        what: A route's name or a split; None with answers, or for all routes.
        task: Answers to the three questions; `domain` and `order` likewise.
        advise: Whether a pretrained model is to be measured.
        model: A stored run; None trains one.
        steps: Steps of that training; None for the dataset's own.
        seed: Of training and of the split.
        changes: Overrides as written.
        files: Plug-in files.
    """

    what: str | None = None
    task: str | None = None
    domain: str | None = None
    order: str | None = None
    advise: bool = False
    model: Path | None = None
    steps: int | None = None
    seed: int = 0
    changes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    @property
    def answers(self) -> tuple[str | None, str | None, str | None]:
        """The three answers."""
        return self.task, self.domain, self.order

    @property
    def told(self) -> tuple[str, ...]:
        """The overrides, those that options stand for included."""
        return (*self.changes, *((f"phases.0.steps={self.steps}",) if self.steps is not None else ()))

    @property
    def overrides(self) -> list[tuple[str, Any]]:
        """The same, read."""
        return [parse_override(text) for text in self.told]


def route(asked: Asked) -> Iterator[str]:
    """The lines that answer.

    Raises:
        ConfigError: Something was asked that does not go together, or has no such name.
        DataError: The data cannot be used.
    """
    _refuse_mixtures(asked)
    if any(asked.answers):
        yield from page(route_of(*_all_answers(asked)))
    elif asked.what is None:
        yield from overview()
    elif "/" not in asked.what:
        yield from page(route_named(asked.what))
    else:
        yield from _advice(asked, asked.what) if asked.advise else _relation(asked, asked.what)


def _relation(asked: Asked, split: str) -> Iterator[str]:
    from dareps.suite.relate import relate

    relation = relate(*_bound(asked, split))
    yield from relation_lines(relation)
    yield from fitting_lines(relation, split, asked.told)


def _advice(asked: Asked, split: str) -> Iterator[str]:
    from dareps.suite.advise import labelled_rows, measure
    from dareps.suite.warned import warnings_told

    run, data = _bound(asked, split)
    tasks = [task for task in run.tasks if task.kind == "classification"] or list(run.tasks)
    for task in tasks:  # What is missing shows before a model has been trained.
        labelled_rows(run, data, task)
    with warnings_told(warn):
        method = _model(asked, run, data)
        for task in tasks:
            measured = measure(run, data, method, task)
            yield from advice_lines(measured, split, _from_there(asked), several=len(run.tasks) > 1)


def _from_there(asked: Asked) -> Sequence[str]:
    """Overrides with which a recipe starts from the model that was measured, if it is a stored one."""
    if asked.model is None:
        return asked.told
    return (*asked.changes, f"pretrained.file={dump(str(asked.model)).splitlines()[0]}", "phases.0.steps=0")


def _model(asked: Asked, run: Run, data: SplitData) -> Method:
    from dareps.suite.advise import pretrained, stored

    if asked.model is not None:
        return stored(expanded(str(asked.model), "--model"), run, data)
    note(f"Training {SOURCE_RECIPE} on {'+'.join(run.source)}; --model RUN takes a stored model instead.")
    return pretrained(run, data)


def _bound(asked: Asked, split: str) -> tuple[Run, SplitData]:
    from dareps.engine.building import split_of

    run = bind_run(SOURCE_RECIPE, split, asked.seed, asked.overrides, plugins=asked.files)
    return run, split_of(run).restricted(run.tasks)


def _refuse_mixtures(asked: Asked) -> None:
    """Refuse options that would have no effect."""
    split = asked.what is not None and "/" in asked.what
    if asked.what is not None and any(asked.answers):
        fix = "Give a route's name, a split, or the three answers."
        raise ConfigError("route", "answers do not go with a name or split", asked.what, fix)
    if not split and (asked.advise or asked.told):
        what = "advice and settings need a split"
        raise ConfigError("route", what, asked.what or "none", "Give one, as in digits8/fonts:scans@30.")
    if asked.model is not None and asked.steps is not None:
        raise ConfigError("--steps", "a stored model is trained already", asked.steps, "Leave out one of the two.")
    if not asked.advise and (asked.model is not None or asked.steps is not None):
        raise ConfigError("route", "--model and --steps go with --advise", fix="Add --advise, or leave them out.")


def _all_answers(asked: Asked) -> Sequence[str]:
    given = dict(zip(("task", "domain", "order"), asked.answers, strict=True))
    for option, answer in given.items():
        if answer is None:
            known = "sequential or simultaneous" if option == "order" else "same or different"
            raise ConfigError(
                f"--{option}", "the three answers go together, and this one is missing", fix=f"Say {known}."
            )
    return [str(answer) for answer in given.values()]
