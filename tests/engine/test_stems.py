"""Training across modalities: images first and pen paths afterwards, or both at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import dareps
from dareps.data._base import SplitData
from dareps.data.split import make_split
from dareps.data.strokes import Strokes
from dareps.engine import checkpoint
from dareps.engine.execute import Surroundings, execute
from dareps.engine.loop import Stopped, Trainer
from dareps.errors import ConfigError, DataError
from dareps.guarding.shadow import Shadow
from dareps.maths.domains import NormFactory
from dareps.plugin import plugins
from dareps.recipe.bind import bind_run, dump_run, rebind
from dareps.recipe.method import Method
from dareps.recipe.settings import Recipe, Run
from dareps.recipe.shadows import Shadows
from dareps.recipe.stems import inputs_of
from dareps.sharing import SharingScheme
from dareps.sharing._modules import Group
from tests.engine._make import CPU, distance, outcome_of, run_of, weights_of

ONE_THEN_THE_OTHER = [{"streams": {"source": "labelled"}}, {"streams": {"target": "labelled"}}]
TOGETHER = [{"streams": {"source": "labelled", "target": "labelled"}}]
SMALL: tuple[tuple[str, Any], ...] = (
    ("data.rows_per_domain", 60),
    ("data.test_rows", 30),
    ("encoder", {"name": "digit_cnn", "channels": [3, 4], "kernel": 3, "padding": 1, "width": 8}),
    ("phases.*.steps", 12),
    ("phases.*.batch", 8),
    ("engine.evaluations", 2),
    ("engine.flush", 5),
)
STEM = "encoder.encoder.chain.stem.own.paths."
SHIPPED = {name: part for name, part in plugins(SharingScheme).items() if part.__module__.startswith("dareps.")}
SCHEMES = sorted(name for name, part in SHIPPED.items() if "domains" in part.directions)


def run_between(phases: Sequence[Any], *more: tuple[str, Any], seed: int = 0, split: str = "images:paths") -> Run:
    """A short run on written digits."""
    return bind_run("source_only", f"strokes/{split}", seed, [("phases", list(phases)), *SMALL, *more])


@lru_cache(maxsize=4)
def _data(seed: int, source: tuple[str, ...], target: tuple[str, ...]) -> SplitData:
    own = run_between(ONE_THEN_THE_OTHER).data
    return make_split(own, source, target, seed, "inductive" if target else "supervised")


def trainer_on(runs: Sequence[Run], stacked: bool | None = None) -> Trainer:
    return Trainer(runs, [_data(run.seed, tuple(run.source), tuple(run.target)) for run in runs], CPU, None, stacked)


def phase_by_phase(run: Run) -> list[dict[str, torch.Tensor]]:
    """The weights at the start and after each phase."""
    trainer = trainer_on([run])
    found = [weights_of(trainer)]
    for plan in trainer.plans:
        trainer._phase(plan)
        trainer.position.phase, trainer.position.step = plan.number + 1, 0
        found.append(weights_of(trainer))
    return found


def moved(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


def test_a_stem_learns_when_its_own_domain_is_read() -> None:
    start, images, paths = phase_by_phase(run_between(ONE_THEN_THE_OTHER))
    stems = {name for name in start if name.startswith(STEM)}
    assert len(stems) == 2
    assert not stems & moved(start, images)
    assert stems <= moved(images, paths)
    assert "encoder.encoder.chain.conv1.0.weight" in moved(start, images)


def test_a_stem_may_learn_alone() -> None:
    phases = [ONE_THEN_THE_OTHER[0], {**ONE_THEN_THE_OTHER[1], "trains": ["encoder.stem"]}]
    _, images, paths = phase_by_phase(run_between(phases, ("normalise", "frozen")))
    assert {name for name in moved(images, paths) if "running" not in name} == {f"{STEM}1.weight", f"{STEM}1.bias"}


def test_adapters_are_for_the_encoder_and_not_for_its_stem() -> None:
    phases = [ONE_THEN_THE_OTHER[0], {**ONE_THEN_THE_OTHER[1], "trains": ["adapters", "encoder.stem"]}]
    more = (("adapters", {"rank": 2}), ("normalise", "frozen"))
    start, images, paths = phase_by_phase(run_between(phases, *more))
    assert not any("stem" in name for name in start if ".adapter." in name)
    changed = {name for name in moved(images, paths) if "running" not in name}
    assert changed == {name for name in start if ".adapter." in name or name.startswith(STEM)}


def test_features_behind_a_still_stem_may_be_computed_once() -> None:
    head = {**ONE_THEN_THE_OTHER[1], "trains": ["heads"]}
    double = ("engine.precision", "float64")
    found = [
        phase_by_phase(run_between([*ONE_THEN_THE_OTHER, {**head, "cache": cache}], double))[-1]
        for cache in ("on", "off")
    ]
    assert distance(*found) < 1e-10


def test_the_encoder_starts_as_it_would_without_stem() -> None:
    run = run_between(ONE_THEN_THE_OTHER)
    ours = trainer_on([run]).population.method
    plain = Method(run.method, (1, 16, 16), list(run.tasks), ("images",), ("paths",), run.seed)
    own, other = ours.state_dict(), plain.state_dict()
    assert set(own) - set(other) == {f"{STEM}1.weight", f"{STEM}1.bias"}
    assert all(torch.equal(own[name], value) for name, value in other.items())


@pytest.mark.parametrize("phases", [ONE_THEN_THE_OTHER, TOGETHER], ids=["apart", "together"])
@pytest.mark.parametrize("stem", ["linear", "conv1d"])
def test_stacked_seeds_train_as_if_alone(phases: list[Any], stem: str) -> None:
    more = (("engine.precision", "float64"), ("stem", stem))
    runs = [run_between(phases, *more, seed=seed) for seed in (0, 3)]
    together = trainer_on(runs)
    together.train()
    for copy, run in enumerate(runs):
        alone = trainer_on([run])
        alone.train()
        assert distance(weights_of(together, copy), weights_of(alone)) < 1e-9


@pytest.mark.parametrize("stops", [1, 4])
def test_a_stopped_run_continues_exactly(stops: int, tmp_path: Path) -> None:
    run = run_between(ONE_THEN_THE_OTHER, ("engine.checkpoint_seconds", 0.0))
    whole, calls = outcome_of(run, tmp_path / "whole"), iter(range(1, 100))
    with pytest.raises(Stopped):
        execute([run], Surroundings(tmp_path / "parts", CPU, stop=lambda: next(calls) >= stops))
    parts = outcome_of(run, tmp_path / "parts")
    assert whole.status == parts.status == "ok"
    assert whole.curves == parts.curves
    saved = [
        checkpoint.load(tmp_path / folder / own.folder / "model.safetensors")[0]
        for folder, own in (("whole", whole), ("parts", parts))
    ]
    assert all(torch.equal(saved[0][name], saved[1][name]) for name in saved[0])


@pytest.mark.parametrize("normalise", ["joint", "per_domain"])
def test_modalities_are_aligned_in_one_step(normalise: str) -> None:
    phases = [{"streams": {"source": "labelled", "target": "unlabelled"}}]
    more = (("align", ["mmd"]), ("normalise", normalise))
    start, end = phase_by_phase(run_between(phases, *more))
    # No label of a path is read: the stem can only have moved for the alignment.
    assert moved(start, end) >= {f"{STEM}1.weight", f"{STEM}1.bias"}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_shares_between_modalities(scheme: str) -> None:
    # An image has one channel, which cannot be halved into subspaces.
    settings = {"name": scheme, **({"subspaces": 1} if scheme == "sluice" else {})}
    trainer = trainer_on([run_between(TOGETHER, ("sharing", settings), ("phases.*.steps", 2))])
    before = weights_of(trainer)
    trainer.train()
    after = weights_of(trainer)
    assert all(torch.isfinite(value).all() for value in after.values())
    assert any(".stem.own.paths." in name for name in moved(before, after))


def test_a_guards_shadow_has_a_stem_too() -> None:
    run = run_between(TOGETHER)
    assert run.method.encoder is not None
    torch.manual_seed(0)  # Of untrained weights, which may let no row through.
    inputs, guard = inputs_of(run.method, (256,), Strokes.forms, Strokes.domains), Shadow(encoder=run.method.encoder)
    shadows = Shadows(guard, inputs, NormFactory("joint", 2), run.tasks, Strokes.domains)
    (found,) = shadows.outputs("digit", torch.linspace(-1, 1, 768).sin().view(3, 256), [Group(3, "paths", ("digit",))])
    found.square().sum().backward()
    weights = dict(shadows.named_parameters())["digit.encoder.encoder.chain.stem.own.paths.1.weight"]
    assert weights.grad is not None
    assert weights.grad.any()


def test_several_sources_need_not_have_one_form() -> None:
    run = run_between([{"streams": {"source": "labelled"}}], ("encoder", "mlp"), split="paths+images")
    start, end = phase_by_phase(run)
    assert [name for name in start if ".stem." in name and name in moved(start, end)] == [
        f"encoder.encoder.chain.stem.own.images.1.{name}" for name in ("weight", "bias")
    ]


def test_the_first_source_says_what_the_encoder_reads() -> None:
    run = run_between(ONE_THEN_THE_OTHER, split="paths:images")
    with pytest.raises(ConfigError, match=r"digit_cnn: needs images \(channels, height, width\), got \(3, 48\)"):
        trainer_on([run])


def test_a_saved_model_predicts_rows_of_either_form(tmp_path: Path) -> None:
    run = run_between(ONE_THEN_THE_OTHER)
    outcome = outcome_of(run, tmp_path)
    folder = tmp_path / outcome.folder
    saved = checkpoint.load(folder / "model.safetensors")[0]["predicted"].numpy()
    model, rows = dareps.load(folder), {domain: run.data.rows(domain) for domain in ("images", "paths")}
    paths, images = rows["paths"].test_x, rows["images"].x[:9]
    assert paths is not None
    assert np.array_equal(model.predict(paths), saved)
    assert np.array_equal(model.predict(paths.reshape(30, 144)), saved)
    assert np.array_equal(model.predict(np.pad(paths.reshape(30, 144), ((0, 0), (0, 112)))), saved)
    source = dareps.load(folder, domain="images")
    expected = source.predict_proba(images)
    for same in (images.reshape(9, 256), images[:, 0]):
        assert np.array_equal(source.predict_proba(same), expected)
    with pytest.raises(DataError, match=r"rows of another form.*Give \(n, 3, 48\)"):
        model.predict(images)
    with pytest.raises(DataError, match=r"rows of another form.*Give \(n, 1, 16, 16\)"):
        source.predict(paths)


def test_a_stem_is_said_where_there_is_one() -> None:
    run = run_between(ONE_THEN_THE_OTHER, ("stem.name", "mlp"), ("stem.hidden", 7))
    assert dump_run(run)["method"]["stem"] == {"name": "mlp", "hidden": 7, "activation": "relu"}
    assert rebind(dump_run(run)) == run
    assert dump_run(run_between(ONE_THEN_THE_OTHER))["method"]["stem"] == {"name": "linear"}
    assert "stem" not in dump_run(run_of("source_only"))["method"]
    with pytest.raises(ConfigError, match=r"stem\.hiden: unknown key.*Did you mean 'hidden'"):
        run_between(ONE_THEN_THE_OTHER, ("stem", {"name": "mlp", "hiden": 7}))


@pytest.mark.parametrize(
    ("recipe", "split", "text"),
    [
        ("source_only", "digits8/fonts:scans", "stem: all rows of digits8 have one form.*Leave `stem` out"),
        ("linear_svm", "strokes/images:paths", "stem: linear_svm fits the inputs, so a stem would stay untrained"),
    ],
)
def test_a_stem_without_use_is_refused(recipe: str, split: str, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        bind_run(recipe, split, 0, [("stem", "linear")])


def test_a_linear_svm_reads_the_rows_as_they_are(tmp_path: Path) -> None:
    run = bind_run("linear_svm", "strokes/images:paths", 0, SMALL[:2])
    assert run.method.stem is None
    outcome = outcome_of(run, tmp_path)
    assert outcome.status == "ok"
    assert outcome.selected[0].source_metric > 0.3


def test_a_recipe_may_name_its_stem() -> None:
    assert Recipe.model_validate({"stem": "conv1d"}).stem is not None
    with pytest.raises(ConfigError, match="no stem has this name"):
        run_between(ONE_THEN_THE_OTHER, ("stem", "conv2d"))
