"""The options of `dareps adapt`; what it does is in `dareps.commands.adapt`, which takes longer to import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, cast, get_args

import typer

from dareps.errors import ConfigError

Kind = Literal["classification", "regression"]
KINDS = get_args(Kind)
COLUMNS = ("number", "category", "ignore")
Sources = Annotated[list[Path], typer.Option("--source", metavar="FILE", help="Rows with labels; more than once.")]
Target = Annotated[Path, typer.Option(metavar="FILE", help="Rows to predict; labels in it are for testing only.")]
Label = Annotated[str | None, typer.Option(metavar="NAME", help="The label's column.  [default: found]")]
Task = Annotated[str | None, typer.Option(metavar="KIND", help="classification or regression.  [default: found]")]
Recipes = Annotated[str | None, typer.Option(metavar="A,B", help="Recipes to try.  [default: those that fit]")]
Budget = Annotated[
    float | None, typer.Option(metavar="MINUTES", min=0, help="Of training: no run begins later.  [default: no end]")
]
Few = Annotated[
    int | None,
    typer.Option(
        "--few-shot", metavar="N", min=1, help="Use labels of N target rows a class; from 4 on a quarter chooses."
    ),
]
Rows = Annotated[
    int | None, typer.Option(metavar="N", min=10, help="Learn from N rows of each file at most.  [default: 200000]")
]
Side = Annotated[int | None, typer.Option(metavar="N", min=8, help="Side of the squares of images.  [default: 32]")]
Columns = Annotated[
    list[str] | None,
    typer.Option("--column", metavar="NAME=KIND", help="A column's kind: number, category or ignore; more than once."),
]
Changes = Annotated[
    list[str] | None, typer.Argument(metavar="KEY.PATH=VALUE", help="Settings of all recipes; values are YAML.")
]
Out = Annotated[Path, typer.Option(metavar="DIR", help="Where everything is written.")]


def adapt(
    source: Sources,
    target: Target,
    overrides: Changes = None,
    label: Label = None,
    task: Task = None,
    recipes: Recipes = None,
    budget: Budget = None,
    seeds: Annotated[int, typer.Option(min=1, metavar="N", help="Seeds 0 to N-1 of every recipe.")] = 3,
    few_shot: Few = None,
    rows: Rows = None,
    column: Columns = None,
    side: Side = None,
    workers: Annotated[int | None, typer.Option(min=1, metavar="N", help="Processes.  [default: cores]")] = None,
    device: Annotated[str, typer.Option(metavar="D", help="auto, cpu or cuda.")] = "auto",
    out: Out = Path("runs/adapt"),
) -> None:
    """Predict a target file from source files with labels, without target labels.

    predictions.csv has a line for each row: its number, from 0, the image's name below a folder, and what is predicted.
    """
    from dareps.commands.adapt import Request
    from dareps.commands.adapt import adapt as command
    from dareps.recipe.overrides import parse_override

    names = tuple(name.strip() for name in (recipes or "").split(",") if name.strip())
    changes = tuple(parse_override(text) for text in overrides or ())
    asked = Request(
        sources=tuple(source),
        target=target,
        label=label,
        task=_kind(task),
        recipes=names,
        budget=budget,
        seeds=seeds,
        few=few_shot,
        out=out,
        overrides=changes,
        workers=workers,
        device=device,
        rows=rows,
        side=side,
        columns=dict(_column(text) for text in column or ()),
    )
    raise typer.Exit(command(asked))


def _kind(task: str | None) -> Kind | None:
    if task not in (None, *KINDS):
        raise ConfigError("--task", "no such kind of task", task, f"Write {' or '.join(KINDS)}.")
    return cast(Kind | None, task)


def _column(text: str) -> tuple[str, str]:
    """A column and its kind."""
    name, _, kind = text.rpartition("=")
    if not name or kind not in COLUMNS:
        raise ConfigError("--column", "not a column and its kind", text, f"Write NAME={'|'.join(COLUMNS)}.")
    return name, kind
