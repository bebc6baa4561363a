"""Evaluation: one shared pass over validation rows for all validators, and the scorer that opens target labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from dareps.data._base import LabelledPart, Part, SplitData
from dareps.engine.calibration import calibrate
from dareps.engine.inputs import blocks_of, network_input, shrunk, spaced
from dareps.maths.domain_classifier import density_ratio
from dareps.maths.ridge import ridge_map
from dareps.recipe.method import Method
from dareps.selection._base import Outputs, ValidationView
from dareps.sharing._modules import Group
from dareps.tasks import Scores, kind_of
from dareps.types import Representation, Task, lead_task

SEEN = 1000
"""Source train rows that validators see: enough for a density ratio."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a checkpoint says of some rows about one task.

    Attributes:
        scores: Its figures on all rows.
        outputs: The head's outputs (n, size) as they are.
        domains: Domain -> rows with a label of the task, and the figures on them; domains without any are left out.
    """

    scores: Scores
    outputs: np.ndarray
    domains: Mapping[str, tuple[int, Scores]]


class Evaluator:
    """The validation rows of one run on the device.

    Args:
        data: The split; its sealed labels are opened by `oracle_labels` and `score` only.
        device: Where the method lives.
        dtype: Floating type of the method.
        rows: At most this many validation rows of a domain are used, evenly spaced.
    """

    def __init__(self, data: SplitData, device: torch.device, dtype: torch.dtype, rows: int) -> None:
        self.data, self.device, self.dtype = data, device, dtype
        self.lead, self.rows = lead_task(data.tasks), rows
        self.train = [_thinned(part, SEEN // len(data.source_train)) for part in data.source_train]
        self.source = [_thinned(part, rows) for part in data.source_validation]
        self.target = [Part(own.domain, own.role, own.x[spaced(len(own.x), rows)]) for own in data.target_validation]
        self.labels = {task.name: np.concatenate([part.y[task.name] for part in self.source]) for task in data.tasks}
        known = kind_of(self.lead).known(self.labels[self.lead.name])
        self.labelled = known.reshape(len(known), -1).any(axis=1)
        self.source_labels = self.labels[self.lead.name][self.labelled]
        parts = data.labelled_validation
        self.declared = {own.name: np.concatenate([part.y[own.name] for part in parts]) for own in data.tasks if parts}
        self._backward: np.ndarray | None = None
        self._importance: np.ndarray | None = None

    @property
    def plain(self) -> bool:
        """Whether there is one task and it has classes, so that its accuracy says all."""
        return len(self.data.tasks) == 1 and self.lead.kind == "classification"

    @property
    def drawn(self) -> bool:
        """Whether features are drawn by class and domain, which takes classes and a target."""
        return self.lead.kind == "classification" and bool(self.target)

    def view(self, method: Method, step: int) -> ValidationView:
        """What label-free validators see of the method at a step: the lead task's outputs, and each task's figure."""
        lead = self.lead.name
        with _evaluating(method):
            train, source, target = (self.outputs(method, parts) for parts in (self.train, self.source, self.target))
            declared = self.outputs(method, self.data.labelled_validation) if self.declared else {}
        figures = {} if self.plain else self._figures(self.labels, source)
        seen = Outputs(source[lead].features[self.labelled], source[lead].logits[self.labelled])
        back = self.backward()
        scores = self._figures(self.declared, declared) if declared else {}
        sides = (train[lead], seen, self.learned_labels, target[lead])
        asked = self.importance if self.target else None
        return ValidationView(step, *sides, None, back, figures, None, scores, self.lead.kind, asked)

    def opened(self, method: Method, view: ValidationView) -> ValidationView:
        """The same with target labels and figures, for validators that declare themselves oracles."""
        if self.plain:
            return replace(view, target_labels=self.oracle_labels())
        found = self.seen(method, self.target)
        labels = {task.name: self.oracle_labels(task.name) for task in self.data.tasks}
        return replace(view, target_labels=labels[self.lead.name], target_scores=self._figures(labels, found))

    def backward(self) -> np.ndarray | None:
        """The map from values at target to fitted values at source validation rows; found once, inputs do not move."""
        if self._backward is None and self.target and self.labelled.any():
            source, target = self._plain(self.data.source_validation), self._plain(self.data.target_validation)
            self._backward = ridge_map(source[self.labelled], target)
        return self._backward

    @property
    def learned_labels(self) -> np.ndarray:
        """Labels of the source validation rows that have one, in the units of the head."""
        scale = self.data.scales.get(self.lead.name)
        return self.source_labels if scale is None else scale.standardise(self.source_labels)

    def importance(self) -> np.ndarray:
        """p_target / p_source of labelled source validation rows as they are; found once, when a rule asks for it."""
        if self._importance is None:
            train, target = self._plain(self.data.source_train, "train"), self._plain(self.data.target_validation)
            held = self._plain(self.data.source_validation)[self.labelled]
            self._importance = density_ratio(*(rows.astype(np.float64) for rows in (train, target, held)))
        return self._importance

    def _plain(self, parts: Sequence[Part | LabelledPart], of: str = "validation") -> np.ndarray:
        """Rows (n, d) float32 before any learned representation: the same for recipes that learn different ones.

        Large images are averaged to fewer pixels.
        """
        found = [self.data.unlearned.get((of, part.domain), part.x) for part in parts]
        rows = [shrunk(own[spaced(len(own), self.rows)]) for own in found]
        return np.concatenate([own.reshape(len(own), -1).astype(np.float32) for own in rows])

    def known(self, method: Method) -> dict[str, float]:
        """Each task's main metric on source validation rows, by the heads that the method has now."""
        return self._figures(self.labels, self.seen(method, self.source))

    def _figures(self, labels: Mapping[str, np.ndarray], found: Mapping[str, Outputs]) -> dict[str, float]:
        """Each task's main metric."""
        return {
            task.name: self._scores(task, labels[task.name], found[task.name].logits).primary
            for task in self.data.tasks
        }

    def _scores(self, task: Task, labels: np.ndarray, outputs: np.ndarray) -> Scores:
        return kind_of(task).scores(labels, self.data.in_units(task.name, outputs))

    def oracle_labels(self, task: str | None = None) -> np.ndarray:
        """Target validation labels of a task, the lead one by default, for oracles alone."""
        parts = [self._sealed("validation", [own], task) for own in self.data.target_validation]
        return np.concatenate([labels[spaced(len(labels), self.rows)] for labels in parts])

    def score(self, method: Method) -> dict[str, Found]:
        """Each task's figures on the sealed test rows, and the outputs there."""
        found = self.seen(method, self.data.target_test)
        return {task.name: self._found(task, found[task.name].logits) for task in self.data.tasks}

    def _found(self, task: Task, outputs: np.ndarray) -> Found:
        """A task's figures on all test rows, and on those of each domain."""
        parts, labels = self.data.target_test, self.test_labels(task.name)
        ends = np.cumsum([len(part.x) for part in parts])[:-1]
        whole, domains = self._scores(task, labels, outputs), {}
        for part, own, said in zip(parts, np.split(labels, ends), np.split(outputs, ends), strict=True):
            rows = int(kind_of(task).known(own).reshape(len(own), -1).any(axis=1).sum())
            if rows:
                domains[part.domain] = rows, whole if len(parts) == 1 else self._scores(task, own, said)
        return Found(whole, outputs, domains)

    def test_labels(self, task: str | None = None) -> np.ndarray:
        """Labels of the sealed test rows of a task, the lead one by default, for metrics alone."""
        return self._sealed("test", self.data.target_test, task)

    def seen(self, method: Method, parts: Sequence[Part | LabelledPart]) -> dict[str, Outputs]:
        """Features and outputs of rows by task, in evaluation mode."""
        with _evaluating(method):
            return self.outputs(method, parts)

    def outputs(self, method: Method, parts: Sequence[Part | LabelledPart]) -> dict[str, Outputs]:
        """Features and outputs of rows by task, in order, as float64 arrays."""
        found: dict[str, tuple[list[Tensor], list[Tensor]]] = {task.name: ([], []) for task in self.data.tasks}
        for part in parts:
            for x in blocks_of(part.x):
                for name, (shared, head) in self._forward(method, part.domain, x).items():
                    found[name][0].append(shared)
                    found[name][1].append(head)
        sizes = {task.name: task.size for task in self.data.tasks}
        return {
            name: Outputs(_array(shared, method.features), _array(heads, sizes[name]))
            for name, (shared, heads) in found.items()
        }

    @torch.no_grad()
    def alone(self, method: Method) -> dict[str, float]:
        """Each task's main metric on source validation rows by its shadow."""
        with _evaluating(method):
            found = {task: self._by_shadow(method, task) for task in method.shadow}
        return {
            task.name: self._scores(task, self.labels[task.name], found[task.name]).primary for task in self.data.tasks
        }

    def _by_shadow(self, method: Method, task: str) -> np.ndarray:
        size = next(own.size for own in self.data.tasks if own.name == task)
        return _array(
            [
                method.shadow.outputs(task, rows, [Group(len(rows), part.domain, (task,))])[0]
                for part in self.source
                for x in blocks_of(part.x)
                for rows in [network_input(x, self.device, self.dtype)]
            ],
            size,
        )

    def target_pass(self, method: Method) -> tuple[Tensor, Tensor]:
        """Features (n, d) and logits (n, c) of all unlabelled target train rows, on the device."""
        found = self.seen(method, self.data.target_train)[self.lead.name]
        features, logits = (
            torch.from_numpy(values).to(self.device, self.dtype) for values in (found.features, found.logits)
        )
        return features, logits

    @torch.no_grad()
    def calibrate(self, method: Method, unread: Sequence[str]) -> None:
        """Take the normalisation statistics of domains that no stream reads from their train rows, without labels."""
        every: list[Part | LabelledPart] = [*self.data.source_train, *self.data.target_train]
        inputs = partial(network_input, device=self.device, dtype=self.dtype)
        with _evaluating(method):
            calibrate(method, [part for part in every if part.domain in unread], inputs)

    @torch.no_grad()
    def _forward(self, method: Method, domain: str, x: np.ndarray) -> dict[str, tuple[Tensor, Tensor]]:
        found = self._represent(method, domain, x)
        return {name: (own.shared, method.heads[name](own.task)) for name, own in found.items()}

    def _represent(self, method: Method, domain: str, x: np.ndarray) -> dict[str, Representation]:
        rows = network_input(x, self.device, self.dtype)
        return method.represent(rows, [Group(len(rows), domain, method.branches)])[0]

    def _sealed(self, part: str, rows: Sequence[Part], task: str | None) -> np.ndarray:
        name = self.lead.name if task is None else task
        return np.concatenate([self.data.sealed.open_for_scorer(part, own.domain)[name] for own in rows])


