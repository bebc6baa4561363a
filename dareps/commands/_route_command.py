"""The options of `dareps route`; what it does is in `dareps.commands.route`, which takes longer to import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dareps.commands._output import say

What = Annotated[
    str | None, typer.Argument(metavar="NAME|SPLIT", help="A route, or data to find one for: DATA/SOURCE:TARGET@N.")
]
Changes = Annotated[
    list[str] | None, typer.Argument(metavar="KEY.PATH=VALUE", help="Settings of the data; values are YAML.")
]
Advise = Annotated[bool, typer.Option("--advise", help="Say how a pretrained model serves the target best.")]
Stored = Annotated[
    Path | None, typer.Option("--model", metavar="RUN", help="A stored one.  [default: trained on the source]")
]
Files = Annotated[
    list[Path] | None, typer.Option("--plugin", metavar="FILE", help="A Python file with parts of your own.")
]


def route(
    what: What = None,
    changes: Changes = None,
    task: Annotated[str | None, typer.Option(metavar="ANSWER", help="same or different: what is asked.")] = None,
    domain: Annotated[str | None, typer.Option(metavar="ANSWER", help="same or different: the rows.")] = None,
    order: Annotated[str | None, typer.Option(metavar="ORDER", help="sequential or simultaneous.")] = None,
    advise: Advise = False,
    model: Stored = None,
    steps: Annotated[int | None, typer.Option(min=0, metavar="N", help="Of training it on the source.")] = None,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Of the rows and of that training.")] = 0,
    plugin: Files = None,
) -> None:
    """Name the way from source to target, with a recipe to run; with --advise, how to use a pretrained model."""
    from dareps.commands.catalogue import load_files
    from dareps.commands.route import Asked
    from dareps.commands.route import route as command

    files = tuple(load_files(plugin or ()))
    for line in command(Asked(what, task, domain, order, advise, model, steps, seed, tuple(changes or ()), files)):
        say(line)
