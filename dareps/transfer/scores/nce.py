"""NCE, the negative conditional entropy."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dareps.transfer.scores._base import Transferability

if TYPE_CHECKING:
    import numpy as np

    from dareps.transfer.scores._inputs import Values


class NCE(Transferability):
    """Negative conditional entropy of the target's labels, given the source classes of the same rows.

    With z the source label of a row, or the source model's likeliest class for it,

        score = -H(Y | Z) = sum over y, z of P(y, z) log(P(y, z) / P(z)),   P the shares of rows.

    Range: -H(Y) <= score <= 0; -H(Y) where source classes say nothing of the label, 0 where they determine it, which
    as many source classes as rows always do. Higher is better. Invariant to the order of rows and to the names of both
    kinds of classes. O(n) with labels, O(n z) with predictions.

    Tran et al., ICCV 2019, eq. 6 (P) and 7; with predicted classes: Nguyen et al., ICML 2020.

    Raises:
        DataError: Source classes are neither class numbers (n,) nor finite scores (n, z); labels are missing, no class
            numbers or all of one class.
    """

    reads: ClassVar[Literal["features", "predictions"]] = "predictions"

    def __call__(self, outputs: Values, labels: Values) -> float:
        """The score of source labels (n,), or of source logits or probabilities (n, z), for labels (n,)."""
        import numpy as np

        from dareps.transfer.scores._inputs import classes_of

        source = self._source_classes(outputs)
        places, sizes = classes_of(self.name, labels, len(source))
        _, source = np.unique(source, return_inverse=True)
        pairs, counts = np.unique(source * len(sizes) + places, return_counts=True)
        conditional = counts / np.bincount(source)[pairs // len(sizes)]
        return min(0.0, float(counts @ np.log(conditional)) / len(places))

    def _source_classes(self, outputs: Values) -> np.ndarray:
        from dareps.transfer.scores._inputs import as_array, class_numbers, rows_of

        where = f"{self.name} source classes"
        given = as_array(where, outputs)
        return class_numbers(where, given, len(given)) if given.ndim == 1 else rows_of(where, given).argmax(axis=1)
