"""What a method makes of its sources: how much each may say about the target, without target labels."""

from __future__ import annotations

import math

import numpy as np
import torch

from dareps.data._base import LabelledPart, Part
from dareps.engine.evaluate import SEEN, Evaluator
from dareps.engine.inputs import spaced
from dareps.engine.phases import tasks_of
from dareps.maths.domain_classifier import proxy_a_distance
from dareps.maths.nearness import nearness_weights
from dareps.recipe.method import Method
from dareps.selection._base import Outputs
from dareps.tasks import kind_of
from dareps.transfer import Train


def weigh_sources(method: Method, evaluator: Evaluator) -> dict[str, float]:
    """Set the weights of sources of the method's current phase where these are found; gives figures for the log.

    `source_weight.DOMAIN` is a source's weight, `source_bound.DOMAIN` what nearness weighs it by.
    """
    weights = method.reweight.sources.acting
    if weights is None:
        return {}
    found: dict[str, float] = {}
    kind = _phase(method).source_weights
    if kind == "rows":
        counts = np.array([len(part.x) for part in evaluator.data.source_train], dtype=np.float64)
        method.reweight.sources.put(torch.from_numpy(counts / counts.sum()).to(weights))
    elif kind == "nearness":
        bounds = source_bounds(method, evaluator)
        found |= {f"source_bound.{name}": float(value) for name, value in zip(method.sources, bounds, strict=True)}
        if np.isfinite(bounds).all():  # Else the weights stay what they were.
            method.reweight.sources.put(torch.from_numpy(nearness_weights(bounds)).to(weights))
    values = weights.tolist()
    return found | {f"source_weight.{name}": value for name, value in zip(method.sources, values, strict=True)}


def source_bounds(method: Method, evaluator: Evaluator) -> np.ndarray:
    """The error of each source's own validation rows plus half its distance to the target, (k,), in [0, 2].

    The error is 1 less the mean over the tasks that the current phase trains of their main metrics there, each cut off
    to [0, 1], and 1 where no row has a label. The distance is the proxy A-distance of the features of source and
    unlabelled target train rows, on held-out rows: source validation rows, and every second one of the target.
    """
    targets = evaluator.data.target_train
    thinned = [Part(part.domain, part.role, part.x[spaced(len(part.x), SEEN // len(targets))]) for part in targets]
    target = evaluator.seen(method, thinned)[evaluator.lead.name].features
    pairs = zip(evaluator.train, evaluator.source, strict=True)
    return np.array([_bound(method, evaluator, train, held, target) for train, held in pairs])


def _bound(method: Method, evaluator: Evaluator, train: LabelledPart, held: LabelledPart, target: np.ndarray) -> float:
    lead, outputs = evaluator.lead.name, evaluator.seen(method, [held])
    features = evaluator.seen(method, [train])[lead].features
    sides = (features, target[::2]), (outputs[lead].features, target[1::2])
    if not all(len(part) and np.isfinite(part).all() for side in sides for part in side):
        return math.nan
    return _error(method, evaluator, held, outputs) + proxy_a_distance(*sides) / 2


def _error(method: Method, evaluator: Evaluator, held: LabelledPart, outputs: dict[str, Outputs]) -> float:
    """1 less the mean main metric of the tasks that the phase trains."""
    data = evaluator.data
    trained = tasks_of(_phase(method), data.tasks)
    said = [
        kind_of(task).scores(held.y[task.name], data.in_units(task.name, outputs[task.name].logits)).primary
        for task in trained
    ]
    known = [min(max(score, 0.0), 1.0) for score in said if not math.isnan(score)]
    return 1 - sum(known) / len(known) if known else 1.0


def _phase(method: Method) -> Train:
    """The phase that the method is in, which is one that weighs sources."""
    phase = method.recipe.phases[method.reweight.sources.phase]
    assert isinstance(phase, Train)
    return phase