def scatter(view: ValidationView, labels: np.ndarray, rows: int = 300) -> dict[str, object]:
    """First two principal components of the validation features of both domains, rounded, for a plot.

    Args:
        view: The checkpoint.
        labels: Source validation labels.
        rows: At most this many of each side.
    """
    source, target = view.source.features[:rows], view.target.features[:rows]
    points = np.concatenate([source, target])
    centred = points - points.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:2] if np.isfinite(centred).all() else np.zeros((2, 1))
    plane = centred @ axes.T if axes.shape[1] == centred.shape[1] else np.zeros((len(points), 2))
    plane = np.pad(plane, ((0, 0), (0, 2 - plane.shape[1])))
    predicted = view.target.logits[:rows].argmax(axis=1)
    return {
        "x": np.round(plane, 4).tolist(),
        "domain": ["source"] * len(source) + ["target"] * len(target),
        "label": [int(label) for label in (*labels[:rows], *predicted)],
    }


@contextmanager
def _evaluating(method: Method) -> Iterator[None]:
    """Evaluation mode inside, and each module's own mode again afterwards."""
    modes = [(module, module.training) for module in method.modules()]
    method.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def _thinned(part: LabelledPart, rows: int) -> LabelledPart:
    kept = spaced(len(part.x), rows)
    return LabelledPart(part.domain, part.role, part.x[kept], {task: y[kept] for task, y in part.y.items()})


def _array(blocks: list[Tensor], width: int) -> np.ndarray:
    return torch.cat(blocks).double().cpu().numpy() if blocks else np.empty((0, width))
