"""What only a CUDA device can show: graphs, streams, real asynchrony. Skipped, with the reason, where there is none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from dareps.engine.capture import WARM_UP, Captured
from dareps.engine.execute import Surroundings, execute
from dareps.engine.loop import Trainer
from dareps.suite.store import Store
from tests.cli._ask import ask
from tests.engine._make import DEEP, FLOAT64, NOISY, SPLIT, data_of, distance, run_of, weights_of

pytestmark = pytest.mark.gpu

FIFTY = (("phases.*.steps", 50), ("phases.*.clip", 1.0), ("engine.evaluations", 3), ("engine.flush", 10))
TWO_PHASES = (
    {"streams": {"source": "labelled"}, "steps": 20},
    {"streams": {"source": "labelled", "target": "unlabelled"}, "steps": 30, "trains": ["encoder", "align"]},
)
CNN = {"name": "digit_cnn", "padding": 2, "channels": [3, 4], "width": 8, "dropout": 0.2}
AUGMENT = ("data.augment", ["affine", "crop", "erasing"])


def trainer_of(
    recipe: str, overrides: Sequence[tuple[str, Any]], seeds: Sequence[int] = (0,), stacked: bool | None = None
) -> Trainer:
    """A trainer on the device; the rows are those of the embedded digits."""
    runs = [run_of(recipe, overrides, seed) for seed in seeds]
    return Trainer(runs, [data_of(run) for run in runs], torch.device("cuda"), None, stacked)


def trained(*arguments: Any) -> Trainer:
    """The same, trained."""
    trainer = trainer_of(*arguments)
    trainer.train()
    torch.cuda.synchronize()
    return trainer


@contextmanager
def no_waiting() -> Iterator[None]:
    """Every wait of the host for the device is an error inside."""
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.fixture
def captures(monkeypatch: pytest.MonkeyPatch) -> list[Captured]:
    """Every capture that is made, so that a test cannot pass by never capturing."""
    made: list[Captured] = []
    usual = Captured._capture

    def capture(self: Captured, inputs: Any) -> None:
        usual(self, inputs)
        made.append(self)

    monkeypatch.setattr(Captured, "_capture", capture)
    return made


@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize("recipe", DEEP)
def test_a_captured_run_is_the_eager_run(recipe: str, stacked: bool, captures: list[Captured]):
    overrides = (*FLOAT64, *NOISY, *FIFTY)
    eager = trained(recipe, (*overrides, ("engine.capture", "off")), (3,), stacked)
    assert captures == []
    captured = trained(recipe, (*overrides, ("engine.capture", "on")), (3,), stacked)
    [graph] = captures
    assert graph.seen == 50 > WARM_UP
    assert distance(weights_of(captured), weights_of(eager)) < 1e-6
    for name, curve in eager.ledgers[0].curves.items():
        steps, values = zip(*curve, strict=True)
        other_steps, other_values = zip(*captured.ledgers[0].curves[name], strict=True)
        assert other_steps == steps
        assert other_values == pytest.approx(values, abs=1e-6), name


def test_a_captured_convolutional_run_with_augmentation_is_the_eager_run(captures: list[Captured]):
    overrides = (*FLOAT64, *FIFTY, ("encoder", CNN), AUGMENT)
    eager = trained("dann", (*overrides, ("engine.capture", "off")))
    captured = trained("dann", overrides)
    assert len(captures) == 1
    assert distance(weights_of(captured), weights_of(eager)) < 1e-6


@pytest.mark.parametrize("optimizer", ["adam", "adamw", {"name": "sgd", "lr": 0.01}])
def test_every_phase_and_optimizer_is_captured(optimizer: Any, captures: list[Captured]):
    phases = [{**phase, "optimizer": optimizer} for phase in TWO_PHASES]
    overrides = (*FLOAT64, ("phases", phases), ("engine.evaluations", 3))
    eager = trained("dann", (*overrides, ("engine.capture", "off")))
    captured = trained("dann", overrides)
    assert len(captures) == 2
    assert distance(weights_of(captured), weights_of(eager)) < 1e-6


@pytest.mark.parametrize("capture", ["off", "on"])
@pytest.mark.parametrize("recipe", DEEP)
def test_stacked_seeds_train_as_if_alone(recipe: str, capture: str):
    overrides = (*FLOAT64, *NOISY, *FIFTY, ("engine.capture", capture))
    seeds = (0, 3, 11)
    together = trained(recipe, overrides, seeds)
    for copy, seed in enumerate(seeds):
        alone = trained(recipe, overrides, (seed,))
        assert distance(weights_of(together, copy), weights_of(alone)) < 1e-9


@pytest.mark.parametrize("recipe", DEEP)
def test_cuda_trains_like_the_processor(recipe: str):
    overrides = (*FLOAT64, *NOISY, *FIFTY)
    on_device = trained(recipe, overrides)
    run = on_device.run
    on_host = Trainer([run], [data_of(run)], torch.device("cpu"))
    on_host.train()
    host = weights_of(on_host)
    assert distance({name: value.cpu() for name, value in weights_of(on_device).items()}, host) < 1e-6


@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize("recipe", DEEP)
def test_no_step_waits_for_the_device(recipe: str, stacked: bool):
    trainer = trainer_of(recipe, (*NOISY, *FIFTY, AUGMENT, ("engine.capture", "off")), (0,), stacked)
    plan = trainer.plans[0]
    trainer.enter(plan)
    pool = trainer.pool(plan)
    step = trainer.step_function(plan, pool)
    inputs = list(trainer.inputs(plan, pool, 0, 6))
    for own in inputs[:3]:  # Libraries set themselves up in the first steps.
        step(own)
    with no_waiting():
        for own in inputs[3:]:
            step(own)


def test_no_replay_waits_for_the_device():
    trainer = trainer_of("dann", (*NOISY, *FIFTY, ("engine.capture", "on")))
    plan = trainer.plans[0]
    trainer.enter(plan)
    pool = trainer.pool(plan)
    step = trainer.step_function(plan, pool)
    inputs = list(trainer.inputs(plan, pool, 0, WARM_UP + 4))
    for own in inputs[: WARM_UP + 1]:  # The last of these is the capture.
        step(own)
    with no_waiting():
        for own in inputs[WARM_UP + 1 :]:
            step(own)


def test_the_watch_sees_a_wait():
    value = torch.ones((), device="cuda")
    with pytest.raises(RuntimeError, match="synchroniz"), no_waiting():
        value.item()


@pytest.mark.parametrize("capture", ["off", "auto"])
@pytest.mark.parametrize("recipe", ["source_only", "dann", "dan"])
def test_half_precision_trains(recipe: str, capture: str, tmp_path: Path):
    overrides = (("engine.precision", "bf16"), ("engine.capture", capture), ("phases.0.steps", 150))
    run = run_of(recipe, overrides)
    [outcome] = execute([run], Surroundings(tmp_path, torch.device("cuda")))
    assert (outcome.status, outcome.error) == ("ok", "")
    assert outcome.selected[0].source_metric > 0.6
    assert all(row.target_metric > 0.2 for row in outcome.selected)


def test_a_suite_on_the_device_stacks_its_seeds(tmp_path: Path):
    text = f"splits: [{SPLIT}]\nrecipes: [source_only, linear_svm, dann]\nseeds: 2\nset: {{phases.*.steps: 30}}\n"
    (tmp_path / "tiny.yaml").write_text(text, encoding="utf-8")
    result = ask("bench", tmp_path / "tiny.yaml", "--out", tmp_path, "--device", "cuda")
    assert result.exit_code == 0, result.stderr
    found = {(own.identity.recipe, own.identity.seed) for own in Store(tmp_path / "tiny").outcomes()}
    assert found == {(recipe, seed) for recipe in ("source_only", "linear_svm", "dann") for seed in (0, 1)}
