"""The command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from dareps import __version__
from dareps.commands._adapt_command import adapt
from dareps.commands._output import guarded, say, uncollected
from dareps.commands._route_command import route
from dareps.errors import ConfigError

HELP = """Domain adaptation and shared representations: methods as recipes over one training loop.

Start with 'dareps list', 'dareps train dann' or 'dareps bench quick'."""


class Guarded(TyperGroup):
    """Commands whose errors are one line each."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an error becomes its message and exit code."""
        with guarded():
            return super().invoke(ctx)


app = typer.Typer(
    cls=Guarded,
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data_app = typer.Typer(help="List, download and check datasets.", no_args_is_help=True)
app.add_typer(data_app, name="data")

Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="KEY.PATH=VALUE", help="Settings to change; values are YAML.")
]
Files = Annotated[
    list[Path] | None, typer.Option("--plugin", metavar="FILE", help="A Python file with parts of your own.")
]
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Where results go.")]
Named = Annotated[str, typer.Argument(metavar="SUITE", help="A shipped suite's name, or a YAML file.")]
Seeds = Annotated[int | None, typer.Option(min=1, metavar="N", help="Seeds 0 to N-1.  [default: the suite's]")]
Workers = Annotated[int | None, typer.Option(min=1, metavar="N", help="Processes.  [default: cores; 1 on CUDA]")]
Recipes = Annotated[
    str | None, typer.Option(metavar="A,B", help="Run these alone: the suite's, other recipes or YAML files.")
]
Splits = Annotated[str | None, typer.Option(metavar="S,T", help="Run these instead of the suite's.")]
Device = Annotated[str, typer.Option("--device", metavar="D", help="auto, cpu, cuda or cuda:N.")]


def main() -> None:
    """Entry point of `dareps` and `python -m dareps`."""
    app(prog_name="dareps")


def _version(wanted: bool) -> None:
    if wanted:
        say(f"dareps {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


_root.__doc__ = HELP


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A shipped recipe's name, or a YAML file.")],
    overrides: Overrides = None,
    split: Annotated[
        str, typer.Option(metavar="DATA/SOURCE:TARGET", help="Several domains: a+b:c.")
    ] = "digits8/fonts:scans",
    seed: Annotated[int, typer.Option(metavar="N", help="Of initialisation, noise, order and rows.")] = 0,
    out: Out = Path("runs"),
    device: Device = "auto",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the bound configuration and its key only.")] = False,
    plugin: Files = None,
    baseline: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Warn of tasks below their single-task runs in this folder.")
    ] = None,
) -> None:
    """Train one recipe on one split with one seed."""
    from dareps.commands import train as command
    from dareps.commands.catalogue import load_files
    from dareps.recipe.bind import bind_run
    from dareps.recipe.overrides import parse_override

    changes = [parse_override(text) for text in overrides or ()]
    files = load_files(plugin or ())
    run = bind_run(recipe, split, seed, changes, plugins=files)
    if baseline is not None:
        run = bind_run(recipe, split, seed, [*changes, *command.guarded(run, baseline)], plugins=files)
    if dry_run:
        command.dry_run(run)
        return
    raise typer.Exit(command.train(run, out, device))


@app.command()
def bench(
    suite: Named,
    overrides: Overrides = None,
    seeds: Seeds = None,
    workers: Workers = None,
    out: Out = Path("runs"),
    recipes: Recipes = None,
    splits: Splits = None,
    device: Device = "auto",
    full: Annotated[bool, typer.Option("--full", help="The paper-sized variant.")] = False,
    plugin: Files = None,
) -> None:
    """Compare recipes on splits over seeds, and write the report."""
    from dareps.commands.bench import Wanted
    from dareps.commands.bench import bench as command
    from dareps.commands.catalogue import load_files
    from dareps.recipe.overrides import parse_override
    from dareps.suite.expand import read_suite

    files = tuple(load_files(plugin or ()))
    title, settings = read_suite(suite, full)
    changes = tuple(parse_override(text) for text in overrides or ())
    names = _names("--recipes", recipes), _names("--splits", splits)
    wanted = Wanted(title, settings, out, seeds, *names, changes, files, workers, device)
    raise typer.Exit(command(wanted))


