"""Alignment of inverse Gram matrices, for numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from dareps.alignment._base import Alignment
from dareps.alignment._checks import check_samples

if TYPE_CHECKING:
    from torch import Tensor


class InverseGram(Alignment):
    """Distance of the inverse Gram matrices of source and target, on which a linear head's least squares rest.

    With Z = [1, features] the least squares of labels y are (Z'Z)^-1 Z'y. Where the inverses agree, so do the solutions
    as far as they depend on the features' spread, and neither features nor their scale, which numbers need, are pressed
    together as by `coral` or `mmd`. With G = Z'Z / n, P = G (G^2 + r^2 I)^-1, r = damping tr G:

        1 - <P_s, P_t> / (|P_s| |P_t|) + scale (log |P_s| - log |P_t|)^2,   Frobenius norms.

    This is DARE-GRAM made smooth. There P is the pseudo-inverse of the leading directions; here small eigenvalues v
    fade out as v / (v^2 + r^2), and the gradient is that of the value. There the angle is the mean over columns; here
    it is that of the whole, which turning the features leaves alone. There leading eigenvalues are compared; here the
    size of P.

    source (n, d), target (m, d) -> (). Nejjar, Wang & Fink, CVPR 2023; that numbers suffer where the scale of features
    changes: Chen et al., ICML 2021.
    """

    gradient: ClassVar[bool] = True
    symmetric: ClassVar[bool] = True
    nonnegative: ClassVar[bool] = True
    zero_on_identical: ClassVar[bool] = True
    rotation: ClassVar[bool] = True
    duplication: ClassVar[bool] = True

    damping: float = Field(0.01, gt=0, le=1)
    """Share of the sum of the eigenvalues below which one fades out of the inverse."""
    scale_weight: float = Field(0.1, ge=0)
    """Factor on the term of the inverses' sizes."""

    def __call__(self, source: Tensor, target: Tensor) -> Tensor:
        """The distance of the inverses of source (n, d) and target (m, d), 0-d."""
        from dareps.maths.precision import widened

        check_samples(self.name, source, target)
        return widened(self._distance, source, target)

    def _distance(self, source: Tensor, target: Tensor) -> Tensor:
        from dareps.maths.gram import inverse_gram_distance

        return inverse_gram_distance(source, target, self.damping, self.scale_weight)
