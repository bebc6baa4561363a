"""The H-score, and its variant with a shrunk covariance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from dareps.errors import DataError
from dareps.transfer.scores._base import Transferability

if TYPE_CHECKING:
    import numpy as np

    from dareps.transfer.scores._inputs import Values


class HScore(Transferability):
    """H-score: the share of the features' variance that lies between classes, summed over directions.

    With C the covariance of features (n, d), B that of their class means weighted by class size, both over n, and m the
    mean variance tr C / d,

        score = tr(C^+ B), or with shrinkage a:  tr(((1 - a) C + a m I)^-1 (1 - a) B).

    Range: 0 <= score <= min(rank C, classes - 1). Higher is better. Invariant to the order of rows, to translations,
    orthogonal maps and the unit of the features, and without shrinkage to every invertible affine map. Labels that say
    nothing score about rank C (classes - 1) / (n - 1) without shrinkage, so that features of full rank n - 1 score
    classes - 1 on any labels at all and are refused. More shrinkage never scores more. O(n d min(n, d)).

    Bao et al., ICIP 2019, eq. 4; with shrinkage by the formula of Ledoit & Wolf (J. Multivariate Analysis 88,
    2004): Ibrahim et al., ECML PKDD 2022. Its a is 0 where C is a multiple of I already.

    Raises:
        DataError: Features are not finite numbers (n, d), do not vary, or have rank n - 1 without shrinkage; labels are
            missing, no class numbers or all of one class.
    """

    shrinkage: Literal["ledoit_wolf"] | Annotated[float, Field(ge=0, lt=1)] = 0.0
    """a, how far the covariance is drawn to a multiple of I: a number, or what suits the rows best."""

    reads: ClassVar[Literal["features", "predictions"]] = "features"

    def __call__(self, outputs: Values, labels: Values) -> float:
        """The score of features (n, d) for labels (n,)."""
        import numpy as np

        from dareps.transfer.scores._inputs import class_sums, classes_of, features_of
        from dareps.transfer.scores._spectrum import centred, spectrum

        features = centred(features_of(self.name, outputs))
        places, sizes = classes_of(self.name, labels, len(features))
        left, squares = spectrum(features)
        a = self._shrunk(features, squares)
        if a == 0 and len(squares) == len(features) - 1:
            what = "features that tell every row from the others score the same on any labels, (rows, features)"
            fix = "Give more rows than features, or set shrinkage: ledoit_wolf."
            raise DataError(f"{self.name} features", what, features.shape, fix)
        # In the basis of the left singular vectors C is diagonal, and B the projection on functions of the class.
        between = (np.square(class_sums(left, places, len(sizes))) / sizes[:, None]).sum(axis=0)
        kept = (1 - a) * squares
        return float((between * kept / (kept + a * squares.sum() / features.shape[1])).sum())

    def _shrunk(self, features: np.ndarray, squares: np.ndarray) -> float:
        from dareps.transfer.scores._spectrum import ledoit_wolf

        return ledoit_wolf(features, squares) if isinstance(self.shrinkage, str) else self.shrinkage
