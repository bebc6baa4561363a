"""What tuning writes: a table of all trials, a recipe with the chosen settings each, and a page that says how."""

from __future__ import annotations

import csv
import io
import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dareps.commands._output import columns
from dareps.recipe.bind import RUN_KEYS
from dareps.recipe.yaml_io import dump
from dareps.suite._files import write_whole
from dareps.suite.expand import changes_of, written
from dareps.suite.settings import Entry

if TYPE_CHECKING:
    from dareps.commands.bench import Wanted
    from dareps.suite.tuning import Judged, Search, Tuned

TUNED_COLUMNS: Final = (
    *("recipe", "trial", "chosen", "settings", "rank", "score", "failed", "source_metric", "target_metric"),
    "target_labels",
)
_HEAD: Final = ("recipe", "trials", "chosen", "score", "target", "labels", "settings")


def write_tuned(
    folder: Path, wanted: Wanted, entries: Mapping[str, Entry], search: Search, found: Sequence[Tuned]
) -> Path:
    """Write `tuned.csv`, `tuned/RECIPE.yaml` of each recipe with a choice, and `tuned.md`; returns the page."""
    for own in found:
        path = folder / "tuned" / f"{own.recipe}.yaml"
        if own.best is None:
            path.unlink(missing_ok=True)  # What an earlier command chose is not what this one did.
        else:
            write_whole(path, _recipe(wanted, entries, search, own, own.best))
    write_whole(folder / "tuned.csv", _csv(found))
    page, others = folder / "tuned.md", earlier(folder, search)
    write_whole(page, "\n".join(_page(wanted, search, found, others)) + "\n")
    return page


def earlier(folder: Path, search: Search) -> list[str]:
    """Recipes tuned here by commands that asked for others."""
    return sorted({path.stem for path in (folder / "tuned").glob("*.yaml")} - set(search.names))


def tuned_table(found: Sequence[Tuned]) -> Iterator[str]:
    """A line per recipe: as it stands, and as tuned."""
    return columns([_HEAD, *(_row(own) for own in found)])


def settings_text(own: Tuned, judged: Judged) -> str:
    """`align.0.weight=0.3 ...`, ready for the command line."""
    if not own.ranges:
        return "(declares no range)"
    return " ".join(f"{path}={value:g}" for path, value in judged.trial.draws.items())


def _row(own: Tuned) -> tuple[str, ...]:
    best = own.best
    shown = [own.default] if best is None else [own.default, best]
    return (
        own.recipe,
        str(len(own.trials)),
        "nothing" if best is None else "as it stands" if best.trial.number == 0 else f"trial {best.trial.number}",
        " -> ".join(_figure(judged, judged.score) for judged in shown),
        " -> ".join(_figure(judged, judged.target_metric) for judged in shown),
        str(shown[-1].target_labels),
        "" if best is None else settings_text(own, best),
    )


def _figure(judged: Judged, value: float | None) -> str:
    if value is None:
        return "failed" if judged.failed else "no number"
    return f"{value:.4f}"


def _csv(found: Sequence[Tuned]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(TUNED_COLUMNS)
    for own in found:
        writer.writerows(_csv_row(own, judged) for judged in own.trials)
    return buffer.getvalue()


def _csv_row(own: Tuned, judged: Judged) -> tuple[object, ...]:
    """Target accuracies of what was not chosen stay out of the table: it would invite a choice by them."""
    chosen = judged is own.best
    shown = judged.target_metric if chosen or judged is own.default else None
    first = (own.recipe, judged.trial.number, int(chosen), settings_text(own, judged) if own.ranges else "")
    return (*first, judged.rank, judged.score, judged.failed, judged.source_metric, shown, judged.target_labels)


def _recipe(wanted: Wanted, entries: Mapping[str, Entry], search: Search, own: Tuned, best: Judged) -> str:
    entry, run = entries[own.recipe], best.trial.runs[0]
    every = changes_of(wanted.suite, list(entries.values()), wanted.overrides)[own.recipe]
    changes = [*every, *(best.trial.draws.items() if best.trial.number else ())]
    others = [f"{path}={_inline(value)}" for path, value in every if path.split(".")[0] in RUN_KEYS]
    split = f"{run.dataset}/{run.split}"
    labels = best.target_labels
    seen = f"; its training saw {labels} target labels" if labels else ", without target labels"
    head = [
        f"# {own.recipe}, tuned on {wanted.title.removesuffix('-tuned')} by the label-free rule {search.rule}{seen}:",
        f"# {_choice(own)}.",
        " ".join(["# Run it as it was tuned: dareps train FILE --split", split, *others]),
    ]
    return "\n".join([*head, dump(written(entry, run, changes))])


def _inline(value: object) -> str:
    """A value on one line of YAML, which is JSON, quoted for a shell where it has to be."""
    return value if isinstance(value, str) else shlex.quote(json.dumps(value))


def _choice(own: Tuned) -> str:
    best = own.best
    if best is None:
        failed = all(judged.failed == len(judged.trial.keys) for judged in own.trials)
        return f"{'every run failed' if failed else 'no run has a score'}, so nothing was chosen"
    if not own.ranges:
        return "it declares no range, so nothing was tuned"
    which = "its own settings won" if best.trial.number == 0 else f"trial {best.trial.number} won"
    return f"{which} among {len(own.trials)} draws of {'; '.join(map(str, own.ranges))}"


def _page(wanted: Wanted, search: Search, found: Sequence[Tuned], others: Sequence[str]) -> Iterator[str]:
    runs = search.trials[search.names[0]][0].runs
    splits = sorted({f"{run.dataset}/{run.split}" for run in runs})
    seeds = len({run.seed for run in runs})
    yield f"# {wanted.title}\n"
    yield (
        f"Every recipe had the same number of draws of the settings that it declares a range for, its own settings "
        f"first ({search.sampler} sampling, seeded by the recipe's name). The rule `{search.rule}` chose the "
        f"checkpoint of every run and the trial of every recipe: in each split and seed it ranks a recipe's trials by "
        f"score; the fewest runs without a score won, of equals the best mean rank, then the earliest. No target "
        f"label had a part in the choice, except in recipes whose training reads them (column labels). Scores and "
        f"target accuracies are means over {len(splits)} split(s) and {seeds} seed(s), before -> after tuning; "
        f"target accuracy is shown, not used, and the score of a winner among many is flattered by the choice.\n"
    )
    yield f"| {' | '.join(_HEAD)} |"
    yield f"|{'---|' * len(_HEAD)}"
    for own in found:
        yield f"| {' | '.join(_row(own))} |"
    yield "\n## Which settings, and how\n"
    for own in found:
        yield f"* **{own.recipe}**: {_choice(own)}.{f' `tuned/{own.recipe}.yaml`' if own.best else ''}"
    if others:
        yield f"\nTuned here by earlier commands, and left as they are: {', '.join(others)}."
    yield f"\nSplits: {', '.join(splits)}."
