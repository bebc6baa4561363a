"""A pass over rows when a phase begins, for the regularisers that learn something from it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from dareps.data._base import LabelledPart, Part
from dareps.engine.evaluate import Evaluator
from dareps.engine.population import Population
from dareps.recipe.method import Method

Parts = Sequence[Part | LabelledPart]


def survey(population: Population, evaluators: Sequence[Evaluator], parts: Sequence[Parts]) -> None:
    """Show the rows that each copy's phase reads, and source validation rows, to the regularisers that ask for them.

    Args:
        population: The copies.
        evaluators: One per copy.
        parts: The streams of each copy's phase.
    """
    if all(module.source is None for module in population.method.regularise.acting):
        return
    for copy, (evaluator, own) in enumerate(zip(evaluators, parts, strict=True)):
        method = population.single(copy)
        _show(method, evaluator, [part for part in own if isinstance(part, LabelledPart)])
        population.put_back(copy, method)


@torch.no_grad()
def _show(method: Method, evaluator: Evaluator, parts: Sequence[LabelledPart]) -> None:
    for module in method.regularise.acting:
        if module.source is not None and module.labels is not None:
            shown = _rows(method, evaluator, parts, module.source, module.labels)
            module.learn(*shown, *_rows(method, evaluator, evaluator.source, module.source, module.source))


def _rows(
    method: Method, evaluator: Evaluator, parts: Sequence[LabelledPart], task: str, labels: str
) -> tuple[Tensor, Tensor]:
    """The outputs (n, size) of a task's head on rows, and their labels (n,) of a task of classes."""
    outputs = evaluator.seen(method, parts)[task].logits
    blocks = [part.y[labels] for part in parts]
    known = np.concatenate(blocks) if blocks else np.empty(0, np.int64)
    return torch.from_numpy(outputs).to(evaluator.device), torch.from_numpy(known).to(evaluator.device)
