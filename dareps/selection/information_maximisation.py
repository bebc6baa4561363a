"""Select by certainty and diversity on the target."""

from __future__ import annotations

from typing import ClassVar

from dareps.selection._base import ValidationView, Validator


class InformationMaximisation(Validator):
    """Mutual information of target rows and predictions: H(mean p) - mean H(p), in [0, log c]; -inf for NaN logits.

    High when each prediction is certain and all classes are used (Musgrave et al., arXiv 2111.15672, from Shi & Sha,
    ICML 2012, eq. 5).
    """

    needs: ClassVar[frozenset[str]] = frozenset({"classes", "target"})

    def __call__(self, view: ValidationView) -> float:
        """The information of `view.target`."""
        import numpy as np

        from dareps.selection._scores import entropies, log_softmax, ranked

        log_p = log_softmax(view.target.logits)
        with np.errstate(divide="ignore"):
            log_mean = np.log(np.exp(log_p).mean(axis=0))
        return ranked(float(entropies(log_mean) - entropies(log_p).mean()))
