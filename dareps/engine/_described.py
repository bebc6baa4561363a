"""One's own data in a saved model: its description travels with the weights, wherever they are taken."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dareps.data.own.dataset import OwnFiles, dataset_of
from dareps.data.own.description import described
from dareps.errors import CheckpointError
from dareps.recipe.bind import rebind
from dareps.recipe.own_data import described_text, nearest
from dareps.recipe.settings import Run
from dareps.recipe.yaml_io import ENDINGS, parse


def description_of(run: Run) -> dict[str, Any]:
    """What a model's record says of one's own data; nothing of any other."""
    if not isinstance(run.data, OwnFiles):
        return {}
    return {"description": described_text(run.data.description)}  # Records forget the order of keys: columns have one.


def rebound(record: Mapping[str, Any], path: Path) -> Run:
    """The run of a saved model, for prediction: without what training alone needs and plug-in files not here.

    Data of one's own is as the record describes it; records without a description name a file that is looked for beside
    the model first, then where it was.

    Args:
        record: What was saved with the weights.
        path: The model's file.

    Raises:
        CheckpointError: The description is nowhere.
    """
    config, told = record["run"], record.get("description")
    names = [nearest(name, path.resolve().parents[:3]) for name in config["method"]["plugins"]]
    if told is not None:
        dataset_of(described(parse(told, str(path)), str(path)))
        names = [name for name in names if Path(name).suffix not in ENDINGS]
    lost = [name for name in names if Path(name).suffix in ENDINGS and not Path(name).is_file()]
    if lost:
        fix = f"Put {Path(lost[0]).name} into the model's folder."
        raise CheckpointError(
            str(path), "the description of the model's data is neither beside it nor at", lost[0], fix
        )
    here = [name for name in names if Path(name).is_file()]
    method = {key: value for key, value in config["method"].items() if key != "pretrained"}
    method |= {"align": [], "guard": None, "phases": ["train"], "plugins": here}
    return rebind({**config, "method": method}, str(path))
