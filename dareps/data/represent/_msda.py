"""The linear algebra of marginalised stacked denoising autoencoders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve

from dareps.data._roots import digest_of
from dareps.data._split import keyed_order

if TYPE_CHECKING:
    from dareps.data._representation import State

SPARSE = 0.1
"""Share of values other than 0 below which products of sparse matrices are faster."""
KEPT = 6
"""Fits of one process that are kept: recipes of a split follow each other, and its seeds come again with each."""

Arrays = dict[str, np.ndarray]
Output = Literal["last", "layers", "all"]
_fits: dict[str, Arrays] = {}


@dataclass(frozen=True, slots=True)
class Stack:
    """The settings of `dareps.data.represent.msda.MSDA`, as plain numbers."""

    layers: int
    corruption: float
    ridge: float
    pivots: int | None
    output: Output


def fit_stack(x: np.ndarray, settings: Stack) -> State:
    """The state of a stack on rows x (n, d), from memory where the same was asked before."""
    key = f"{digest_of(x)}-{settings}"
    state = _fits.pop(key) if key in _fits else _fit(x, settings)
    _fits[key] = state
    for oldest in list(_fits)[:-KEPT]:
        del _fits[oldest]
    return state


def apply_stack(x: np.ndarray, state: State, settings: Stack) -> np.ndarray:
    """Scaled and joined blocks (m, k) float32 of rows x (m, d)."""
    blocks = _joined_blocks(x, _layers(x, state), settings)
    return np.concatenate([own * scale for own, scale in zip(blocks, state["scales"], strict=True)], axis=1)


def denoiser(x: Any, restored: Any, corruption: float, ridge: float) -> np.ndarray:
    """W of [x; 1] -> restored that minimises the expected squared error under corruption of x: (t, d + 1) float64.

    Args:
        x: Rows (n, d), dense or sparse, float64.
        restored: What is predicted from them, uncorrupted: (n, t).
        corruption: Probability that a feature of x is 0.
        ridge: Added to the features' diagonal, in units of its mean.
    """
    (n, d), kept = x.shape, 1 - corruption
    scatter, sums = _dense(x.T @ x), np.asarray(x.sum(axis=0)).ravel()
    power = scatter.diagonal().copy()
    q = np.empty((d + 1, d + 1))
    q[:d, :d], q[:d, d], q[d, :d], q[d, d] = kept**2 * scatter, kept * sums, kept * sums, n
    # A feature is lost or kept as a whole, so its square is kept with the feature's own probability.
    q[np.arange(d), np.arange(d)] = kept * power + ridge * kept * (float(power.mean()) or 1.0)
    p = np.concatenate([kept * _dense(x.T @ restored), np.asarray(restored.sum(axis=0)).reshape(1, -1)])
    return np.asarray(cho_solve(cho_factor(q, overwrite_a=True, check_finite=False), p, check_finite=False)).T


def _fit(x: np.ndarray, settings: Stack) -> Arrays:
    state = _first_layer(x, settings)
    layers = [_squashed(_suited(x), state, 0)]
    for number in range(1, settings.layers):
        rows = layers[-1].astype(np.float64)
        state |= _stored(number, denoiser(rows, rows, settings.corruption, settings.ridge))
        layers.append(_squashed(layers[-1], state, number))
    blocks = list(_joined_blocks(x, iter(layers), settings))
    return {**state, "scales": np.array([_scale(own, len(blocks)) for own in blocks], dtype=np.float32)}


def _first_layer(x: np.ndarray, settings: Stack) -> Arrays:
    """The layer that may read the features in blocks; the mean over blocks is taken in its weights."""
    d, rows = x.shape[1], _suited(x.astype(np.float64))
    most = d if settings.pivots is None else min(settings.pivots, d)
    pivots = np.sort(np.argsort(-np.count_nonzero(x, axis=0), kind="stable")[:most])
    blocks = np.array_split(keyed_order(d, "msda", "partition"), -(-d // most)) if most < d else [np.arange(d)]
    weight = np.zeros((most, d + 1))
    for block in blocks:
        own = denoiser(rows[:, block], rows[:, pivots], settings.corruption, settings.ridge)
        weight[:, [*block, d]] += own / len(blocks)
    return _stored(0, weight)


def _stored(number: int, weight: np.ndarray) -> Arrays:
    """A layer's W (t, d + 1) as the state keeps it."""
    single = weight.astype(np.float32)
    return {f"weight/{number}": np.ascontiguousarray(single[:, :-1]), f"bias/{number}": single[:, -1].copy()}


def _layers(x: np.ndarray, state: State) -> Iterator[np.ndarray]:
    rows = _suited(x)
    for number in range(sum(name.startswith("weight/") for name in state)):
        rows = _squashed(rows, state, number)
        yield rows


def _squashed(rows: Any, state: State, number: int) -> np.ndarray:
    result: np.ndarray = _dense(rows @ state[f"weight/{number}"].T)
    result += state[f"bias/{number}"]
    np.tanh(result, out=result)
    return result


def _joined_blocks(x: np.ndarray, layers: Iterator[np.ndarray], settings: Stack) -> Iterator[np.ndarray]:
    """The blocks that are joined, in order."""
    if settings.output == "all":
        yield x
    for number, rows in enumerate(layers, start=1):
        if settings.output != "last" or number == settings.layers:
            yield rows


def _scale(block: np.ndarray, count: int) -> float:
    """What makes the mean squared norm of the rows 1 / count; 1 for rows of zeros."""
    square = float(np.einsum("nd,nd->", block, block, dtype=np.float64)) / len(block)
    return float((count * square) ** -0.5) if square > 0 else 1.0


def _suited(x: np.ndarray) -> Any:
    """The rows as a sparse matrix where that is faster."""
    return sparse.csr_matrix(x) if np.count_nonzero(x) < SPARSE * x.size else x


def _dense(product: Any) -> np.ndarray:
    return np.asarray(product.toarray() if hasattr(product, "toarray") else product)
