"""LEEP, the log expected empirical prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dareps.transfer.scores._base import Transferability

if TYPE_CHECKING:
    from dareps.transfer.scores._inputs import Values


class LEEP(Transferability):
    """Log expected empirical prediction: how well the source model's own class probabilities predict the labels.

    With theta(x) (z,) the source model's probabilities of its z classes, on target rows with labels y,

        P(y, z) = mean over rows of [y_i = y] theta(x_i)_z,   P(y | z) = P(y, z) / sum_y P(y, z),
        score = mean over rows of log sum_z P(y_i | z) theta(x_i)_z.

    Range: -H(Y) <= -H(Y | Z) <= score <= 0, with entropies of P; -H(Y) is reached where all rows have one prediction,
    0 where they determine the label, and the score is NCE where predictions are one-hot. Higher is better. Invariant to
    the order of rows and to the names of both kinds of classes. O(n z).

    Nguyen et al., ICML 2020, eq. 2.

    Raises:
        DataError: Predictions are not probabilities (n, z) that sum to 1 in each row; labels are missing, no class
            numbers or all of one class.
    """

    reads: ClassVar[Literal["features", "predictions"]] = "predictions"

    def __call__(self, outputs: Values, labels: Values) -> float:
        """The score of source probabilities (n, z) for labels (n,)."""
        import numpy as np

        from dareps.transfer.scores._inputs import class_sums, classes_of, predictions_of

        theta = predictions_of(self.name, outputs)
        places, sizes = classes_of(self.name, labels, len(theta))
        joint = class_sums(theta, places, len(sizes))
        total = joint.sum(axis=0)
        # A source class that is never predicted has no conditional, and no weight either.
        given = joint / np.where(total > 0, total, 1)
        expected = np.einsum("iz,iz->i", theta, given[places])
        return min(0.0, float(np.log(expected).mean()))
