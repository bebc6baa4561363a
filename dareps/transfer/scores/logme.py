"""LogME, the logarithm of maximum evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dareps.transfer.scores._base import Transferability

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from dareps.transfer.scores._evidence import Evidence
    from dareps.transfer.scores._inputs import Values


class LogME(Transferability):
    """Logarithm of maximum evidence: how well linear regression on the features explains the labels, per row.

    With features F (n, d) and a target y (n,), under y = F w + e, w ~ N(0, I / alpha), e ~ N(0, I / beta), the evidence
    is log p(y | F) = log N(y; 0, I / beta + F F' / alpha), and

        score = max over alpha, beta of log p(y | F) / n,

    the mean over the targets: over the classes that occur, each against the rest as 0 and 1, or over the columns of
    regression labels (n,) or (n, k); a label set (n, k) of 0 and 1 is a regression.

    The maximum is found exactly: for a given beta / alpha the best beta has a closed form, and the ratio is searched on
    a grid and then refined, since fixed-point iterations stop at local maxima or before any. Nothing is added to
    features, which have no intercept: give them a constant column if the model's head has one.

    Range: any number, and inf where every row is explained exactly by features of rank below n. Higher is better.
    Invariant to the order of rows, to orthogonal maps of the features and to their unit; regression labels times c have
    a score lower by log c. n < d is allowed. O(n d min(n, d)), and n times min(n, d) for each target.

    You et al., ICML 2021, eq. 2 (evidence) and algorithm 1.

    Raises:
        DataError: Features are not finite numbers (n, d) or do not vary; labels are missing, no class numbers, all of
            one class, or a target that does not vary.
    """

    name = "logme"

    kind: Literal["classification", "regression"] = "classification"
    """Whether labels are class numbers or amounts."""

    reads: ClassVar[Literal["features", "predictions"]] = "features"

    def __call__(self, outputs: Values, labels: Values) -> float:
        """The score of features (n, d) for labels (n,), or (n, k) where they are amounts."""
        from dareps.transfer.scores._inputs import features_of
        from dareps.transfer.scores._spectrum import spectrum

        features = features_of(self.name, outputs)
        measured = self._of_classes if self.kind == "classification" else self._of_amounts
        values = list(measured(*spectrum(features), labels))
        return sum(values) / len(values)

    def _of_classes(self, left: np.ndarray, squares: np.ndarray, labels: Values) -> Iterator[float]:
        from dareps.transfer.scores._evidence import evidences, one_hot_blocks
        from dareps.transfer.scores._inputs import classes_of

        places, sizes = classes_of(self.name, labels, len(left))
        return (each.value for each in evidences(left, squares, one_hot_blocks(places, len(sizes))))

    def _of_amounts(self, left: np.ndarray, squares: np.ndarray, labels: Values) -> Iterator[float]:
        import numpy as np

        from dareps.transfer.scores._evidence import evidences
        from dareps.transfer.scores._inputs import numbers_of

        amounts = numbers_of(self.name, labels, len(left))
        # In units of a power of 2 near the largest, squares neither overflow nor vanish; density scales back.
        exponents = np.frexp(np.abs(amounts).max(axis=0))[1]
        found: Iterator[Evidence] = evidences(left, squares, [np.ldexp(amounts, -exponents)])
        return (each.value - np.log(2.0) * float(power) for each, power in zip(found, exponents, strict=True))
