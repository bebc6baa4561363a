"""Using the result: a run's saved model, loaded and asked."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dareps.data._base import Fitted
from dareps.engine import checkpoint
from dareps.engine._described import rebound
from dareps.engine.conformal import Calibration
from dareps.engine.device import device_of
from dareps.engine.inputs import blocks_of, network_input
from dareps.engine.saving import MODEL
from dareps.errors import CheckpointError, ConfigError, DataError
from dareps.plugin import suggestion
from dareps.recipe.method import Method
from dareps.selection._base import Outputs
from dareps.sharing._modules import Group
from dareps.tasks import Scale, kind_of
from dareps.types import Kind, Task


class Model:
    """A trained run: give it raw rows of the target domain, get classes, numbers or label sets.

    Of several tasks, the first one of classes is meant unless a task is named.

    Args:
        method: The trained method, in evaluation mode.
        fitted: The input transform.
        domain: The domain whose statistics and transform apply.
        shape: Shape of one network input.
        name: What to call it.
        scales: Units of regression tasks.
        reads: Gives the raw rows of a file like those of the data, in pieces, where these are files of one's own.
        calibration: What conformal sets need; None for a model that cannot give any.
    """

    def __init__(
        self,
        method: Method,
        fitted: Fitted,
        domain: str,
        shape: tuple[int, ...],
        name: str,
        scales: Mapping[str, Scale] | None = None,
        reads: Callable[[Path], Iterator[np.ndarray] | None] = lambda _: None,
        calibration: Calibration | None = None,
    ) -> None:
        self.method, self.fitted, self.domain = method.eval(), fitted, domain
        self.shape, self.name, self.scales = shape, name, dict(scales or {})
        self.calibration = calibration
        self.task: Task = method.lead
        self.reads = reads
        self.device = next(method.parameters()).device

    def __repr__(self) -> str:
        outputs = "classes" if self.task.kind == "classification" else f"outputs of {self.task.kind}"
        others = "".join(f", {task.name}" for task in self.method.tasks if task != self.task)
        return f"Model({self.name}, rows of {self.domain}, {self.task.size} {outputs}{others})"

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the columns of `predict_proba`."""
        return self.task.classes or tuple(str(number) for number in range(self.task.size))

    def predict_proba(self, x: Any, task: str | None = None) -> np.ndarray:
        """Probabilities (n, c) of classes or of labels, of raw rows x (n, *shape) as the dataset gives them.

        Rows of another shape that hold as many values, flattened images for instance, are unfolded first.

        Raises:
            DataError: The rows have another shape than the training data, or are not finite.
            ConfigError: There is no such task, or it is one of numbers.
        """
        own = self._named(task)
        if own.kind == "regression":
            raise ConfigError("predict_proba", "numbers have no probabilities", own.name, "Use predict(x, task).")
        outputs = torch.from_numpy(self._outputs(x, own).logits)
        return np.asarray((outputs.softmax(dim=1) if own.kind == "classification" else outputs.sigmoid()).numpy())

    def predict(self, x: Any, task: str | None = None) -> np.ndarray:
        """Predictions of raw rows x (n, *shape), as `predict_proba` takes them.

        Class numbers (n,), positions in `classes`; numbers (n, size) in the units of the training labels; or zeros and
        ones (n, size).
        """
        own = self._named(task)
        if own.kind == "classification":
            return np.asarray(self.predict_proba(x, own.name).argmax(axis=1))
        outputs = self._outputs(x, own).logits
        scale = self.scales.get(own.name)
        return kind_of(own).predicted(outputs if scale is None else scale.restore(outputs))

    def predict_sets(self, x: Any, coverage: float = 0.9) -> np.ndarray:
        """Which classes are in the set of each raw row, (n, c), as `predict_proba` takes rows.

        A set holds the right class with at least this probability on average over target rows, by weighted split
        conformal prediction (Tibshirani et al., NeurIPS 2019). The promise rests on p(y | features) being the same on
        both sides, and on weights p_target / p_source of source validation rows that are estimated: where the domains
        are told apart easily, few rows carry the weight, and coverage falls short. Rows of a source domain need no
        weights. A set may be empty.

        Raises:
            ConfigError: The model has no classes or no calibration rows, or the coverage is not between 0 and 1.
            DataError: As for `predict_proba`.
        """
        calibration = self.calibrated(coverage, "classification")
        return calibration.sets(self._outputs(x, self.task), coverage, self.of_target)

    def predict_intervals(self, x: Any, coverage: float = 0.9) -> np.ndarray:
        """Lowest and highest number of each output of each raw row, (n, size, 2), as `predict_proba` takes rows.

        All of a row's numbers lie between theirs at once with at least this probability on average over target rows: by
        split conformal prediction with the largest absolute error of a row in units of its spread, weighted as in
        `predict_sets`, on the same conditions. Infinite where no calibration row bears the promise out.

        Raises:
            ConfigError: The model has no numbers or no calibration rows, or the coverage is not between 0 and 1.
            DataError: As for `predict_proba`.
        """
        calibration = self.calibrated(coverage, "regression")
        found = calibration.intervals(self._outputs(x, self.task), coverage, self.of_target)
        scale = self.scales[self.task.name]
        return np.stack([scale.restore(found[:, :, end]) for end in (0, 1)], axis=2)

    def calibrated(self, coverage: float, kind: Kind | None = None) -> Calibration:
        """What sets of classes or intervals of numbers are made by; see `predict_sets` for what is raised."""
        where = "sets"
        if not 0 < coverage < 1:
            raise ConfigError(where, "expected a probability between 0 and 1", coverage, "Give 0.9 for 90 %.")
        if self.task.kind == "multilabel":
            fix = "Leave it out, or use a model of classes or numbers."
            raise ConfigError(where, "only a task of classes or numbers has sets, not one of", self.task.kind, fix)
        if self.task.kind != (kind or self.task.kind):
            fix = "Classes have predict_sets, numbers have predict_intervals."
            raise ConfigError(where, "the other kind of task has these, not one of", self.task.kind, fix)
        if self.calibration is None:
            fix = "Train the run again."
            raise ConfigError(where, "the model was saved without what sets need", self.name, fix)
        return self.calibration

    @property
    def of_target(self) -> bool:
        """Whether the rows' domain is one that the model was adapted to."""
        return self.domain in self.method.targets

    def _named(self, task: str | None) -> Task:
        tasks = {own.name: own for own in self.method.tasks}
        if task is not None and task not in tasks:
            raise ConfigError("task", "the model knows no task of this name", task, suggestion(task, tasks))
        return self.task if task is None else tasks[task]

    @torch.no_grad()
    def _outputs(self, x: Any, task: Task) -> Outputs:
        """Features, and outputs (n, size) of a head."""
        rows = np.asarray(x)
        if rows.ndim < 2 or len(rows) == 0:
            raise DataError("predict", "expected rows (n, *shape) with n > 0", rows.shape, "Stack the rows.")
        # One text per row is what the data's own transform accepts or refuses.
        texts = rows.dtype.kind in "OU" and rows.shape[1:] == (1,)
        whole = rows.dtype.kind in "iu"  # Has no other numbers, and large images no room for a mask of theirs.
        if not texts and not whole and (not np.issubdtype(rows.dtype, np.number) or not np.isfinite(rows).all()):
            raise DataError("predict", "the rows hold values that are not finite numbers", fix="Clean the rows.")
        first: DataError | None = None
        for reading in self._readings(rows):
            try:
                return self._of(reading, task)
            except DataError as error:
                first = first or error
        assert first is not None
        raise first

    def _readings(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """The rows as they are, then unfolded to the shape of an input, of one channel where they are grey."""
        yield rows
        for known in dict.fromkeys((self.shape, (1, *self.shape[1:]))):
            if rows.shape[1:] != known and math.prod(known) == math.prod(rows.shape[1:]):
                yield rows.reshape(len(rows), *known)

    def _of(self, rows: np.ndarray, task: Task) -> Outputs:
        try:
            inputs = self.fitted.apply(rows, self.domain)
            blocks = [self._head(block, task.name) for block in blocks_of(inputs)]
        except (RuntimeError, ValueError, IndexError) as error:
            what = f"the rows do not fit the model ({str(error).splitlines()[0]})"
            raise DataError("predict", what, rows.shape, "Give rows as the dataset has them.") from None
        return Outputs(*(torch.cat(own).double().cpu().numpy() for own in zip(*blocks, strict=True)))

    def _head(self, x: np.ndarray, name: str) -> tuple[Tensor, Tensor]:
        dtype = next(self.method.parameters()).dtype
        rows = network_input(x, self.device, dtype)
        groups = [Group(len(rows), self.domain, (name,))]
        found = self.method.represent(rows, groups)[0][name]
        return found.shared, self.method.heads[name](found.task)


def load(run: str | Path, device: str = "cpu", domain: str | None = None) -> Model:
    """The model of a finished run.

    Args:
        run: The run's folder below `models/`, or its model file.
        device: Where to compute: `cpu`, `cuda`, `cuda:N` or `auto`.
        domain: The domain that rows come from; the first target domain by default.

    Raises:
        CheckpointError: There is no model, or it is damaged.
        ConfigError: There is no such device, or the model knows no such domain.
    """
    path = Path(run)
    path = path / MODEL if path.is_dir() else path
    if not path.is_file():
        fix = "Give a folder that `dareps train` printed, with model.safetensors in it."
        raise CheckpointError(str(run), "there is no saved model here", fix=fix)
    tensors, record = checkpoint.load(path)
    bound = rebound(record, path)
    domains = (*bound.source, *bound.target)
    if domain is not None and domain not in domains:
        raise ConfigError("domain", "the model knows no domain of this name", domain, suggestion(domain, domains))
    tasks = [Task(**{**task, "classes": tuple(task["classes"])}) for task in record["tasks"]]
    shape, sides = tuple(record["shape"]), (tuple(bound.source), tuple(bound.target))
    method = Method(bound.method, shape, tasks, *sides, bound.seed, type(bound.data).forms, frame=bound.data.frame())
    state = {name: value for name, value in checkpoint.below(tensors, "model").items() if _predicts(name)}
    try:
        method.to(dtype=next(iter(state.values())).dtype).adopt(state)
    except RuntimeError:
        fix = "Give it back the code and the packages that it was trained with."
        raise CheckpointError(str(run), "the weights do not fit the network that the run names", fix=fix) from None
    arrays = {name: value.numpy() for name, value in checkpoint.below(tensors, "input").items()}
    fitted, name = bound.data.restore(arrays), path.parent.name
    home = domain or (bound.target or bound.source)[0]
    held = Calibration.restored(checkpoint.below(tensors, "conformal"))
    return Model(method.to(device_of(device)), fitted, home, shape, name, _scales(tensors), bound.data.read_rows, held)


def _scales(tensors: Mapping[str, Tensor]) -> dict[str, Scale]:
    """Units of regression tasks, as saved."""
    saved = checkpoint.below(tensors, "scale")
    names = {name.rpartition("/")[0] for name in saved}
    return {name: Scale(saved[f"{name}/mean"].numpy(), saved[f"{name}/spread"].numpy()) for name in names}


def _predicts(name: str) -> bool:
    """Whether a tensor of the method takes part in prediction."""
    return not name.startswith(("align.", "shadow.", "reweight."))
