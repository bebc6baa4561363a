"""Alignments as modules of a method: which domains meet which."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from dareps.alignment._settings import AlignmentSettings
from dareps.alignment._views import check_roles, check_views, check_weights, signature
from dareps.maths.networks import Networks
from dareps.types import Role, Shapes, Step, SubStep, View


class AlignmentModule(nn.Module):
    """A built alignment. Subclasses compute `forward`; the hooks have defaults.

    Args:
        settings: The alignment that built this module.
        shapes: What it was built for, which the streams are then held to.

    Attributes:
        refresh_every: Steps of a phase between two calls of `refresh`, of which one comes before the first step; 0 for
            never.
        least: Rows that every stream has to have.
        roles: Of which it needs a stream each, as its settings say.
    """

    refresh_every: int = 0
    least: int = 1

    def __init__(self, settings: AlignmentSettings, shapes: Shapes | None = None) -> None:
        super().__init__()
        self.settings, self.shapes = settings, shapes
        self.roles: tuple[Role, ...] = settings.needs()
        self._checked: object = None

    def __call__(self, views: Sequence[View], strength: Tensor, step: Step) -> Tensor:
        """`forward` on streams that fit each other and this module; anything else is a `ContractError`."""
        found = signature(views)
        if found != self._checked:
            self._check(views)
            self._checked = found
        try:
            value: Tensor = super().__call__(views, strength, step)
        except RuntimeError:
            check_weights(type(self.settings).name, self, views[0])
            raise
        return value

    def _check(self, views: Sequence[View]) -> None:
        name, reads = type(self.settings).name, self.settings.reads
        check_roles(name, views, self.roles)
        check_views(name, reads, views, self.shapes, self.least)

    def forward(self, views: Sequence[View], strength: Tensor, step: Step) -> Tensor:
        """The unweighted value, 0-d; `strength` (0-d, weight times schedule) is for gradient reversal alone."""
        raise NotImplementedError

    def steps(self) -> tuple[SubStep, ...]:
        """The sub-steps of one training step, the ordinary one (`SubStep()`) among them; none means that one alone."""
        return ()

    def attach(self, student: Networks) -> None:
        """See the networks being trained once, when they have been built: the time to make a copy of them."""

    def begin(self, student: Networks) -> None:
        """Set buffers from the networks at the start of each phase in which the alignment acts."""

    def after_step(self, progress: Tensor, student: Networks) -> None:
        """Update buffers from parameters after the optimizer step."""

    def refresh(self, features: Tensor, logits: Tensor, student: Networks) -> None:
        """Take in one pass of the networks over all target train rows: features (n, d), logits (n, c)."""


def of_role(views: Sequence[View], role: str) -> list[View]:
    """The streams of a role, in order."""
    return [view for view in views if view.role == role]


def pooled(views: Sequence[View]) -> View:
    """Several streams of a role as one; what one of them lacks, all lack."""
    if len(views) == 1:
        return views[0]
    logits = [view.logits for view in views if view.logits is not None]
    labels = [view.labels for view in views if view.labels is not None]
    return View(
        "+".join(view.domain for view in views),
        views[0].role,
        torch.cat([view.shared for view in views]),
        torch.cat(logits) if len(logits) == len(views) else None,
        torch.cat(labels) if len(labels) == len(views) else None,
        kind=views[0].kind,
    )


def paired(views: Sequence[View], pairs: str) -> list[tuple[View, View]]:
    """The source and target streams that meet: `all` of them with each other, or the `pooled` rows of each side."""
    sources, targets = of_role(views, "source"), of_role(views, "target")
    if pairs == "pooled":
        sources, targets = [pooled(sources)], [pooled(targets)]
    return [(source, target) for source in sources for target in targets]


def mean_of(values: Sequence[Tensor]) -> Tensor:
    """The mean of 0-d values, 0-d."""
    return values[0] if len(values) == 1 else torch.stack(list(values)).mean()


def mean_of_pairs(values: Sequence[Tensor], pairs: Sequence[tuple[View, View]]) -> Tensor:
    """The mean of what pairs of streams give, 0-d each, by the weights of their sources where these have any."""
    weights = [source.weight for source, _ in pairs if source.weight is not None]
    if len(weights) < len(values):
        return mean_of(values)
    shares = torch.stack(weights).to(values[0].dtype)
    return (torch.stack(list(values)) * shares).sum() / shares.sum()


class Pairwise(AlignmentModule):
    """A stateless two-sample loss, averaged over source-target pairs or computed on pooled rows."""

    def forward(self, views: Sequence[View], strength: Tensor, step: Step) -> Tensor:
        """The mean over pairs, 0-d."""
        pairs = paired(views, self.settings.pairs)
        return mean_of_pairs([self.between(*pair, step) for pair in pairs], pairs)

    def between(self, source: View, target: View, step: Step) -> Tensor:
        """The loss between two streams, 0-d."""
        return self.settings.between(source, target)


class OnTargets(AlignmentModule):
    """A stateless target-side loss, averaged over target domains."""

    def __init__(self, settings: AlignmentSettings, on: Callable[[View], Tensor]) -> None:
        super().__init__(settings)
        self.on = on

    def forward(self, views: Sequence[View], strength: Tensor, step: Step) -> Tensor:
        """The mean over targets, 0-d."""
        return mean_of([self.on(view) for view in of_role(views, "target")])
