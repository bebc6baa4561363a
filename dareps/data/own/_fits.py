"""All that is fitted to one's own rows, by what their description asks for, and how it is put together again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, get_args

import numpy as np

from dareps.data._base import Fitted
from dareps.data._feature_names import RowNorm
from dareps.data.own._channels import Channels, fit_channels
from dareps.data.own._columns import Column
from dareps.data.own._table import SHARED, STATE, Columns, check_varies, fit_columns
from dareps.data.own.description import Transforms
from dareps.errors import DataError

State = Mapping[str, np.ndarray]
Apply = Callable[[np.ndarray, str], np.ndarray]
HOME: Final = "home"
NORM: Final = "row_norm"
NORMS: Final[tuple[RowNorm, ...]] = get_args(RowNorm)
PLAIN: Final = Transforms()


@dataclass(frozen=True, slots=True)
class ByDomain:
    """A transform of each domain's own; rows of any other domain are taken for rows of `home`."""

    parts: Mapping[str, Apply]
    home: str

    def __call__(self, x: np.ndarray, domain: str) -> np.ndarray:
        """The transformed rows."""
        return self.parts.get(domain, self.parts[self.home])(x, domain)


@dataclass(frozen=True, slots=True)
class Normed:
    """Rows divided by their norm, then transformed."""

    norm: RowNorm
    inner: Apply

    def __call__(self, x: np.ndarray, domain: str) -> np.ndarray:
        """The transformed rows."""
        return self.inner(normed(x, self.norm), domain)


def normed(x: np.ndarray, norm: RowNorm) -> np.ndarray:
    """Rows (n, c, ...), or (n, 2 d) with marks of gaps behind d values, divided by the norm of their values.

    Rows of 0 stay as they are.
    """
    count = x.shape[1] // 2 if x.ndim == 2 else x.shape[1]
    values = np.asarray(x[:, :count], dtype=np.float64)
    # By the largest value first, so that squares neither vanish nor become infinite.
    values = _divided(values, np.abs(_flat(values)).max(axis=1))
    flat = _flat(values)
    length = np.abs(flat).sum(axis=1) if norm == "l1" else np.sqrt(np.square(flat).sum(axis=1))
    return np.concatenate([_divided(values, length), x[:, count:]], axis=1)


def _flat(values: np.ndarray) -> np.ndarray:
    return values.reshape(len(values), -1)


def _divided(values: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Rows divided by a number each, but for 0."""
    divisors: np.ndarray = np.where(by > 0, by, 1.0).reshape(-1, *(1,) * (values.ndim - 1))
    return np.asarray(values / divisors)


def fit(where: str, columns: Sequence[Column], asked: Transforms, x: Mapping[str, np.ndarray], home: str) -> Fitted:
    """Fit what is asked for on train rows.

    Args:
        where: The dataset, for errors.
        columns: Of rows (n, 2 d); none for rows of channels (n, c, ...).
        asked: The description's transforms.
        x: Domain -> raw train rows.
        home: The domain whose transform rows of new domains get.

    Raises:
        DataError: Rows do not fit what is asked for, or no column varies.
    """
    if columns:
        check_varies(where, columns, x)
    if asked.row_norm != "none":
        x = {domain: normed(rows, asked.row_norm) for domain, rows in x.items()}
    leaf = partial(fit_columns, where, columns) if columns else partial(fit_channels, asked.numbers != "none")
    state: dict[str, np.ndarray] = leaf(x)
    if asked.standard == "domain":
        state = _apart({domain: leaf({domain: rows}) for domain, rows in x.items()}, state, home)
    if asked.row_norm != "none":
        state[NORM] = np.asarray([NORMS.index(asked.row_norm)])
    return restore(where, [own.name for own in columns], state)


def _apart(states: Mapping[str, State], joint: State, home: str) -> dict[str, np.ndarray]:
    """The states of domains as one, and whose is for new domains; what places are in use is said by all together."""
    shared = {name: joint[name] for name in SHARED if name in joint}
    found = {f"{domain}/{name}": own for domain, state in states.items() for name, own in {**state, **shared}.items()}
    return {**found, HOME: np.frombuffer(home.encode(), np.uint8).copy()}


def restore(where: str, names: Sequence[str], state: State) -> Fitted:
    """The transform of a state, equal to the one that was fitted.

    Args:
        where: The dataset, for errors.
        names: Of columns, for errors.
        state: As `fit` gave it.
    """
    inner = {name: value for name, value in state.items() if name != NORM}
    found = _joint_or_apart(where, names, inner)
    return Fitted(state, Normed(NORMS[int(state[NORM][0])], found) if NORM in state else found)


def _joint_or_apart(where: str, names: Sequence[str], state: State) -> Apply:
    if HOME not in state:
        return _leaf(where, names, state)
    parts: dict[str, dict[str, np.ndarray]] = {}
    for path, value in state.items():
        domain, _, name = path.rpartition("/")
        if domain:
            parts.setdefault(domain, {})[name] = value
    home = state[HOME].tobytes().decode()
    return ByDomain({domain: _leaf(where, names, own) for domain, own in parts.items()}, home)


def _leaf(where: str, names: Sequence[str], state: State) -> Apply:
    if "scale" in state:
        return Channels(where, **state)
    if set(state) != set(STATE):
        raise DataError(where, "the saved transform is of another version", sorted(state), "Train the run again.")
    return Columns(where, tuple(names), **state)
