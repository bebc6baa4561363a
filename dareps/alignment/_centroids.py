"""Labels of rows by the nearest centroid of their class, with centroids taken from all target rows."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from dareps.alignment._checks import check_rows, needed, present
from dareps.alignment._modules import AlignmentModule, mean_of, of_role
from dareps.alignment._pseudo_labels import cross_entropy, one_hot
from dareps.alignment._settings import AlignmentSettings
from dareps.maths.networks import Copy, Networks
from dareps.maths.norms import safe_norm
from dareps.maths.precision import wide, widened
from dareps.types import Shapes, Step, View

_SMALLEST = 1e-30


class Centroids(AlignmentModule):
    """The cross-entropy of target rows against the class whose centroid is nearest.

    Args:
        settings: The alignment that built this module.
        shapes: Number of features and of classes.
        every: Steps between two passes over the target.
        rounds: Rounds of k-means after the first centroids.
    """

    directions: Tensor
    found: Tensor

    def __init__(self, settings: AlignmentSettings, shapes: Shapes, every: int, rounds: int) -> None:
        super().__init__(settings, shapes)
        self.refresh_every, self.rounds = every, rounds
        self.register_buffer("directions", torch.zeros(shapes.classes, shapes.features + 1))
        self.register_buffer("found", torch.zeros(shapes.classes))

    def attach(self, student: Networks) -> None:
        """Make the copy."""
        self.reference = Copy(student)

    def begin(self, student: Networks) -> None:
        """Keep the networks as they are now, and forget the centroids of an earlier phase."""
        self.reference.take(student)
        self.found.zero_()

    def refresh(self, features: Tensor, logits: Tensor, student: Networks) -> None:
        """Find the centroids of all target rows, and keep the networks that gave the features."""
        self.reference.take(student)
        directions, found = centroids(bent(wide(features)), wide(logits).softmax(1), self.rounds)
        self.directions.copy_(directions)
        self.found.copy_(found)

    def forward(self, views: Sequence[View], strength: Tensor, step: Step) -> Tensor:
        """The mean over target domains, 0-d."""
        targets = of_role(views, "target")
        plain = [View(view.domain, view.role, view.shared, x=view.plain) for view in targets]
        known = needed(type(self.settings).name, step.model)(plain, networks=self.reference)
        labels = [widened(self._labels, own.shared, self._logits(own)) for own in known]
        pairs = zip(labels, targets, strict=True)
        return mean_of([cross_entropy(own.detach(), self._logits(view)).mean() for own, view in pairs])

    def _labels(self, features: Tensor, logits: Tensor) -> Tensor:
        """The nearest centroid of each row, one-hot (n, c); before the first pass, of centroids of these rows."""
        rows = bent(features)
        own = centroids(rows, logits.softmax(1), self.rounds)
        passed = self.found.amax() > 0
        pairs = zip((self.directions, self.found), own, strict=True)
        return nearest(rows, *(torch.where(passed, kept.to(rows.dtype), new) for kept, new in pairs))

    def _logits(self, view: View) -> Tensor:
        name = type(self.settings).name
        logits = present(name, "logits", view.logits)
        check_rows(name, view.role, logits)
        return wide(logits)


def bent(features: Tensor) -> Tensor:
    """Unit vectors (n, d + 1) along features (n, d) with a 1 appended, so that lengths count as well as directions."""
    rows = functional.pad(features, (0, 1), value=1.0)
    return rows / safe_norm(rows).unsqueeze(1)


def centroids(rows: Tensor, p: Tensor, rounds: int) -> tuple[Tensor, Tensor]:
    """Weighted spherical k-means of unit rows (n, d) from probabilities (n, c).

    Args:
        rows: Unit vectors.
        p: Weights of the rows in the first centroid of each class.
        rounds: How often rows are assigned to the nearest centroid, and centroids to the mean of their rows.

    Returns:
        Unit vectors (c, d), and (c,) 1 where a class is the most probable one of some row and 0 else.
    """
    found = one_hot(p).amax(0)
    directions = _unit(p.T @ rows)
    for _ in range(rounds):
        members = nearest(rows, directions, found)
        # A class that has lost all its rows stays where it was.
        directions = torch.where(members.amax(0).unsqueeze(1) > 0, _unit(members.T @ rows), directions)
    return directions, found


def nearest(rows: Tensor, directions: Tensor, found: Tensor) -> Tensor:
    """For each of the rows (n, d) the found class of the greatest cosine, one-hot (n, c)."""
    cosines = rows @ directions.T
    return one_hot(torch.where(found > 0, cosines, -torch.inf))


def _unit(rows: Tensor) -> Tensor:
    return rows / safe_norm(rows).clamp_min(_SMALLEST).unsqueeze(1)
