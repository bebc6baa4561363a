"""Synthetic outcomes for tests of the store and what reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dareps.engine.outcome import Identity, Outcome, Selected


def identity(key: str = "k", recipe: str = "dann", split: str = "a:b", seed: int = 0, **changes: Any) -> Identity:
    source, target = split.split(":")
    settings: dict[str, Any] = {"dataset": "toy", "task": "digit", "protocol": "inductive", "config": {"seed": seed}}
    return Identity(key=key, recipe=recipe, source=source, target=target, seed=seed, **{**settings, **changes})


def selected(rule: str, value: float, score: float = 0.5, step: int = 10) -> Selected:
    hits = round(value * 50) if value == value else 0
    metrics = {"balanced_accuracy": value, "macro_f1": value}
    return Selected(rule, step, score, 0.9, value, metrics, [[hits, 50 - hits], [50 - hits, hits]])


def outcome(
    recipe: str = "dann",
    split: str = "a:b",
    seed: int = 0,
    values: Mapping[str, float] | None = None,
    scores: Mapping[str, float] | None = None,
    *,
    key: str | None = None,
    status: str = "ok",
    dataset: str = "toy",
    protocol: str = "inductive",
    task: str = "digit",
    config: Mapping[str, Any] | None = None,
    **rest: Any,
) -> Outcome:
    """An outcome whose rules reach `values` (rule -> target accuracy) with `scores` (rule -> score)."""
    key = key or f"{dataset}-{protocol}-{task}-{recipe}-{split}-{seed}"
    own = identity(
        key, recipe, split, seed, dataset=dataset, protocol=protocol, task=task, config={**(config or {}), "seed": seed}
    )
    rows = tuple(selected(rule, value, (scores or {}).get(rule, 0.5)) for rule, value in (values or {}).items())
    if status == "failed":
        return Outcome(own, "failed", **{"error": "step 3: the loss of align.0 is nan", **rest})
    return Outcome(own, "ok", **{"seconds": 1.5, **rest}, selected=rows)
