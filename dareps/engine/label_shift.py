"""Class shares of a target from a trained method, without target labels."""

from __future__ import annotations

import numpy as np
import torch

from dareps.data._base import SplitData
from dareps.engine.evaluate import Evaluator
from dareps.errors import ConfigError, DataError
from dareps.maths.label_shift import ClassShares, class_shares, hard, shares_of
from dareps.recipe.method import Method
from dareps.selection._base import Outputs
from dareps.types import Task


def target_class_shares(
    method: Method, data: SplitData, *, task: str | None = None, soft: bool = False, draws: int = 200, seed: int = 0
) -> ClassShares:
    """Estimate the class shares of the unlabelled target train rows by black-box shift estimation.

    The classifier's mistakes are those on source validation rows; several sources, and several targets, are taken
    together. The shares of the source are those of its train rows, where each source counts the same, as in the loss.
    See `dareps.maths.label_shift`.

    Args:
        method: A trained method.
        data: Its split; no target label is read.
        task: A task of classes; the first one by default.
        soft: Count probabilities instead of predicted classes: fewer classes vanish, and a smaller singular value.
        draws: Bootstrap draws for the interval.
        seed: Of the draws.

    Raises:
        ConfigError: The split has no target, or there is no such task of classes.
        DataError: No source validation row has a label of the task.
    """
    weight = next(method.parameters())
    return estimate(
        method, Evaluator(data, weight.device, weight.dtype, rows=1), task, soft=soft, draws=draws, seed=seed
    )


def estimate(
    method: Method,
    evaluator: Evaluator,
    task: str | None = None,
    *,
    soft: bool = False,
    draws: int = 200,
    seed: int = 0,
) -> ClassShares:
    """The same by an evaluator of the split."""
    data = evaluator.data
    own = _task_of(evaluator, task)
    labels, held = _known(evaluator, method, own)
    told = evaluator.seen(method, data.target_train)[own.name]
    train = np.mean([shares_of(part.y[own.name], own.size) for part in data.source_train], axis=0)
    known, asked = (rows.probabilities if soft else hard(rows.logits) for rows in (held, told))
    return class_shares(labels, known, asked, train, draws=draws, seed=seed)


def reweigh(method: Method, evaluator: Evaluator) -> dict[str, float]:
    """Set the weights of classes of the method's current phase; gives figures for the log.

    `label_shift.TASK.singular` is the smallest singular value of the classifier's confusion matrix, `.largest` the
    largest weight, and `.CLASS` the estimated share of a class, by its number.
    """
    found: dict[str, float] = {}
    for name, own in method.reweight.acting.items():
        shares = estimate(method, evaluator, name, draws=0)
        method.reweight.put(name, torch.from_numpy(shares.weights).to(own))
        figures = {"singular": shares.singular, "largest": float(shares.weights.max())}
        figures |= {str(number): float(share) for number, share in enumerate(shares.target)}
        found |= {f"label_shift.{name}.{figure}": value for figure, value in figures.items()}
    return found


def _known(evaluator: Evaluator, method: Method, task: Task) -> tuple[np.ndarray, Outputs]:
    """Labels (n,) and outputs of the source validation rows that have a label of a task of classes.

    Raises:
        DataError: There is none.
    """
    parts = evaluator.data.source_validation
    labels = np.concatenate([part.y[task.name] for part in parts])
    known = labels >= 0
    if not known.any():
        what = f"no source validation row has a label of {task.name}"
        raise DataError("label shift", what, len(labels), "Label more source rows.")
    found = evaluator.seen(method, parts)[task.name]
    return labels[known], Outputs(found.features[known], found.logits[known])


def _task_of(evaluator: Evaluator, name: str | None) -> Task:
    tasks = {own.name: own for own in evaluator.data.tasks}
    found = evaluator.lead if name is None else tasks.get(name)
    if found is None or found.kind != "classification":
        known = ", ".join(own.name for own in tasks.values() if own.kind == "classification") or "none"
        raise ConfigError(
            "label shift", "there is no such task of classes", name or evaluator.lead.name, f"Known: {known}."
        )
    if not evaluator.data.target_train:
        raise ConfigError("label shift", "the split has no target", fix="Name one: SOURCE:TARGET.")
    return found
