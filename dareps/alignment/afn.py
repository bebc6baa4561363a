"""Adaptive feature norm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from dareps.alignment._base import Alignment
from dareps.alignment._checks import check_samples
from dareps.plugin import Tune

if TYPE_CHECKING:
    from torch import Tensor


class FeatureNorm(Alignment):
    """Adaptive feature norm (AFN): brings the features of both domains to large norms.

    * stepwise: the mean over all n + m rows of (|h| - (|h|' + increment))^2, where |h|' is |h| without its gradient.
      The value is always increment^2 and tells nothing; the gradient -2 increment h / |h| / (n + m) makes every norm
      grow at the same pace.
    * hard: (mean |h_s| - radius)^2 + (mean |h_t| - radius)^2.

    Features that are exactly 0 get no gradient.

    source (n, d), target (m, d) -> (). Xu et al., ICCV 2019, section 3; increment 1 and radius 25 with weight 0.05 as
    published. Their dropout that preserves second moments is a matter of the encoder.
    """

    name: ClassVar[str] = "afn"
    symmetric: ClassVar[bool] = True
    nonnegative: ClassVar[bool] = True
    rotation: ClassVar[bool] = True
    duplication: ClassVar[bool] = True
    largest: ClassVar[float | None] = 1e18

    variant: Literal["stepwise", "hard"] = "stepwise"
    """Whether each norm grows from where it is, or mean norms go to a radius."""
    increment: Annotated[float, Tune(0.3, 3.0, log=True)] = Field(1.0, gt=0)
    """By how much the stepwise variant wants each norm to grow."""
    radius: float = Field(25.0, gt=0)
    """R, the mean norm that the hard variant wants."""

    def claims(self) -> Mapping[str, bool | float | None]:
        """The class flags; the stepwise variant cuts its gradient off from half of its value."""
        return {**super().claims(), "gradient": self.variant == "hard"}

    def __call__(self, source: Tensor, target: Tensor) -> Tensor:
        """The loss of source (n, d) and target (m, d), 0-d."""
        from dareps.maths.precision import widened

        check_samples(self.name, source, target)
        return widened(self._stepwise if self.variant == "stepwise" else self._hard, source, target)

    def _stepwise(self, source: Tensor, target: Tensor) -> Tensor:
        import torch

        from dareps.maths.norms import safe_norm

        norms = safe_norm(torch.cat((source, target)))
        # The difference of the norms comes first: it is exactly 0, however large they are.
        return (norms - norms.detach() - self.increment).square().mean()

    def _hard(self, source: Tensor, target: Tensor) -> Tensor:
        from dareps.maths.norms import safe_norm

        gap_source, gap_target = (safe_norm(rows).mean() - self.radius for rows in (source, target))
        return gap_source.square() + gap_target.square()
