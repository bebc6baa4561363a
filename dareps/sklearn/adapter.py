"""A scikit-learn estimator that adapts to a target domain."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any, Final, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import Tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    check_array,
    check_consistent_length,
    check_is_fitted,
    check_X_y,
    validate_data,
)

from dareps.engine.device import device_of
from dareps.engine.execute import Surroundings, execute
from dareps.engine.predict import Model, load
from dareps.errors import ConfigError, DataError
from dareps.recipe.bind import bind_run
from dareps.sklearn._frames import is_frame, table_of
from dareps.sklearn._memory import NAME, SOURCE, TARGET, in_memory, raw_rows

CHECKS: Final[Mapping[str, Any]] = {"dtype": np.float64, "allow_nd": True, "ensure_all_finite": "allow-nan"}
RULES: Final = "engine.selection"


class DomainAdapter(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Learns from labelled source rows and unlabelled target rows by a recipe; predicts target rows.

    `fit(X, y, X_target)` takes both sides apart. `fit(X, y, domain=d)` takes them together: rows with d < 0 are of the
    target, and their y is not looked at. `fit(X, y)` alone learns without a target: X is then both sides. Rows are
    (n, d), where NaN is a missing value, or (n, channels, ...), or a frame of polars or pandas, whose columns of text,
    categories and objects are categories and are found by their names later. Checkpoints are chosen without target
    labels.

    Args:
        recipe: Name of a shipped recipe or path of a YAML file.
        task: `classification` or `regression`.
        settings: Overrides of the recipe, as `{"phases.0.steps": 500, "encoder.width": 32}`.
        rule: The rule of selection; None for information_maximisation, and for importance_weighted of numbers.
        random_state: Seed of initialisation, noise and order.
        device: `cpu`, `cuda`, `cuda:N` or `auto`.

    Attributes:
        model_: The trained model.
        classes_: Labels in the order of the columns of `predict_proba`; of classification alone.
        n_features_in_: Columns of X.
        feature_names_in_: Their names, where X had some.
    """

    def __init__(
        self,
        recipe: str = "dann",
        *,
        task: Literal["classification", "regression"] = "classification",
        settings: Mapping[str, Any] | None = None,
        rule: str | None = None,
        random_state: int = 0,
        device: str = "cpu",
    ) -> None:
        self.recipe = recipe
        self.task = task
        self.settings = settings
        self.rule = rule
        self.random_state = random_state
        self.device = device

    def fit(self, X: Any, y: Any, X_target: Any = None, *, domain: Any = None) -> Self:  # noqa: N803
        """Train; see the class for the three ways to give rows.

        Raises:
            DataError: Rows cannot be trained on, or training failed.
            ConfigError: The recipe or a setting does not exist or does not fit.
            ValueError: Arrays that scikit-learn would not take either.
        """
        frames = [own for own in (X, X_target) if own is not None]
        self._table = table_of(frames) if all(map(is_frame, frames)) else None
        x, labels, own = _labelled(self, X, y, domain)
        target = x[~own] if domain is not None else x
        if X_target is not None:
            target = _rows(self, X_target)
        if own.sum() < 2:
            raise ValueError(f"{own.sum()} sample is too few: a source needs rows to train on and rows to validate on.")
        sides = {SOURCE: (x[own], self._coded(labels)), TARGET: (target, self._unknown(len(target)))}
        names = tuple(map(str, range(len(self.classes_)))) if self.task == "classification" else ()
        columns = () if self._table is None else self._table.columns
        in_memory({side: (raw_rows(rows), coded) for side, (rows, coded) in sides.items()}, names, columns)
        self.model_ = self._trained()
        return self

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """Labels of target rows (n,)."""
        found = self._asked(X, "predict")
        return self.classes_[found] if self.task == "classification" else found.reshape(len(found), -1)[:, 0]

    @available_if(lambda estimator: estimator.task == "classification")  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """Probabilities (n, c) of classes of target rows, columns as in `classes_`."""
        return self._asked(X, "predict_proba")

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:  # noqa: N803
        """Accuracy, or R^2, on rows whose labels are known."""
        measure = accuracy_score if self.task == "classification" else r2_score
        return float(measure(y, self.predict(X), sample_weight=sample_weight))

    def __sklearn_tags__(self) -> Tags:
        """What scikit-learn may expect."""
        from sklearn.utils import ClassifierTags, RegressorTags

        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.allow_nan = True
        tags.non_deterministic = False
        if self.task == "classification":
            tags.estimator_type, tags.classifier_tags = "classifier", ClassifierTags()
        else:
            tags.estimator_type, tags.regressor_tags = "regressor", RegressorTags()
        return tags

    def _coded(self, y: np.ndarray) -> np.ndarray:
        """Labels as the engine has them; learns which classes there are."""
        if self.task == "regression":
            return np.asarray(y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"Only one class among the source's labels: {self.classes_[0]}. Two or more are needed.")
        return np.asarray(codes, dtype=np.int64)

    def _unknown(self, n: int) -> np.ndarray:
        return np.full(n, -1, np.int64) if self.task == "classification" else np.full(n, np.nan)

    def _trained(self) -> Model:
        run = bind_run(self.recipe, f"{NAME}/{SOURCE}:{TARGET}", int(self.random_state), self._overrides())
        with tempfile.TemporaryDirectory() as folder:
            [outcome] = execute([run], Surroundings(Path(folder), device_of(self.device), strict=True))
            if outcome.status != "ok":
                raise DataError("fit", f"training failed ({outcome.error})", fix="Change the recipe or its settings.")
            model = load(Path(folder) / outcome.folder, self.device)
        model.reads = _no_files
        return model

    def _overrides(self) -> list[tuple[str, Any]]:
        """The settings, with the rule among those of the selection."""
        classes = self.task == "classification"
        rule = self.rule or ("information_maximisation" if classes else "importance_weighted")
        if not isinstance(self.settings, Mapping | None):
            fix = "Give key paths with values, as {'phases.0.steps': 500}."
            raise ConfigError("settings", "expected a mapping", self.settings, fix)
        settings = {**({} if classes else {RULES: ["last", "source_score"]}), **(self.settings or {})}
        if isinstance(settings.get(RULES), list | tuple):
            settings[RULES] = _with_rule(settings[RULES], rule)
        return [("protocol", "paper"), ("engine.predictions", False), *settings.items(), ("engine.keep", rule)]

    def _asked(self, X: Any, how: Literal["predict", "predict_proba"]) -> np.ndarray:  # noqa: N803
        check_is_fitted(self, "model_")
        x = _rows(self, X)
        found: np.ndarray = getattr(self.model_, how)(raw_rows(x))
        return found


