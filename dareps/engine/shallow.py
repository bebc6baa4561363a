"""The linear support vector machine, fitted by scikit-learn, as weights of the linear head."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from dareps.data._base import SplitData
from dareps.data._frame import WHOLE, Frame
from dareps.errors import ConfigError
from dareps.maths.keys import key_of
from dareps.recipe.method import Method
from dareps.recipe.settings import Run
from dareps.transfer import LinearSVM


def fit_shallow(run: Run, data: SplitData, method: Method) -> None:
    """Fit on the labelled source train rows and write the solution into the method's head.

    Raises:
        ConfigError: The head is not linear in the input, or the run has other tasks than one of classes.
    """
    phase = run.method.phases[0]
    task = data.tasks[0]
    head = method.heads[task.name]
    assert isinstance(phase, LinearSVM)
    assert isinstance(head, nn.Linear)
    if len(data.tasks) > 1 or task.kind != "classification":
        found = [f"{own.name} ({own.kind})" for own in data.tasks]
        raise ConfigError("phases.0", "linear_svm fits one task of classes", found, "Name it: `tasks: [...]`.")
    x = np.concatenate([_seen(part.x, method.frame) for part in data.source_train])
    y = np.concatenate([part.y[task.name] for part in data.source_train])
    x, y = x[y >= 0], y[y >= 0]
    if len(y) == 0:
        raise ConfigError(f"tasks.{task.name}", "no source row has a label of this task", fix="Use another task.")
    if head.in_features != x.shape[1]:
        raise ConfigError("phases.0", "linear_svm reads the input itself", fix="Use `encoder: identity`.")
    model = _fit(phase, x, y, run.seed)
    weight, bias = np.zeros((task.size, x.shape[1])), np.full(task.size, -1e9)
    if len(model.classes_) == 2:
        weight[model.classes_] = np.concatenate([-model.coef_, model.coef_]) / 2
        bias[model.classes_] = np.concatenate([-model.intercept_, model.intercept_]) / 2
    else:
        weight[model.classes_], bias[model.classes_] = model.coef_, model.intercept_
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(weight))
        head.bias.copy_(torch.from_numpy(bias))


def _fit(phase: LinearSVM, x: np.ndarray, y: np.ndarray, seed: int) -> Any:
    """LinearSVC with the C of the best mean accuracy over stratified folds; the smallest class bounds the folds."""
    from scipy.sparse import csr_matrix
    from sklearn.model_selection import GridSearchCV, StratifiedKFold
    from sklearn.svm import LinearSVC

    state = key_of("linear_svm", seed) % 2**32
    rows = csr_matrix(x) if (x != 0).mean() < 0.1 else x
    machine = LinearSVC(loss="hinge", dual=True, random_state=state, max_iter=3000)
    folds = min(phase.folds, int(np.bincount(y)[np.unique(y)].min()))
    if folds < 2 or len(phase.grid) == 1:
        return machine.set_params(C=phase.grid[0]).fit(rows, y)
    splitter = StratifiedKFold(folds, shuffle=True, random_state=state)
    search = GridSearchCV(machine, {"C": list(phase.grid)}, cv=splitter).fit(rows, y)
    return search.best_estimator_


def _seen(x: np.ndarray, frame: Frame) -> np.ndarray:
    """Rows (n, d) as the encoder sees them."""
    rows = np.asarray(x)
    floating = rows if np.issubdtype(rows.dtype, np.floating) else rows.astype(np.float32) / 255
    framed = floating if frame == WHOLE else frame(torch.from_numpy(floating)).numpy()
    return framed.reshape(len(rows), -1)
