"""Marginalised stacked denoising autoencoders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dareps.data._representation import Representation

if TYPE_CHECKING:
    import numpy as np

    from dareps.data._representation import State


class MSDA(Representation):
    """Features that survive the loss of others: linear denoising in closed form, squashed and stacked.

    A layer is h = tanh(W [x; 1]), where W minimises the expected squared error of restoring x from a copy in which
    each feature is 0 with probability p. With q = (1 - p, ..., 1 - p, 1) and S = sum over rows of [x; 1] [x; 1]',

        W = E[P] E[Q]^-1,  E[P]_ij = S_ij q_j,  E[Q]_ij = S_ij q_i q_j for i != j and S_ii q_i on the diagonal

    (Chen, Xu, Weinberger & Sha, ICML 2012: the closed form), and the next layer denoises h. Of more than `pivots`
    features the first layer restores the most frequent ones, from each block of a random partition, and h is tanh of
    the mean over blocks (there: the extension to high dimensions). x (n, d) -> (n, k); blocks that are joined get
    equal mean squared row norms on the train rows, together 1, so that none outweighs the others.
    """

    layers: int = Field(3, ge=1)
    """How often rows are denoised."""
    corruption: float = Field(0.5, ge=0, lt=1)
    """Probability p that a feature is lost."""
    ridge: float = Field(1e-5, gt=0)
    """Added to the diagonal of E[Q], in units of its mean over features; the constant feature is spared."""
    pivots: int | None = Field(1000, ge=1)
    """At most this many features are restored, and read at a time; None restores all from all: one d x d solve."""
    output: Literal["last", "layers", "all"] = "all"
    """What the network reads: the last layer, all layers, or the input and all layers, as in the paper."""

    def fit(self, x: np.ndarray) -> State:
        """Weights of all layers; equal rows and settings are solved once per process."""
        from dareps.data.represent._msda import Stack, fit_stack

        return fit_stack(x, Stack(**self.model_dump()))

    def __call__(self, x: np.ndarray, state: State) -> np.ndarray:
        """Denoised rows (m, k)."""
        from dareps.data.represent._msda import Stack, apply_stack

        return apply_stack(x, state, Stack(**self.model_dump()))