def _with_rule(rules: Sequence[Any], rule: str) -> list[Any]:
    """Rules, each a name or settings with one, and this one behind them unless it is there."""
    names = [own.get("name") if isinstance(own, Mapping) else own for own in rules]
    return [*rules, *([] if rule in names else [rule])]


def _labelled(estimator: DomainAdapter, x: Any, y: Any, domain: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows (n, ...) and labels (k,) of the source as scikit-learn takes them, and which rows are of the source, (n,).

    How many columns there are, and their names, is learned.
    """
    table, numeric = estimator._table, estimator.task == "regression"
    given = x if table is None else table.matrix(x)
    if domain is None:
        rows, labels = validate_data(estimator, given, y, y_numeric=numeric, **CHECKS)
        own = np.ones(len(rows), bool)
    else:
        rows = validate_data(estimator, given, None if y is None else "no_validation", **CHECKS)
        own = _of_source(domain, len(rows))
        check_consistent_length(rows, y)
        _, labels = check_X_y(rows[own], _picked(y, own), y_numeric=numeric, estimator=estimator, **CHECKS)
    if table is not None and table.named:
        estimator.feature_names_in_ = np.asarray([column.name for column in table.columns], dtype=object)
    return rows, labels, own


def _picked(y: Any, own: np.ndarray) -> np.ndarray:
    """Labels of these rows, of a type that those of others have no part in."""
    if isinstance(y, np.ndarray) and y.dtype != object:
        return np.asarray(y[own])
    found = np.asarray(y, dtype=object)[own]
    cells = found.ravel().tolist()
    alike = all(isinstance(cell, str) for cell in cells) or all(isinstance(cell, Real) for cell in cells)
    return np.asarray(found.tolist()) if alike else found


def _rows(estimator: DomainAdapter, x: Any) -> np.ndarray:
    """Rows of as many columns as those that were learned from; of the same names where they had some."""
    table = estimator._table
    if table is not None and is_frame(x):
        return np.asarray(check_array(table.matrix(x), estimator=estimator, **CHECKS))
    if table is not None and table.has_categories:
        names = ", ".join(own.name for own in table.columns[:9])
        raise ValueError(f"fit saw a table with categories: give a table with the columns {names}, not an array.")
    rows: np.ndarray = validate_data(estimator, x, reset=False, **CHECKS)
    return rows


def _of_source(domain: Any, n: int) -> np.ndarray:
    """Which rows are of the source."""
    found = np.asarray(domain)
    if found.shape != (n,) or found.dtype.kind not in "iufb":
        raise ValueError(
            f"domain must be {n} numbers, below 0 for rows of the target; got {found.dtype} {found.shape}."
        )
    own = found >= 0
    if own.all() or not own.any():
        raise ValueError("domain must name rows of both sides: some below 0 (target), some from 0 on (source).")
    return np.asarray(own)


def _no_files(_: Path) -> None:
    """Arrays have no files."""
