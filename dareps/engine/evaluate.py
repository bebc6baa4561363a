"""Evaluation: one shared pass over validation rows for all validators, and the scorer that opens target labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dareps.data._base import LabelledPart, Part, SplitData
from dareps.maths.domains import DomainNorm
from dareps.recipe.method import Method
from dareps.selection._base import Outputs, ValidationView
from dareps.sharing._modules import Group

CHUNK = 1024
"""Rows per forward pass."""
SEEN = 1000
"""Source train rows that validators see: enough for a density ratio."""
CALIBRATION = 2048
"""Rows from which the statistics of a domain that no stream reads are taken."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """Figures of predictions against labels."""

    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    confusion: list[list[int]]


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
        self.task, self.rows = data.tasks[0].name, rows
        self.train = [_thinned(part, SEEN // len(data.source_train)) for part in data.source_train]
        self.source = [_thinned(part, rows) for part in data.source_validation]
        self.target = [Part(own.domain, own.role, own.x[spaced(len(own.x), rows)]) for own in data.target_validation]
        self.source_labels = np.concatenate([part.y[self.task] for part in self.source])
        self._backward: np.ndarray | None = None

    def view(self, method: Method, step: int) -> ValidationView:
        """What label-free validators see of the method at a step."""
        with _evaluating(method):
            return ValidationView(
                step=step,
                source_train=self.outputs(method, self.train),
                source=self.outputs(method, self.source),
                source_labels=self.source_labels,
                target=self.outputs(method, self.target),
                backward=self.backward(),
            )

    def backward(self) -> np.ndarray:
        """The map from values at target to fitted values at source validation rows; found once, inputs do not move."""
        if self._backward is None:
            source, target = (
                self._plain(parts) for parts in (self.data.source_validation, self.data.target_validation)
            )
            self._backward = ridge_map(source, target)
        return self._backward

    def _plain(self, parts: Sequence[Part | LabelledPart]) -> np.ndarray:
        """Rows (n, d) float32 before any learned representation: the same for recipes that learn different ones."""
        found = [self.data.unlearned.get(part.domain, part.x) for part in parts]
        rows = np.concatenate([own[spaced(len(own), self.rows)] for own in found])
        return rows.reshape(len(rows), -1).astype(np.float32)

    def oracle_labels(self) -> np.ndarray:
        """Target validation labels, for validators that declare themselves oracles."""
        parts = [self._sealed("validation", [own]) for own in self.data.target_validation]
        return np.concatenate([labels[spaced(len(labels), self.rows)] for labels in parts])

    def score(self, method: Method) -> tuple[Metrics, np.ndarray]:
        """Metrics on the sealed target test rows, and the logits there (n, c)."""
        with _evaluating(method):
            logits = self.outputs(method, self.data.target_test).logits
        return metrics_of(self.test_labels(), logits.argmax(axis=1), self.data.tasks[0].size), logits

    def test_labels(self) -> np.ndarray:
        """Labels of the sealed target test rows (n,), for metrics alone."""
        return self._sealed("test", self.data.target_test)

    def outputs(self, method: Method, parts: Sequence[Part | LabelledPart]) -> Outputs:
        """Features and logits of rows, in order, as float64 arrays."""
        features, logits = [], []
        for part in parts:
            for start in range(0, len(part.x), CHUNK):
                shared, head = self._forward(method, part, start)
                features.append(shared)
                logits.append(head)
        return Outputs(_array(features), _array(logits))

    def target_pass(self, method: Method) -> tuple[Tensor, Tensor]:
        """Features (n, d) and logits (n, c) of all unlabelled target train rows, on the device."""
        with _evaluating(method):
            found = self.outputs(method, self.data.target_train)
        features, logits = (
            torch.from_numpy(values).to(self.device, self.dtype) for values in (found.features, found.logits)
        )
        return features, logits

    @torch.no_grad()
    def calibrate(self, method: Method, unread: Sequence[str]) -> None:
        """Take the normalisation statistics of domains that no stream reads from their unlabelled train rows."""
        layers = [layer for layer in method.modules() if isinstance(layer, DomainNorm) and layer.own]
        every: list[Part | LabelledPart] = [*self.data.source_train, *self.data.target_train]
        parts = [part for part in every if part.domain in unread]
        if not layers:
            return
        with _evaluating(method):
            for part in parts:
                for layer in layers:
                    layer.calibrating, layer.momentum = True, 1.0
                self._represent(method, part.domain, part.x[:CALIBRATION])
                for layer in layers:
                    layer.calibrating, layer.momentum = False, 0.1

    @torch.no_grad()
    def _forward(self, method: Method, part: Part | LabelledPart, start: int) -> tuple[Tensor, Tensor]:
        shared, task = self._represent(method, part.domain, part.x[start : start + CHUNK])
        return shared, method.heads[self.task](task)

    def _represent(self, method: Method, domain: str, x: np.ndarray) -> tuple[Tensor, Tensor]:
        rows = network_input(x, self.device, self.dtype)
        representation = method.represent(rows, [Group(len(rows), domain, (self.task,))])[0][self.task]
        return representation.shared, representation.task

    def _sealed(self, part: str, rows: Sequence[Part]) -> np.ndarray:
        opened = [self.data.sealed.open_for_scorer(part, own.domain)[self.task] for own in rows]
        return np.concatenate(opened)


def network_input(x: np.ndarray, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Rows as the network reads them: floating, images from 0 to 1."""
    rows = torch.from_numpy(np.ascontiguousarray(x)).to(device)
    return rows.to(dtype) if rows.is_floating_point() else rows.to(dtype) / 255


def metrics_of(labels: np.ndarray, predicted: np.ndarray, classes: int) -> Metrics:
    """Accuracy, balanced accuracy and macro-F1 over the classes that occur, and the confusion matrix."""
    from sklearn.metrics import confusion_matrix

    counts = confusion_matrix(labels, predicted, labels=range(classes)).astype(np.float64)
    hits, true, claimed = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    occurs = true > 0
    recall = hits[occurs] / true[occurs]
    f1 = 2 * hits[occurs] / (true + claimed)[occurs]
    confusion = [[int(count) for count in row] for row in counts]
    return Metrics(float(hits.sum() / true.sum()), float(recall.mean()), float(f1.mean()), confusion)


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


def ridge_map(to: np.ndarray, at: np.ndarray) -> np.ndarray:
    """K(to, at) (K(at, at) + r I)^-1 for rows centred on `at`: (n, m) for n and m rows.

    Ridge regression with an intercept, in its dual form, as a matrix that takes centred targets to fitted values. The
    penalty r is the mean squared norm of the centred `at`, plus a millionth of that of `to` so that it is never zero.
    """
    from scipy.linalg import cho_factor, cho_solve

    centre = at.mean(axis=0)
    to, at = to - centre, at - centre
    gram = at @ at.T
    ridge = float(gram.diagonal().mean()) + 1e-6 * float(np.square(to).sum(axis=1).mean()) + 1e-12
    factor = cho_factor(gram + ridge * np.eye(len(at), dtype=at.dtype))
    return np.asarray(cho_solve(factor, at @ to.T).T)


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


def spaced(count: int, most: int) -> np.ndarray:
    """Row numbers of at most `most` of `count` rows, evenly spaced, so that sorted rows lose no class."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


def _thinned(part: LabelledPart, rows: int) -> LabelledPart:
    kept = spaced(len(part.x), rows)
    return LabelledPart(part.domain, part.role, part.x[kept], {task: y[kept] for task, y in part.y.items()})


def _array(blocks: list[Tensor]) -> np.ndarray:
    return torch.cat(blocks).double().cpu().numpy()
