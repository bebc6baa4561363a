"""A fitted transform with a representation behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dareps.data._base import Fitted
from dareps.data._representation import Representation

PREFIX = "representation/"


@dataclass(frozen=True, slots=True)
class Represented:
    """Raw rows of a domain -> transformed rows -> their representation."""

    inner: Fitted
    part: Representation
    state: Mapping[str, np.ndarray]

    def __call__(self, x: np.ndarray, domain: str) -> np.ndarray:
        """Representation (n, k) of raw rows (n, d)."""
        return self.part(self.inner.apply(x, domain), self.state)


def fit_represented(part: Representation, inner: Fitted, x: Mapping[str, np.ndarray]) -> Fitted:
    """Fit on the transformed train rows of all domains, in the order of `x`: domain -> raw rows (n, d)."""
    rows = np.concatenate([inner.apply(own, domain) for domain, own in x.items()])
    return _joined(part, inner, part.fit(rows))


def restore_represented(part: Representation, inner: Fitted, state: Mapping[str, np.ndarray]) -> Fitted:
    """The transform of a state that `fit_represented` returned, around the restored inner one."""
    own = {name.removeprefix(PREFIX): value for name, value in state.items() if name.startswith(PREFIX)}
    return _joined(part, inner, own)


def _joined(part: Representation, inner: Fitted, state: Mapping[str, np.ndarray]) -> Fitted:
    named = {f"{PREFIX}{name}": value for name, value in state.items()}
    return Fitted({**inner.state, **named}, Represented(inner, part, state), inner.apply)
