"""The automatic choice of a feature transform by cross-validation on labelled source rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from dareps.data._feature_names import Auto, RowNorm, Transform
from dareps.data._roots import cached_arrays, digest_of
from dareps.data._transforms import ROW_NORMS, TRANSFORMS, inverse_frequencies, values

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

FOLDS = 3
COSTS = (0.1, 1.0)
SMALLEST = 1e-12
VERSION = 1
PREFERRED: tuple[RowNorm, ...] = ("l2", "none", "l1")
"""Row norms by preference: unit rows make a document's length irrelevant and keep inputs at one scale."""

_chosen: dict[str, tuple[Transform, RowNorm]] = {}


def choose(
    transform: Transform | Auto, row_norm: RowNorm | Auto, x: Mapping[str, np.ndarray], y: Mapping[str, np.ndarray]
) -> tuple[Transform, RowNorm]:
    """Replace `auto` by what a linear SVM likes best in 3-fold cross-validation on source train rows.

    The transform is the one with the best accuracy under any row norm. Of the row norms, the first of l2, none and l1
    that is within one standard error of the best is taken (Breiman et al., CART, 1984, section 3.4.3). idf is counted
    on source rows here, so that the choice is the same whatever the target is. A source in which no class has two
    rows cannot be cross-validated and gets tf-idf with unit rows, or what of it is open. Features of which some are
    negative are not counts and keep their values.

    Args:
        transform: A transform, or `auto`.
        row_norm: A row norm, or `auto`.
        x: Source train rows (n, d) by domain.
        y: Their classes (n,) by domain.
    """
    from scipy import sparse

    if transform != "auto" and row_norm != "auto":
        return transform, row_norm
    rows, labels = sparse.csr_matrix(np.concatenate([*x.values()])), np.concatenate([*y.values()])
    # Only counts have logarithms.
    open_to_all = rows.nnz == 0 or rows.data.min() > 0
    transforms = (transform,) if transform != "auto" else TRANSFORMS if open_to_all else TRANSFORMS[:1]
    norms = PREFERRED if row_norm == "auto" else (row_norm,)
    key = f"{digest_of(rows.indptr, rows.indices, rows.data, labels)}-{'-'.join((*transforms, *norms))}-{VERSION}"
    if key not in _chosen:
        name = f"choice-{digest_of(np.frombuffer(key.encode(), dtype=np.uint8))}"
        stored = cached_arrays(name, lambda: {"codes": _codes(*_best(rows, labels, transforms, norms))})
        _chosen[key] = TRANSFORMS[int(stored["codes"][0])], ROW_NORMS[int(stored["codes"][1])]
    return _chosen[key]


def _codes(transform: Transform, norm: RowNorm) -> np.ndarray:
    return np.array([TRANSFORMS.index(transform), ROW_NORMS.index(norm)], dtype=np.int64)


def _best(
    rows: csr_matrix, labels: np.ndarray, transforms: tuple[Transform, ...], norms: tuple[RowNorm, ...]
) -> tuple[Transform, RowNorm]:
    folds = list(_folds(labels))
    if not folds:
        return transforms[-1], norms[0]
    idf = inverse_frequencies([rows.toarray()])
    scores = {(t, n): _accuracy(_transformed(rows, t, n, idf), labels, folds) for t in transforms for n in norms}
    top = max(scores.values())
    transform = next(t for t, n in scores if scores[t, n] == top)
    error = np.sqrt(top * (1 - top) / len(labels))
    return transform, next(n for n in norms if scores[transform, n] >= top - error)


def _folds(labels: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    from sklearn.model_selection import StratifiedKFold

    smallest = int(np.unique(labels, return_counts=True)[1].min())
    if smallest >= 2 and len(np.unique(labels)) > 1:
        yield from StratifiedKFold(min(FOLDS, smallest), shuffle=True, random_state=0).split(labels, labels)


def _transformed(rows: csr_matrix, transform: Transform, norm: RowNorm, idf: np.ndarray) -> csr_matrix:
    """Transformed rows, scaled to mean squared length 1, so that one cost fits every candidate."""
    from sklearn.preprocessing import normalize

    result = rows.copy()
    result.data = values(rows.data, transform, idf[rows.indices])
    result = result if norm == "none" else normalize(result, norm)
    result.data /= max(float(np.sqrt(np.square(result.data).sum() / result.shape[0])), SMALLEST)
    return result


def _accuracy(x: csr_matrix, labels: np.ndarray, folds: list[tuple[np.ndarray, np.ndarray]]) -> float:
    from sklearn.svm import LinearSVC

    def mean(cost: float) -> float:
        models = (LinearSVC(C=cost, random_state=0, max_iter=5000).fit(x[a], labels[a]) for a, _ in folds)
        return float(np.mean([model.score(x[b], labels[b]) for model, (_, b) in zip(models, folds, strict=True)]))

    return max(mean(cost) for cost in COSTS)
