"""What the laws of transfer are tried on: a small dataset of two domains, and runs of two phases on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Final, Literal

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor

from dareps.data._base import Dataset, DomainRows, Fitted
from dareps.encoders import Encoder
from dareps.engine.building import split_of
from dareps.engine.loop import Hooks, Trainer
from dareps.engine.moving import stages_of
from dareps.recipe.defaults import resolve
from dareps.recipe.settings import Recipe, Run
from dareps.transfer import Regulariser
from dareps.types import Task

ROWS, WIDTH, STEPS = 40, 4, 6
OPTIMIZERS: Final[Sequence[dict[str, Any]]] = (
    {"name": "sgd", "lr": 0.05, "momentum": 0.9, "weight_decay": 0.1},
    {"name": "adam", "lr": 0.01, "weight_decay": 0.1},
    {"name": "adamw", "lr": 0.01, "weight_decay": 0.1},
)
Weights = dict[str, Tensor]


class TwoDomains(Dataset, abstract=True):
    """Three classes that are linear in four numbers, in two domains of another scale."""

    name: ClassVar[str] = "transfer_kit"
    domains = ("source", "target")
    tasks = (Task("class", "classification", 3),)
    scale: ClassVar[np.ndarray] = np.ones(WIDTH)

    def rows(self, domain: str) -> DomainRows:
        """Forty rows, the target's rescaled."""
        draws = np.random.Generator(np.random.Philox(key=1 + self.domains.index(domain)))
        x = draws.normal(size=(ROWS, WIDTH))
        y = (x @ np.random.Generator(np.random.Philox(key=7)).normal(size=(WIDTH, 3))).argmax(axis=1)
        return DomainRows((x * (self.scale if domain == "target" else 1)).astype(np.float32), {"class": y})

    def fit(self, source: Mapping[str, DomainRows], target_x: Mapping[str, np.ndarray]) -> Fitted:
        """Nothing to fit."""
        return Fitted({}, lambda x, domain: x)

    def restore(self, state: Mapping[str, np.ndarray]) -> Fitted:
        """Likewise."""
        return self.fit({}, {})

    def checksum(self, domains: tuple[str, ...]) -> str:
        """By name."""
        return "+".join(domains)


@dataclass(frozen=True)
class TransferCase:
    """One trial.

    Attributes:
        scale: What the target's four numbers are multiplied by.
        optimizer: Which of the kit's.
        frozen: Share of the encoder's stages that keep still in the second phase, from the input on.
        top: Share of them that are drawn anew, from the top down.
        decay: Factor on the rate from a stage to the one below.
        stop: The step at which a run is interrupted.
    """

    scale: tuple[float, ...]
    optimizer: int
    frozen: float
    top: float
    decay: float
    stop: int

    def shown(self) -> dict[str, Any]:
        """As a `LawViolation` shows it."""
        return {**self.__dict__, "optimizer": OPTIMIZERS[self.optimizer]["name"]}


CASES: Final = st.builds(
    TransferCase,
    scale=st.tuples(*[st.floats(0.125, 8.0, width=32)] * WIDTH),
    optimizer=st.integers(0, len(OPTIMIZERS) - 1),
    frozen=st.floats(0, 1, width=32),
    top=st.floats(0, 1, width=32),
    decay=st.floats(0.125, 1, width=32),
    stop=st.integers(1, 2 * STEPS - 1),
)


@dataclass(frozen=True)
class TransferSubject:
    """An encoder, and what regularises its second phase."""

    encoder: Encoder
    regularise: tuple[Regulariser, ...] = ()
    known: dict[str, Any] = field(default_factory=dict, compare=False)

    @cached_property
    def stages(self) -> list[str]:
        """The encoder's stages, from the input on."""
        case = TransferCase((1.0,) * WIDTH, 0, 0, 0, 1, 1)
        return stages_of(self.trainer(self.run(case, {})).population.method)

    def frozen(self, case: TransferCase) -> list[str]:
        """The stages that keep still in a case, as parts."""
        return [f"encoder.{stage}" for stage in self.stages[: round(case.frozen * len(self.stages))]]

    def run(self, case: TransferCase, second: Mapping[str, Any], cache: Literal["on", "off"] = "off") -> Run:
        """A run of two phases: the source's labels, then the target's under the given settings."""

        class Scaled(TwoDomains, abstract=True):
            scale = np.array(case.scale)

        common = {"steps": STEPS, "batch": 8, "optimizer": OPTIMIZERS[case.optimizer], "schedule": "constant"}
        own = {"streams": {"target": "labelled"}, "regularise": self.regularise, "cache": cache, **second}
        phases = [{**common, "streams": {"source": "labelled"}}, {**common, **own}]
        settings = {"encoder": self.encoder, "normalise": "per_domain", "phases": phases}
        data = Scaled()
        fixed = {"recipe": "kit", "data": data, "source": ("source",), "target": ("target",), "labelled": 4}
        engine = {"evaluations": 2, "flush": 2, "precision": "float64"}
        return Run.model_validate({**fixed, "method": resolve(Recipe.model_validate(settings), data), "engine": engine})

    def trainer(self, run: Run, hooks: Hooks | None = None) -> Trainer:
        """A trainer of the run."""
        return Trainer([run], [split_of(run)], torch.device("cpu"), hooks)

    def between(self, run: Run) -> tuple[list[Weights], Trainer]:
        """The weights after each phase of a run, and its trainer."""
        found: list[Weights] = []
        trainer = self.trainer(run, Hooks(between=lambda own: found.append(weights_of(own))))
        trainer.train()
        return found, trainer


def weights_of(trainer: Trainer) -> Weights:
    """Clones of all parameters and buffers but those that regularisers keep for themselves."""
    state = trainer.population.state().items()
    return {name: value.detach().clone() for name, value in state if not name.startswith("regularise.")}


def changed(before: Weights, after: Weights) -> set[str]:
    """Names whose values differ."""
    return {name for name, value in before.items() if not torch.equal(value, after[name])}
