"""A linear support vector machine as a phase: the baseline that papers forget to beat."""

from __future__ import annotations

from pydantic import Field

from dareps.plugin import Many
from dareps.transfer._phase import Phase


class LinearSVM(Phase):
    """scikit-learn's LinearSVC on the labelled source, C chosen by source cross-validation.

    min_w |w|^2 / 2 + C sum_i max(0, 1 - y_i w.x_i) per class, one against the rest (Fan et al., JMLR 9, 2008). The
    solution becomes the weights of the linear head, so prediction and selection work as for any other model.
    """

    name = "linear_svm"
    grid: Many[float] = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
    """Values of C to choose from."""
    folds: int = Field(5, ge=2)
    """Folds of the cross-validation; fewer where a class has fewer rows."""
