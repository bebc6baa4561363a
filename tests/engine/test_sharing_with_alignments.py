"""Every sharing scheme along domains trains with every alignment."""

from __future__ import annotations

import math

import pytest

from dareps.alignment import Alignment
from dareps.plugin import plugins
from dareps.sharing import SharingScheme
from tests.engine._make import run_of, trainer_of

ALIGNMENTS = sorted(name for name, part in plugins(Alignment).items() if part.__module__.startswith("dareps.alignment"))
SCHEMES = sorted(
    name
    for name, part in plugins(SharingScheme).items()
    if part.__module__.startswith("dareps.sharing") and "domains" in part.directions
)
NETWORK = {"channels": [4, 4], "kernel": 3, "padding": 1, "width": 8}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_step_of_every_pair_is_finite_and_moves_the_encoders(scheme: str) -> None:
    along = {} if scheme == "hard" else {"along": "domains"}
    for alignment in ALIGNMENTS:
        changes = {
            "sharing": {"name": scheme, **along},
            "align": [{"name": alignment, "weight": 0.1}],
            "encoder": {"name": "digit_cnn", **NETWORK},
            "phases.0.streams.target": "unlabelled",
            "phases.0.steps": 1,
            "phases.0.batch": 24,
            "engine.evaluations": 1,
        }
        trainer = trainer_of([run_of("source_only", list(changes.items()))])
        plan = trainer.plans[0]
        trainer.enter(plan)
        pool = trainer.pool(plan)
        before = {name: value.detach().clone() for name, value in trainer.population.parameters.items()}
        (inputs,) = trainer.inputs(plan, pool, 0, 1)
        values = trainer.steps(plan, pool)(0, inputs)
        moved = {name for name, value in trainer.population.parameters.items() if not value.equal(before[name])}
        assert any(name.startswith("encoder.") for name in moved), (scheme, alignment)
        assert any(name.startswith("align.0") for name in values), (scheme, alignment)
        assert all(math.isfinite(float(value)) for value in values.values()), (scheme, alignment)
