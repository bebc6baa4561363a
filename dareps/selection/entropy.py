"""Select by certainty on the target."""

from __future__ import annotations

from typing import ClassVar

from dareps.selection._base import ValidationView, Validator


class Entropy(Validator):
    """Negative mean entropy of target predictions, in [-log c, 0]; -inf when a logit is NaN.

    -(1/m) sum_i H(p_i) with p = softmax(logits). A collapsed model that is certain of one class scores best, which
    `information_maximisation` mends (Morerio et al., ICLR 2018).
    """

    needs: ClassVar[frozenset[str]] = frozenset({"classes", "target"})

    def __call__(self, view: ValidationView) -> float:
        """The negative mean entropy of `view.target`."""
        from dareps.selection._scores import entropies, log_softmax, ranked

        return ranked(float(-entropies(log_softmax(view.target.logits)).mean()))
