"""Synthetic runs that look like real ones, to draw reports of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from dareps.engine.outcome import Identity, Outcome, Selected

RULES = ("last", "source_accuracy", "entropy", "information_maximisation", "dev", "oracle")
RECIPES = {
    "source_only": 0.0,
    "target_only": 0.13,
    "dann": 0.03,
    "mcc": 0.065,
    "dan": 0.02,
    "deep_coral": 0.028,
    "cmd": 0.041,
    "linear_svm": -0.012,
}


def demo(
    dataset: str = "digits8",
    splits: Sequence[str] = ("fonts:scans", "scans:fonts"),
    seeds: int = 3,
    recipes: dict[str, float] | None = None,
    classes: int = 10,
    key: int = 7,
    rules: Sequence[str] = RULES,
    level: float = 0.79,
) -> list[Outcome]:
    """One outcome per recipe, split and seed; the gains of recipes are given."""
    draws = np.random.Generator(np.random.Philox(key=key))
    return [
        _outcome(dataset, split, 0.05 * math.sin(3 * place), recipe, gain, seed, classes, draws, rules, level)
        for place, split in enumerate(splits)
        for recipe, gain in (recipes or RECIPES).items()
        for seed in range(seeds)
    ]


def _outcome(
    dataset: str,
    split: str,
    ease: float,
    recipe: str,
    gain: float,
    seed: int,
    classes: int,
    draws: np.random.Generator,
    rules: Sequence[str],
    level: float,
) -> Outcome:
    source, target = split.split(":")
    top = level + ease + gain * draws.uniform(0.6, 1.4) + draws.normal(0, 0.006)
    selected = []
    for rule in rules:
        value = round(float(min(top - {"oracle": 0.0}.get(rule, abs(draws.normal(0, 0.006))), 0.999)), 4)
        confusion = _confusion(value, classes, draws)
        figures = {"balanced_accuracy": value - 0.004, "macro_f1": value - 0.009}
        score = value + float(draws.normal(0, 0.012))
        selected.append(Selected(rule, int(draws.integers(5, 20) * 100), score, 0.985, value, figures, confusion))
    identity = Identity(
        f"{dataset}-{split}-{recipe}-{seed}",
        recipe,
        dataset,
        source,
        target,
        "digit",
        "inductive",
        seed,
        {"seed": seed},
    )
    return Outcome(
        identity,
        "ok",
        target_labels=1400 if recipe == "target_only" else 0,
        seconds=float(draws.uniform(3, 9)),
        selected=tuple(selected),
        curves=_curves(top, recipe, draws),
        scatter=_scatter(gain, classes, draws) if seed == 0 else None,
    )


def _confusion(value: float, classes: int, draws: np.random.Generator) -> list[list[int]]:
    wrong = draws.dirichlet(np.full(classes, 0.4), size=classes) * (1 - value) * 100
    np.fill_diagonal(wrong, 100 * value)
    return [[round(float(count)) for count in row] for row in wrong]


def _curves(top: float, recipe: str, draws: np.random.Generator) -> dict[str, list[tuple[int, float]]]:
    steps = [0] if recipe == "linear_svm" else range(0, 2001, 100)
    rise = [1 - math.exp(-step / 350) for step in steps]
    target = [
        (step, float(0.1 + (top - 0.1) * x + draws.normal(0, 0.008))) for step, x in zip(steps, rise, strict=True)
    ]
    source = [(step, float(0.1 + 0.885 * x**0.6)) for step, x in zip(steps, rise, strict=True)]
    loss = [(step, float(2.3 * (1 - x) + 0.05)) for step, x in zip(steps, rise, strict=True)]
    return {"score.oracle": target, "source_accuracy": source, "loss.digit": loss}


def _scatter(gain: float, classes: int, draws: np.random.Generator) -> dict[str, Any]:
    def cloud(spread: float, shift: float) -> dict[str, Any]:
        label = draws.integers(0, classes, 300)
        angle = 2 * np.pi * label / classes
        centre = 4 * np.stack([np.cos(angle), np.sin(angle)], 1)
        x = centre + draws.normal(0, spread, (300, 2))
        x[150:] += shift
        return {"x": x.tolist(), "domain": ["source"] * 150 + ["target"] * 150, "label": label.tolist()}

    return {"before": cloud(2.2, 2.5), "after": cloud(0.7, 2.0 - 20 * max(gain, 0.0))}
