"""The page, the predictions and the table of `dareps adapt`."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from dareps import __version__
from dareps.engine.outcome import Outcome
from dareps.report._format import NONE, percent
from dareps.report._style import styled, svg
from dareps.suite._files import write_whole
from dareps.suite.answering import Predicted, Scored
from dareps.transfer.relation import Distance

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS: Final = 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What is to be told.

    Attributes:
        domains: Names, sources first, the target last.
        task: What is predicted.
        rule: What recipes and checkpoints were chosen by.
        chosen: Which target labels that read, in words.
        few: Labels of each class of the target that were used; None for none.
        distance: How far source and target are apart.
        places: Recipes, best first.
        run: The chosen run.
        predicted: Its predictions of target rows.
        cautions: Sentences to be read before anything else.
    """

    domains: tuple[str, ...]
    task: str
    rule: str
    distance: Distance
    places: Sequence[Scored]
    run: Outcome
    predicted: Predicted
    cautions: tuple[str, ...]
    chosen: str = "without target labels"
    few: int | None = None

    @property
    def target(self) -> str:
        """Name of the target domain."""
        return self.domains[-1]


def write_answer(folder: Path, answer: Answer) -> Path:
    """Write `leaderboard.csv` and `report.html`; returns the page's path.

    Raises:
        StoreError: The files cannot be written.
    """
    board = ("recipe", "seeds", "score", "source", "target", "seconds", "warnings")
    rows = [[own.recipe, own.n, *_figures(own), "; ".join(own.warnings)] for own in answer.places]
    write_whole(folder / "leaderboard.csv", _text(board, rows))
    path = folder / "report.html"
    write_whole(path, page(answer))
    return path


def page(answer: Answer) -> str:
    """The page as HTML without any outside resource."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    environment.filters["percent"] = lambda value: NONE if math.isnan(value) else percent(value)
    template = environment.from_string((resources.files("dareps.report") / "answer.html").read_text(encoding="utf-8"))
    with styled():
        figures = [(title, Markup(svg(figure, f"f{place}"))) for place, (title, figure) in enumerate(_drawn(answer))]
    return template.render(answer=answer, figures=figures, version=__version__)


def _figures(own: Scored) -> tuple[str, ...]:
    values = (own.score, own.source, own.target, own.seconds)
    return tuple("" if math.isnan(value) else f"{value:.6g}" for value in values)


def _text(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue()


def _drawn(answer: Answer) -> Iterable[tuple[str, Figure]]:
    """Predicted classes and their confidence, or the spread of predicted numbers."""
    found = answer.predicted
    figure, axes = _axes()
    if found.classes:
        names, shares = list(found.shares), list(found.shares.values())
        axes.barh(range(len(names)), [100 * share for share in shares], color="#0072B2")
        axes.set(yticks=range(len(names)), yticklabels=names, xlabel=f"% of the rows of {answer.target}")
        axes.invert_yaxis()
        yield "Predicted classes", figure
        figure, axes = _axes()
        axes.hist(found.confidence, bins=np.linspace(1 / len(found.classes), 1, BINS).tolist(), color="#0072B2")
        axes.set(xlabel="confidence of a row's class", ylabel="rows")
        yield "Confidence", figure
        return
    axes.hist(found.labels, bins=BINS, color="#0072B2")
    axes.set(xlabel=answer.task, ylabel="rows")
    yield "Predicted numbers", figure


def _axes() -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 3.2), layout="constrained")
    return figure, figure.subplots()
