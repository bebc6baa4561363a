"""Features computed once: what a phase's frozen lower stages make of its rows."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import torch

from dareps.data._base import LabelledPart, Part
from dareps.engine.inputs import at_once
from dareps.engine.moving import moving_in, stage_of
from dareps.engine.phases import Plan
from dareps.engine.population import Population
from dareps.engine.rows import Pool
from dareps.engine.state import Precision
from dareps.errors import ConfigError
from dareps.maths.domains import group_scope
from dareps.maths.noise import Dropout
from dareps.maths.staged import Staged, entering
from dareps.recipe.settings import Run
from dareps.sharing._modules import HardSharing

LARGEST = 2**30
"""Most bytes that cached features may take up."""


def cut_of(population: Population, plan: Plan, run: Run) -> int:
    """How many of the encoder's stages, from the input on, a phase's rows may pass once and for all; 0 for none.

    Raises:
        ConfigError: The phase wants a cache and cannot have one.
    """
    wanted = plan.phase.cache
    if wanted == "off":
        return 0
    encoder = population.method.encoder
    reason = _reason(population, plan, run)
    cut = 0 if reason or not isinstance(encoder, HardSharing) else _still(encoder.encoder, population, plan)
    if wanted == "on" and not cut:
        what = reason or "no stage from the input on keeps still through the phase"
        fix = "Freeze the lower stages, or set cache: auto."
        raise ConfigError(f"phases.{plan.number}.cache", f"features cannot be cached: {what}", fix=fix)
    return cut


def _reason(population: Population, plan: Plan, run: Run) -> str:
    """What rules a cache out before a stage is looked at."""
    method, phase = population.method, plan.phase
    reasons = (
        (not isinstance(method.encoder, HardSharing), "tasks or domains have parts of the encoder for themselves"),
        (bool(run.data.augment), "the data's augmentation changes rows at every step"),
        (bool(phase.acting(method.recipe.needs)), "alignments act in the phase"),
        (bool(len(method.shadow)), "a guard reads the rows"),
        (run.engine.conflict is not None, "engine.conflict reads the rows"),
        (run.engine.rows != "device", "rows come from a loader"),
        (bool(phase.regularise), "a regulariser may read the rows"),
    )
    return next((what for applies, what in reasons if applies), "")


def _still(encoder: torch.nn.Module, population: Population, plan: Plan) -> int:
    """How many stages of an encoder, from the input on, are functions of the rows alone during the phase."""
    if not isinstance(encoder, Staged):
        return 0
    ids = {id(value) for value in moving_in(population, plan)}
    moving = {stage_of(name) for name, value in population.parameters.items() if id(value) in ids}
    still = itertools.takewhile(lambda name: name not in moving and not _draws(encoder, name), encoder.names)
    count = len(list(still))
    # Stages without parameters gain nothing by themselves, and may lie between the rows and their floating type.
    return count if any(True for name in encoder.names[:count] for _ in encoder.chain[name].parameters()) else 0


def _draws(encoder: Staged, stage: str) -> bool:
    """Whether a stage draws noise although nothing in it learns: such a stage stays in training mode."""
    modules = list(encoder.chain[stage].modules())
    draws = any(isinstance(module, Dropout) or getattr(module, "noisy", False) for module in modules)
    return draws and not list(encoder.chain[stage].parameters())


@torch.no_grad()
def put_features(
    pool: Pool,
    parts: Sequence[Sequence[Part | LabelledPart]],
    population: Population,
    plan: Plan,
    cut: int,
    precision: Precision,
) -> bool:
    """Replace a pool's rows by what the first `cut` stages make of them; false where they would be too large.

    Args:
        pool: The rows of all seeds and streams, in their order.
        parts: The same, a list of streams per seed.
        population: Whose stages; frozen ones are in evaluation mode by now.
        plan: The phase.
        cut: The number of stages.
        precision: Makes the context in which a step computes.
    """
    domains, blocks, start = population.method.domains, [], 0
    for copy, own in enumerate(parts):
        encoder = population.single(copy).encoder.encoder
        assert isinstance(encoder, Staged)
        stages = [encoder.chain[name] for name in encoder.names[:cut]]
        for part in own:
            for first in range(0, len(part.x), count := at_once(part.x.shape[1:])):
                rows = pool.x[start + first : start + min(first + count, len(part.x))]
                x = pool.as_input(rows, torch.empty(len(rows)))
                with precision(), group_scope([(domains.index(part.domain), len(rows))]):
                    for stage in stages:
                        x = stage(x)
                blocks.append(x.to(pool.dtype))
                if blocks[0][0].numel() * blocks[0].element_size() * len(pool.x) > LARGEST:
                    return False
            start += len(part.x)
    pool.x = torch.cat(blocks)
    return True


def after(cut: int, precision: Precision) -> Precision:
    """The context of a step whose rows have passed `cut` stages."""
    return partial(_both, cut, precision) if cut else precision


@contextmanager
def _both(cut: int, precision: Precision) -> Iterator[None]:
    with precision(), entering(cut):
        yield
