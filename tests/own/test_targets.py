"""Labels of a target are for testing only: what a task is comes from the sources."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from dareps.commands.adapt import Request, _described, continues
from dareps.data.own._rows import domain_rows
from dareps.data.own.dataset import dataset_of
from dareps.data.own.description import Description, described
from dareps.errors import ConfigError, DataError
from dareps.recipe.own_data import described_text, whole
from dareps.recipe.yaml_io import read

from ._files import save

WORDS = [f"zz{row % 7}" for row in range(40)]
DECIMALS = [f"{row / 7:.4f}" for row in range(40)]
CLASSES, NUMBERS = [str(row % 2) for row in range(40)], [str(row / 8) for row in range(40)]


def table(path: Path, labels: Sequence[str]) -> Path:
    return save(path, "\n".join(["x,y", *(f"{row * 37 % 101 / 8},{label}" for row, label in enumerate(labels))]))


def description(folder: Path, source: Sequence[str], target: Sequence[str], **more: object) -> tuple[Description, str]:
    """What is found in a labelled source and a labelled target, and what is said."""
    places = {name: {"file": str(table(folder / f"{name}.csv", own))} for name, own in (("s", source), ("t", target))}
    settings = {"name": "own", "domains": places, "tasks": {"y": {}}, "targets": ["t"], **more}
    found, said = whole(described(settings, "own"))
    return found, "\n".join(said)


@pytest.mark.parametrize("source", [CLASSES, NUMBERS], ids=["classes", "numbers"])
@pytest.mark.parametrize("target", [WORDS, DECIMALS, [""] * 40, CLASSES], ids=["words", "decimals", "none", "right"])
def test_target_labels_say_nothing_of_the_task(source: list[str], target: list[str], tmp_path: Path) -> None:
    plain, _ = description(tmp_path, source, source)
    assert description(tmp_path, source, target)[0] == plain
    assert dataset_of(plain).tasks[0].classes == (("0", "1") if source is CLASSES else ())


def test_labels_that_do_not_fit_are_missing_and_told(tmp_path: Path) -> None:
    own, said = description(tmp_path, CLASSES, ["1.0", "0", *WORDS[2:]])
    assert "label y: 38 of 40 rows of t count as unlabelled, their labels are no classes of the source: " in said
    assert said.endswith("zz2, zz3, zz4, zz5, zz6, ...")
    assert domain_rows(own, "t").y["y"].tolist() == [1, 0, *[-1] * 38]
    own, said = description(tmp_path, NUMBERS, ["q" * 99, "", *DECIMALS[2:]])
    assert "label y: 1 of 40 rows of t count as unlabelled, their labels are no numbers: ..." in said
    np.testing.assert_array_equal(np.isnan(domain_rows(own, "t").y["y"]), [True, True, *[False] * 38])
    assert "unlabelled" not in description(tmp_path, CLASSES, ["", *CLASSES[1:]])[1]


def test_the_same_of_long_files(tmp_path: Path) -> None:
    own, _ = description(tmp_path, CLASSES, WORDS, rows=20)
    assert own.tasks["y"].classes == ("0", "1")
    own, _ = description(tmp_path, NUMBERS, WORDS, rows=20)
    assert own.tasks["y"].kind == "regression"
    assert len(domain_rows(own, "t").y["y"]) == 20


def test_without_targets_all_domains_have_a_say(tmp_path: Path) -> None:
    own, _ = description(tmp_path, CLASSES, WORDS, targets=[])
    assert own.tasks["y"].classes == ("0", "1", *sorted(set(WORDS)))


def test_a_source_must_have_labels_that_fit(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the label is missing in every row, got 'y'. Give labels in the source"):
        description(tmp_path, [""] * 40, CLASSES)
    own, _ = description(tmp_path, ["2", *CLASSES[1:]], CLASSES, tasks={"y": {"kind": "classification"}})
    listed = own.model_copy(update={"tasks": {"y": own.tasks["y"].model_copy(update={"classes": ("0", "1")})}})
    with pytest.raises(DataError, match="label y: not one of the classes, got '2'"):
        domain_rows(listed, "s")


@pytest.mark.parametrize("targets", [["x"], ["s", "t"]])
def test_targets_are_some_of_the_domains(targets: list[str], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="targets: not some of the domains"):
        description(tmp_path, CLASSES, CLASSES, targets=targets)


def test_adapt_names_its_target_and_goes_on_from_what_did_not(tmp_path: Path) -> None:
    source, target = table(tmp_path / "s.csv", CLASSES), table(tmp_path / "t.csv", WORDS)
    for few in (None, 3):
        dataset, path = _described(Request((source,), target, label="y", few=few, out=tmp_path / "out"))
        assert dataset.tasks[0].classes == ("0", "1")
        own = described(read(path), "own")
        assert own.targets == ("t",)
        assert (dataset().rows("t").y["y"] == -1).all()
    earlier = own.model_copy(update={"targets": ()})
    assert continues(earlier, own)
    assert "targets" not in described_text(earlier)
    assert not continues(own.model_copy(update={"targets": ("s",)}), own)
