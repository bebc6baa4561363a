"""Select by accuracy on the source."""

from __future__ import annotations

from typing import ClassVar

from dareps.selection._base import ValidationView, Validator


class SourceAccuracy(Validator):
    """Accuracy on labelled source validation rows, in [0, 1]; -inf when a logit is NaN.

    The baseline among label-free rules (Musgrave et al., arXiv 2208.07360).
    """

    needs: ClassVar[frozenset[str]] = frozenset({"classes"})

    def __call__(self, view: ValidationView) -> float:
        """The accuracy of `view.source`."""
        from dareps.selection._scores import accuracy, ranked

        return ranked(accuracy(view.source.logits, view.source_labels))