@app.command()
def tune(
    suite: Named,
    rule: Annotated[str, typer.Option(metavar="RULE", help="The label-free rule that judges.")],
    overrides: Overrides = None,
    trials: Annotated[int, typer.Option(min=1, metavar="N", help="Draws of each recipe, its own settings first.")] = 20,
    sampler: Annotated[
        str, typer.Option(metavar="S", help="random, or tpe, which learns from earlier draws.")
    ] = "random",
    seeds: Seeds = None,
    workers: Workers = None,
    timeout: Annotated[float | None, typer.Option(min=0.0, metavar="MINUTES", help="Stop after so long.")] = None,
    out: Out = Path("runs"),
    recipes: Recipes = None,
    splits: Splits = None,
    device: Device = "auto",
    plugin: Files = None,
) -> None:
    """Tune every recipe of a suite by the same number of seeded draws, without target labels."""
    from dareps.commands.bench import Wanted
    from dareps.commands.catalogue import load_files
    from dareps.commands.tune import tune as command
    from dareps.recipe.overrides import parse_override
    from dareps.suite.expand import read_suite

    files = tuple(load_files(plugin or ()))
    title, settings = read_suite(suite)
    changes = tuple(parse_override(text) for text in overrides or ())
    names = _names("--recipes", recipes), _names("--splits", splits)
    wanted = Wanted(f"{title}-tuned", settings, out, seeds, *names, changes, files, workers, device)
    raise typer.Exit(command(wanted, trials, rule, sampler, timeout))


@app.command()
def report(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder that train or bench wrote, such as runs/quick.")
    ],
    selection: Annotated[
        str, typer.Option(metavar="RULE", help="Whose checkpoints make the headline figures.")
    ] = "information_maximisation",
) -> None:
    """Write runs.csv, leaderboard.csv, ensembles.csv, report.md and report.html anew."""
    from dareps.commands.bench import report as command

    raise typer.Exit(command(folder, selection))


@app.command("list")
def list_(
    family: Annotated[
        str | None, typer.Argument(metavar="FAMILY", help="recipes, suites, alignment, data, ...")
    ] = None,
    plugin: Files = None,
) -> None:
    """List recipes, suites and parts."""
    with uncollected():
        from dareps.commands.catalogue import listing, load_files

        load_files(plugin or ())
        for line in listing(family):
            say(line)


@app.command()
def show(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A recipe, suite or part; FAMILY/NAME where two share one.")
    ],
    plugin: Files = None,
) -> None:
    """Show settings with defaults, formula and paper."""
    with uncollected():
        from dareps.commands.catalogue import load_files, showing

        for line in showing(name, load_files(plugin or ())):
            say(line)


@app.command()
def doctor(out: Out = Path("runs")) -> None:
    """Look at versions, devices, data and rights; exit 1 with the fix for each fault."""
    from dareps.commands.doctor import doctor as command

    raise typer.Exit(command(out))


@app.command()
def predict(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A model folder that train or adapt printed.")],
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="Rows: .npy, .npz, .csv, .svmlight, ...; what `adapt` reads, for its models; a folder of images.",
        ),
    ],
    out: Annotated[Path | None, typer.Option(metavar="CSV", help="Where predictions go.  [default: printed]")] = None,
    device: Device = "auto",
    sets: Annotated[
        float | None,
        typer.Option(metavar="P", help="Add the classes, or the interval, that hold the truth with this probability."),
    ] = None,
) -> None:
    """Predict every row of a file, or every image of a folder.

    A line of CSV for each: its number, from 0, the image's name below a folder, and what is predicted.
    """
    from dareps.commands.predict import predict as command

    command(run, file, out, device, sets)


app.command()(adapt)
app.command()(route)


@data_app.command("list")
def data_list() -> None:
    """List datasets: what is here, origin and licence."""
    from dareps.commands.data import listed

    for line in listed():
        say(line)


@data_app.command("get")
def data_get(name: Annotated[str, typer.Argument(metavar="NAME", help="A dataset.")]) -> None:
    """Download a dataset, or what is missing of it."""
    from dareps.commands.data import fetched

    for line in fetched(name):
        say(line)


@data_app.command("check")
def data_check(name: Annotated[str, typer.Argument(metavar="NAME", help="A dataset.")]) -> None:
    """Read a dataset whole and check every file and label."""
    from dareps.commands.data import checked

    for line in checked(name):
        say(line)


def _names(option: str, text: str | None) -> tuple[str, ...]:
    """The names of a comma-separated option; none when it was not given."""
    names = tuple(name.strip() for name in (text or "").split(",") if name.strip())
    if text is not None and not names:
        raise ConfigError(option, "it names nothing", text, "Name some, or leave the option out.")
    return names
