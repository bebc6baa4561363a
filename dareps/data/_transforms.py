"""The matrix side of feature sets: values, row norms and columns standardised by domain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

import numpy as np

from dareps.data._base import Fitted
from dareps.data._feature_names import RowNorm, Transform
from dareps.errors import DataError

TRANSFORMS: tuple[Transform, ...] = get_args(Transform)
ROW_NORMS: tuple[RowNorm, ...] = get_args(RowNorm)
Columns = Mapping[str, tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, slots=True)
class Features:
    """Raw counts (n, d) of a domain -> network input (n, d) float32.

    Attributes:
        where: The dataset, for errors.
        transform: Which function of the counts.
        row_norm: Which norm each row is divided by.
        width: Number of features d.
        idf: (d,) weights of `tfidf`.
        columns: Mean and reciprocal deviation (d,) by domain; empty when columns stay as they are.
    """

    where: str
    transform: Transform
    row_norm: RowNorm
    width: int
    idf: np.ndarray | None
    columns: Columns

    def __call__(self, x: np.ndarray, domain: str) -> np.ndarray:
        """Transform rows of a domain that was there when this was fitted."""
        rows = self.before_columns(x)
        if not self.columns:
            return rows
        if domain not in self.columns:
            fix = f"Use one of the domains of the split: {', '.join(self.columns)}."
            raise DataError(self.where, "columns are standardised by domain, and this domain is not known", domain, fix)
        mean, scale = self.columns[domain]
        rows -= mean
        rows *= scale
        return rows

    def before_columns(self, x: np.ndarray) -> np.ndarray:
        """Values and row norms: all that does not depend on the domain."""
        if x.ndim != 2 or x.shape[1] != self.width:
            raise DataError(self.where, f"expected rows of {self.width} features", x.shape, "Give (n, features).")
        if self.transform != "counts" and x.size and x.min() < 0:
            fix = "Use 'transform: counts'."
            raise DataError(self.where, f"{self.transform} needs counts, which are never negative", x.min().item(), fix)
        return normalised(values(x, self.transform, self.idf), self.row_norm)

    def state(self) -> dict[str, np.ndarray]:
        """Arrays that `restore_features` rebuilds this from."""
        codes = [TRANSFORMS.index(self.transform), ROW_NORMS.index(self.row_norm), self.width]
        state = {"codes": np.array(codes, dtype=np.int64)}
        if self.idf is not None:
            state["idf"] = self.idf
        for domain, (mean, scale) in self.columns.items():
            state |= {f"mean/{domain}": mean, f"scale/{domain}": scale}
        return state


def fit_features(
    where: str, transform: Transform, row_norm: RowNorm, x: Mapping[str, np.ndarray], *, by_domain: bool
) -> Fitted:
    """Fit on the train rows of all domains, unlabelled; see `dareps.data._feature_set.FeatureSet`.

    Args:
        where: The dataset, for errors.
        transform: Which function of the counts.
        row_norm: Which norm each row is divided by.
        x: Train rows (n, d) by domain.
        by_domain: Whether columns are standardised within their domain.
    """
    width = next(iter(x.values())).shape[1]
    idf = inverse_frequencies(list(x.values())) if transform == "tfidf" else None
    features = Features(where, transform, row_norm, width, idf, {})
    if by_domain:
        columns = {domain: column_statistics(features.before_columns(rows)) for domain, rows in x.items()}
        features = Features(where, transform, row_norm, width, idf, columns)
    return Fitted(features.state(), features)


def restore_features(where: str, state: Mapping[str, np.ndarray]) -> Fitted:
    """The transform of a state, equal to the one that was fitted."""
    transform, row_norm, width = (int(code) for code in state["codes"])
    domains = [name.removeprefix("mean/") for name in state if name.startswith("mean/")]
    columns = {domain: (state[f"mean/{domain}"], state[f"scale/{domain}"]) for domain in domains}
    idf = state.get("idf")
    return Fitted(state, Features(where, TRANSFORMS[transform], ROW_NORMS[row_norm], width, idf, columns))


def values(counts: np.ndarray, transform: Transform, idf: np.ndarray | None) -> np.ndarray:
    """A function of each count, float32; `idf` broadcasts against the counts."""
    if transform == "binary":
        return (counts > 0).astype(np.float32)
    if transform == "counts":
        return counts.astype(np.float32)
    logs: np.ndarray = np.log1p(counts, dtype=np.float32)
    if transform == "tfidf" and idf is not None:
        logs *= idf
    return logs


def inverse_frequencies(x: list[np.ndarray]) -> np.ndarray:
    """Smooth idf = log((1 + n) / (1 + df)) + 1 over all rows of all matrices, (d,) float32."""
    frequency = sum((np.count_nonzero(rows > 0, axis=0) for rows in x), np.zeros(x[0].shape[1], dtype=np.int64))
    n = sum(len(rows) for rows in x)
    return np.asarray(np.log((1 + n) / (1 + frequency)) + 1, dtype=np.float32)


def normalised(x: np.ndarray, norm: RowNorm) -> np.ndarray:
    """Rows (n, d) divided in place by their norm; rows of zeros stay."""
    if norm == "none":
        return x
    size = np.abs(x).sum(axis=1) if norm == "l1" else np.sqrt(np.einsum("nd,nd->n", x, x))
    size[size == 0] = 1
    x /= size[:, None]
    return x


def column_statistics(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and reciprocal population standard deviation of each column, float32; 0 for constant columns."""
    mean, deviation = x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64)
    # The deviation of a constant column is rounding noise, so constancy is read from the values themselves.
    varies = x.max(axis=0) > x.min(axis=0)
    scale = np.divide(1, deviation, out=np.zeros_like(deviation), where=varies & (deviation > 0))
    return mean.astype(np.float32), scale.astype(np.float32)
