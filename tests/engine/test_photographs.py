"""Training on photographs: the frame in training, prediction and reconstruction, rows from loaders, time of waiting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import dareps
from dareps.data.augment.resized_crop import ResizedCrop
from dareps.data.own._images import names
from dareps.data.pacs import PACS
from dareps.engine import inputs, rows
from dareps.engine.building import build_method, split_of
from dareps.engine.execute import Surroundings, execute
from dareps.engine.loop import Trainer
from dareps.engine.rows import Clock
from dareps.engine.shallow import fit_shallow
from dareps.errors import ConfigError, DataError
from dareps.recipe.bind import bind_run
from dareps.recipe.settings import Run
from dareps.types import Batch
from tests.data._photographs import tree
from tests.engine._make import CPU, distance, weights_of

Overrides = Sequence[tuple[str, Any]]
SMALL: Overrides = (
    ("data.side", 20),
    ("data.crop", 16),
    ("encoder", {"name": "conv2d", "channels": [4, 6], "width": 8}),
    ("phases.*.steps", 12),
    ("phases.*.batch", 6),
    ("phases.*.optimizer", "adam"),
    ("engine.evaluations", 2),
    ("engine.flush", 5),
)


@pytest.fixture(autouse=True, scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("root")
    for domain in ("photo", "sketch"):
        tree(folder / "pacs" / domain, PACS.tasks[0].classes, each=5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAREPS_DATA", str(folder))
        patch.setenv("DAREPS_CACHE", str(folder / "cache"))
        yield folder


def run_of(recipe: str = "dann", changes: Overrides = ()) -> Run:
    return bind_run(recipe, "pacs/photo:sketch", 0, [*SMALL, *changes])


def trainer_of(run: Run) -> Trainer:
    return Trainer([run], [split_of(run)], CPU)


def test_encoders_see_the_middle_scaled_by_channel() -> None:
    run = run_of()
    trainer = trainer_of(run)
    seen: list[torch.Tensor] = []
    encoder = trainer.population.method.encoder.encoder
    encoder.chain["conv1"].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    assert encoder.shapes["conv1"] == (4, 8, 8)
    x = trainer.data[0].target_validation[0].x
    trainer.evaluators[0].seen(trainer.population.method, trainer.data[0].target_validation)
    wanted = run.data.frame()(torch.from_numpy(np.asarray(x)) / 255)
    assert wanted.shape[2:] == (16, 16)
    assert torch.equal(seen[-1], wanted)


def test_a_crop_of_the_augmentation_leaves_nothing_to_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = trainer_of(run_of(changes=[("data.augment", ["flip", {"name": "resized_crop", "size": 16}])]))
    batches: list[Batch] = []
    original = type(trainer.population.method).forward

    def watched(method: Any, batch: Batch, step: Any) -> Any:
        batches.append(batch)
        return original(method, batch, step)

    monkeypatch.setattr(type(trainer.population.method), "forward", watched)
    trainer.train()
    assert len(batches) == 12
    assert {batch.joined.shape for batch in batches} == {(12, 3, 16, 16)}
    assert batches[0].plain is not None
    assert batches[0].plain.shape == (12, 3, 20, 20)
    assert ResizedCrop(size=16).size == trainer.run.data.frame().crop


@pytest.mark.parametrize("recipe", ["dsn", "vada", "fixmatch", "mcd"])
@pytest.mark.parametrize("augment", [[], ["flip", {"name": "resized_crop", "size": 16}]])
def test_recipes_that_read_inputs_train_on_frames(recipe: str, augment: list[Any], tmp_path: Path) -> None:
    if recipe == "fixmatch" and not augment:
        pytest.skip("fixmatch is made of augmentations")
    run = run_of(recipe, [("data.augment", augment)])
    (outcome,) = execute([run], Surroundings(tmp_path, CPU, save=frozenset()))
    assert outcome.status == "ok", outcome.error


@pytest.mark.parametrize("loaders", [0, 2])
def test_rows_from_a_loader_train_the_same_model(loaders: int) -> None:
    crop = ("data.augment", ["flip", {"name": "resized_crop", "size": 16}])
    resident = trainer_of(run_of(changes=[crop]))
    loaded = trainer_of(run_of(changes=[crop, ("engine.rows", "loader"), ("engine.loaders", loaders)]))
    resident.train()
    loaded.train()
    assert distance(weights_of(resident), weights_of(loaded)) == 0
    assert resident.ledgers[0].curves == loaded.ledgers[0].curves
    for trainer in (resident, loaded):
        assert 0 < trainer.clock.share < 1


def test_saved_models_read_rows_as_training_did(tmp_path: Path) -> None:
    run = run_of()
    (outcome,) = execute([run], Surroundings(tmp_path, CPU))
    assert outcome.status == "ok", outcome.error
    assert 0 < outcome.waiting < 1
    model = dareps.load(tmp_path / outcome.folder)
    (test,) = split_of(run).target_test
    found = model.predict(np.asarray(test.x))
    confusion = next(own for own in outcome.selected if own.selection == run.engine.keep).confusion
    assert np.bincount(found, minlength=7).tolist() == np.sum(confusion, axis=0).tolist()


def test_a_folder_of_images_is_predicted_by_name(
    tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from dareps.commands.predict import predict

    (outcome,) = execute([run_of()], Surroundings(tmp_path, CPU))
    folder = root / "pacs" / "sketch" / "dog"
    predict(tmp_path / outcome.folder, folder, None, "cpu")
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.startswith("row,image,class,")
    assert [line.split(",")[:2] for line in lines] == [[str(row), name] for row, name in enumerate(names(folder))]
    pixels = np.concatenate(list(run_of().data.read_rows(folder) or []))
    model = dareps.load(tmp_path / outcome.folder)
    assert [line.split(",")[2] for line in lines] == [model.classes[own] for own in model.predict(pixels)]
    with pytest.raises(DataError, match="no images in this folder"):
        predict(tmp_path / outcome.folder, tmp_path / "models" / "..", None, "cpu")


def test_the_linear_machine_sees_what_its_head_will_see(tmp_path: Path) -> None:
    run = bind_run("linear_svm", "pacs/photo:sketch", 0, [("data.side", 20), ("data.crop", 8)])
    (outcome,) = execute([run], Surroundings(tmp_path, CPU, save=frozenset()))
    assert outcome.status == "ok", outcome.error
    data = split_of(run)
    method = build_method(run, data)
    fit_shallow(run, data, method)
    (part,) = data.source_train
    seen = run.data.frame()(torch.from_numpy(np.asarray(part.x)) / 255).flatten(1)
    head = method.heads["object"]
    assert head.in_features == 3 * 8 * 8
    # Fewer rows than pixels: a machine that read them learns them all.
    assert (head(seen.to(head.weight.dtype)).argmax(1).numpy() == part.y["object"]).all()


@pytest.mark.parametrize(
    "changes",
    [
        [("data.crop", None), ("data.augment", [{"name": "resized_crop", "size": 16}])],
        [("data.crop", 18), ("data.augment", [{"name": "resized_crop", "size": 16}])],
    ],
)
def test_training_and_prediction_see_images_of_one_size(changes: Overrides) -> None:
    with pytest.raises(ConfigError, match=r"data\.augment: encoders would see \(3, 16, 16\) in training and"):
        trainer_of(run_of(changes=changes))


def test_rows_that_the_device_has_no_room_for_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "room", lambda device: 1000)
    with pytest.raises(ConfigError, match=r"engine\.rows: 0 GiB of rows do not fit on cpu.*engine\.rows=loader"):
        trainer_of(run_of()).train()
    trainer_of(run_of(changes=[("engine.rows", "loader")])).train()


def test_large_rows_pass_in_smaller_blocks_and_are_compared_by_fewer_pixels() -> None:
    assert [len(block) for block in inputs.blocks_of(np.zeros((2500, 4), np.float32))] == [1024, 1024, 452]
    assert inputs.at_once((3, 224, 224)) == 2**25 // (4 * 3 * 224 * 224) == 55
    assert inputs.at_once((3, 9000, 9000)) == inputs.FEW
    wide = np.arange(2 * 3 * 128 * 96, dtype=np.uint8).reshape(2, 3, 128, 96)
    found = inputs.shrunk(wide)
    assert found.shape == (2, 3, 64, 64)
    assert found.mean() == pytest.approx(wide.mean(), rel=1e-3)
    small = np.zeros((2, 3, 64, 64), np.uint8)
    assert inputs.shrunk(small) is small


def test_clocks_tell_the_share_of_waiting() -> None:
    clock = Clock()
    assert clock.share == 0
    with clock.stepping():
        with clock.waiting():
            sum(range(20_000))
        sum(range(20_000))
    assert 0 < clock.waited < clock.spent
    assert clock.share == clock.waited / clock.spent


def test_torchvisions_transforms_train_seeds_one_by_one(tmp_path: Path) -> None:
    change = ("data.augment", [{"name": "torchvision", "transform": "RandAugment", "arguments": {"num_ops": 1}}])
    changes = [*SMALL, change, ("engine.stack", True)]
    runs = [bind_run("source_only", "pacs/photo:sketch", seed, changes) for seed in (0, 1)]
    with pytest.warns(UserWarning, match="sets generators on the host; the seeds train one by one"):
        outcomes = execute(runs, Surroundings(tmp_path, CPU, save=frozenset()))
    assert [own.status for own in outcomes] == ["ok", "ok"]
    (again,) = execute(runs[1:], Surroundings(tmp_path, CPU, save=frozenset()))
    assert again.curves == outcomes[1].curves
