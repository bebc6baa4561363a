"""Settings that all feature sets share: how counts become network input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from dareps.data._base import Dataset, DomainRows, Fitted
from dareps.data._feature_names import Auto, RowNorm, Transform
from dareps.data._representation import Representation

if TYPE_CHECKING:
    import numpy as np


class FeatureSet(Dataset, abstract=True):
    """Rows of non-negative counts, transformed as a matrix: values, then rows, then columns of a domain.

    With f the count of a feature in a row, `transform` gives f, log(1 + f), 1 if f > 0, or log(1 + f) idf, where
    idf = log((1 + n) / (1 + df)) + 1 over the n source and unlabelled target train rows, df of which hold it.
    `row_norm` divides each row by its l1 or l2 norm. `standardise: domain` then subtracts the column mean and divides
    by the population standard deviation of the row's own domain; columns that are constant there become 0.
    `auto` chooses by cross-validation of a linear classifier on source train rows alone. `representation` comes last:
    a map of these rows, fitted on source and unlabelled target train rows.
    """

    transform: Transform | Auto = "auto"
    """What is done to each count."""
    row_norm: RowNorm | Auto = "auto"
    """Norm by which each row is divided."""
    standardise: Literal["none", "domain"] = "none"
    """Whether columns are standardised within each domain."""
    representation: Representation | None = None
    """What is learned from the rows of both domains, without labels; None leaves the rows as they are."""

    def fit(self, source: Mapping[str, DomainRows], target_x: Mapping[str, np.ndarray]) -> Fitted:
        """Choose what is `auto`, count document frequencies, measure each domain's columns, fit the representation."""
        from dareps.data._choice import choose
        from dareps.data._represented import fit_represented
        from dareps.data._transforms import fit_features

        source_x = {domain: rows.x for domain, rows in source.items()}
        transform, row_norm = choose(self.transform, self.row_norm, *self._classified(source))
        x = {**source_x, **target_x}
        by_domain = self.standardise == "domain"
        fitted = fit_features(f"data {self.name}", transform, row_norm, x, by_domain=by_domain)
        return fitted if self.representation is None else fit_represented(self.representation, fitted, x)

    def _classified(self, source: Mapping[str, DomainRows]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Rows that have a class, and their classes, by domain; without a task of classes every row is its own."""
        import numpy as np

        from dareps.tasks import kind_of
        from dareps.types import lead_task

        lead = lead_task(self.tasks)
        if lead.kind != "classification":
            every = {domain: rows.x for domain, rows in source.items()}
            return every, {domain: np.arange(len(x)) for domain, x in every.items()}
        known = {domain: kind_of(lead).known(rows.y[lead.name]) for domain, rows in source.items()}
        classes = {domain: rows.y[lead.name][known[domain]] for domain, rows in source.items()}
        return {domain: rows.x[known[domain]] for domain, rows in source.items()}, classes

    def restore(self, state: Mapping[str, np.ndarray]) -> Fitted:
        """The transform that `fit` returned, from its saved state."""
        from dareps.data._represented import restore_represented
        from dareps.data._transforms import restore_features

        fitted = restore_features(f"data {self.name}", state)
        return fitted if self.representation is None else restore_represented(self.representation, fitted, state)
