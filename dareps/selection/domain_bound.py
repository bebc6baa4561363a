"""The bound of domain adaptation theory as a score."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from dareps.selection._base import ValidationView, Validator


class DomainBound(Validator):
    """Source accuracy less half the proxy A-distance of the features; -inf when an output is NaN.

    The target risk is at most the source risk plus half the divergence of the domains plus a constant (Ben-David et
    al., Machine Learning 79, 2010, theorem 2). The divergence is estimated by the proxy A-distance 2 (1 - 2 e), e the
    balanced error of a logistic regression that tells source train from target features, on held-out rows of both
    (source validation rows, and every second target row); e above 1/2 counts as 1/2. In [-1, 1].
    """

    needs: ClassVar[frozenset[str]] = frozenset({"classes", "target"})

    rows: int = Field(500, ge=2)
    """At most this many rows of each domain train the domain classifier, evenly spaced."""
    penalty: float = Field(1.0, gt=0)
    """Weight of |weights|^2 / 2 in the domain classifier."""

    def __call__(self, view: ValidationView) -> float:
        """Source accuracy - max(0, 1 - 2 e)."""
        import numpy as np

        from dareps.maths.domain_classifier import proxy_a_distance
        from dareps.selection._scores import accuracy, ranked

        source, target = view.source.features, view.target.features
        if not (len(source) and all(np.isfinite(part).all() for part in (view.source_train.features, source, target))):
            return ranked(float("nan"))
        seen, held = (view.source_train.features, target[::2]), (source, target[1::2])
        distance = proxy_a_distance(seen, held, rows=self.rows, penalty=self.penalty)
        return ranked(accuracy(view.source.logits, view.source_labels) - distance / 2)
