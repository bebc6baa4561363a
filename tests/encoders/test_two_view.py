"""The encoder of several views: what it computes, what it leaves out, what it refuses; and training with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from dareps.encoders.mlp import MLP
from dareps.encoders.two_view import TwoView, View
from dareps.engine.execute import Surroundings, execute
from dareps.engine.outcome import Outcome
from dareps.errors import ConfigError
from dareps.maths.domains import NormFactory, group_scope
from dareps.recipe.bind import bind_run
from tests.engine._make import FLOAT64

NORM = NormFactory("joint", 1)
PICTURE = {"name": "digit_cnn", "channels": [2, 3], "kernel": 3, "padding": 1, "width": 4, "activation": "tanh"}
TEXT = {"name": "mlp", "width": 4, "activation": "tanh", "norm": True, "dropout": 0.2}
VIEWS = [{"shape": [1, 8, 8], "encoder": PICTURE}, {"shape": [5], "encoder": TEXT}]
X = torch.linspace(-1, 1, 6 * 69).sin().reshape(6, 69)


def encoder(**settings: object) -> TwoView:
    return TwoView.bind({"name": "two_view", "views": VIEWS, "width": 7, "activation": "tanh", **settings})


@pytest.mark.parametrize(("join", "width"), [("concat", 8), ("sum", 4)])
def test_the_joint_stage_reads_every_views_own_features(join: str, width: int) -> None:
    stages = encoder(join=join).build((69,), NORM).eval()
    assert stages.names == ("views", "joint")
    assert stages.shapes == {"views": (width,), "joint": (7,)}
    picture, text = stages.chain["views"].networks.values()
    with group_scope([(0, 6)]):
        own = [picture(X[:, :64].reshape(6, 1, 8, 8)), text(X[:, 64:])]
        taps = stages.taps(X)
        assert torch.equal(taps["views"], torch.cat(own, 1) if join == "concat" else own[0] + own[1])
        assert torch.equal(taps["joint"], stages.chain["joint"](taps["views"]))


@pytest.mark.parametrize(("use", "read"), [([0], slice(0, 64)), ([1], slice(64, 69)), ([], slice(0, 69))])
def test_a_view_that_is_not_used_changes_nothing(use: list[int], read: slice) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(3)
        stages = encoder(use=use).build((69,), NORM).eval()
    x = X.clone().requires_grad_()
    with group_scope([(0, 6)]):
        stages(x).square().sum().backward()
    assert x.grad is not None
    reached = x.grad.abs().sum(0) > 0
    assert reached[read].any()
    reached[read] = False
    assert not reached.any()
    assert len(stages.chain["views"].networks) == (len(use) or 2)


def test_three_views_in_one_row_of_any_shape() -> None:
    views = tuple(View(shape=(size,), encoder=MLP(width=3)) for size in (1, 2, 3))
    stages = TwoView(views=views, use=(2, 0)).build((2, 3), NORM)
    assert list(stages.chain["views"].networks) == ["view0", "view2"]
    assert stages.shapes["views"] == (6,)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"views": VIEWS[:1]}, "at least 2"),
        ({"use": [2]}, "a number from 0 to 1"),
        ({"use": [-1]}, "a number from 0 to 1"),
        ({"use": [0, 0]}, "name each view once"),
        ({"join": "product"}, "join"),
    ],
)
def test_wrong_settings_are_one_message(settings: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        bind_run("source_only", "pages/magazine", overrides=[(f"encoder.{key}", own) for key, own in settings.items()])


def test_views_that_are_not_the_input_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"64 \+ 5 = 69 values.*\(70,\)"):
        encoder().build((70,), NORM)
    wide = [VIEWS[0], {"shape": [5], "encoder": {"name": "mlp", "width": 9}}]
    with pytest.raises(ConfigError, match=r"cannot be added, got \[4, 9\]"):
        encoder(views=wide, join="sum").build((69,), NORM)
    assert encoder(views=wide, join="sum", use=[1]).build((69,), NORM).shapes["views"] == (9,)


SHARINGS = {
    "hard": "hard",
    "soft": {"name": "soft", "along": "domains"},
    "separate": {"name": "soft", "along": "domains", "coupling": 0},
    "one": {"name": "soft", "along": "domains", "coupling": "inf"},
}


def trained(folder: Path, sharing: str, seeds: tuple[int, ...] = (0,), steps: int = 6) -> list[Outcome]:
    """Runs on both domains and both questions at once, every row with its labels."""
    small = [("data.rows_per_domain", 96), ("data.test_rows", 48), ("engine.evaluations", 2), *FLOAT64]
    small += [("engine.stack", len(seeds) > 1)]
    more = [("phases.*.steps", steps), ("sharing", SHARINGS[sharing])]
    runs = [bind_run("source_only", "pages/magazine+intranet", seed, [*small, *more]) for seed in seeds]
    return list(execute(runs, Surroundings(folder, torch.device("cpu"))))


@pytest.mark.parametrize("sharing", SHARINGS)
def test_both_domains_and_both_questions_at_once(sharing: str, tmp_path: Path) -> None:
    (found,) = trained(tmp_path, sharing, steps=80)
    assert found.status == "ok"
    scores = {(unit.task, unit.domain): unit.value for unit in found.units if unit.selection == "last"}
    assert set(scores) == {(task, domain) for task in ("topic", "genre") for domain in ("magazine", "intranet")}
    for (task, _), value in scores.items():
        assert value > {"topic": 1 / 6, "genre": 1 / 4}[task] + 0.1


def test_one_coupled_encoder_of_two_views_is_the_hard_one(tmp_path: Path) -> None:
    hard, one, separate = (trained(tmp_path / name, name)[0].curves for name in ("hard", "one", "separate"))
    assert hard == one
    assert separate != hard


def test_stacked_seeds_of_two_views_train_as_if_alone(tmp_path: Path) -> None:
    together = trained(tmp_path / "both", "soft", (0, 7))[1]
    (alone,) = trained(tmp_path / "alone", "soft", (7,))
    assert together.curves.keys() == alone.curves.keys()
    for name, curve in alone.curves.items():
        assert np.asarray(together.curves[name]) == pytest.approx(np.asarray(curve), abs=1e-9)
