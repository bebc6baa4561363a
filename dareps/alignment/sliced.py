"""Sliced Wasserstein distances."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from dareps.alignment._base import Alignment
from dareps.alignment._checks import check_samples
from dareps.types import Shapes

if TYPE_CHECKING:
    from torch import Tensor

    from dareps.alignment._modules import AlignmentModule


class _AlongDirections(Alignment, abstract=True):
    """What both distances share: fixed directions in a call of its own, drawn ones in a step."""

    symmetric: ClassVar[bool] = True
    nonnegative: ClassVar[bool] = True
    zero_on_identical: ClassVar[bool] = True
    translation: ClassVar[bool] = True
    duplication: ClassVar[bool] = True
    largest: ClassVar[float | None] = 1e18
    scale: ClassVar[float | None] = 2.0

    projections: int = Field(128, ge=1)
    """How many random directions."""

    def build(self, shapes: Shapes) -> AlignmentModule:
        """The mean over pairs of domains, along directions that every step draws anew."""
        from dareps.alignment._drawn import AlongDrawn

        return AlongDrawn(self, self.along, self.projections)

    def __call__(self, source: Tensor, target: Tensor) -> Tensor:
        """The distance of source (n, d) and target (m, d), 0-d, from the same directions in every call."""
        from dareps.alignment._drawn import fixed_directions

        check_samples(self.name, source, target)
        return self.along(source, target, fixed_directions(source, self.projections))

    def along(self, source: Tensor, target: Tensor, directions: Tensor) -> Tensor:
        """The distance from unit directions (d, p), 0-d."""
        from dareps.maths.precision import widened

        check_samples(self.name, source, target)
        return widened(self._distance, source, target, directions)

    def _distance(self, source: Tensor, target: Tensor, directions: Tensor) -> Tensor:
        raise NotImplementedError


class SlicedWasserstein(_AlongDirections):
    """Sliced Wasserstein distance, squared: optimal transport along random directions.

    Mean over p unit directions of the squared 2-Wasserstein distance of the projections, int (F^-1 - G^-1)^2 of their
    quantile functions, which for n = m is the mean squared difference of sorted values; exact for n != m too. A pure
    shift by t has |t|^2 / d on average. A step draws new directions; a call of its own always uses the same.

    source (n, d), target (m, d) -> (). Bonneel et al., J. Math. Imaging Vis. 51 (2015), section 3; for domain
    adaptation: Gabourie et al., Allerton 2019.
    """

    gradient: ClassVar[bool] = True

    def _distance(self, source: Tensor, target: Tensor, directions: Tensor) -> Tensor:
        from dareps.maths.quantiles import mean_transport

        return mean_transport(source, target, directions)


class MaxSlicedWasserstein(_AlongDirections):
    """Maximum sliced Wasserstein distance, squared: optimal transport along the worst direction found.

    The largest squared 2-Wasserstein distance of projections over unit directions, at most that of the rows themselves.
    Each random start takes a set number of ascent steps, every one halfway towards the gradient, and the best direction
    met by any start counts; the loss is differentiated along it and not through the search. The direction is found
    anew in every step, not learned along with the network, so that the value depends on the batch alone, on no
    optimizer and on no earlier step. A pure shift by t has |t|^2.

    source (n, d), target (m, d) -> (). Deshpande et al., CVPR 2019, eq. 9.
    """

    projections: int = Field(8, ge=1)
    """How many random directions the search starts from."""
    steps: int = Field(10, ge=0)
    """Ascent steps of each start."""

    def _distance(self, source: Tensor, target: Tensor, directions: Tensor) -> Tensor:
        from dareps.maths.kernels import pooled_rows
        from dareps.maths.quantiles import steepest, transport_along

        rows, n = pooled_rows(source, target), len(source)
        fixed = rows.detach()
        found = steepest(fixed[:n], fixed[n:], directions, self.steps)
        return transport_along(rows[:n], rows[n:], found).amax()
