"""The first stage of an encoder whose domains have rows of different forms."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from dareps.encoders._shapes import Shape
from dareps.encoders.stems._base import Stem
from dareps.errors import ConfigError
from dareps.maths.domains import current_groups
from dareps.maths.staged import Staged

STEM = "stem"
"""What the stage is called: `encoder.stem` among the parts of a method."""


class StemStage(nn.Module):
    """Rows of several domains, flattened and filled up with zeros to one width, as the encoder reads them.

    Which rows are whose, the scope `dareps.maths.domains.group_scope` says. Rows of the encoder's own form are
    unfolded; every other domain has a module of its own, which neither sees nor learns from other rows.

    Args:
        stem: Makes the modules.
        forms: Domain -> shape of one row, in the order in which scopes count domains.
        to: Shape of one row that the encoder reads.
    """

    def __init__(self, stem: Stem, forms: Mapping[str, Shape], to: Shape) -> None:
        super().__init__()
        self.domains, self.forms = tuple(forms), tuple(forms.values())
        self.own = nn.ModuleDict({domain: stem.build(form, to) for domain, form in forms.items() if form != to})

    def forward(self, x: Tensor) -> Tensor:
        """x (n, D) as (n, *to)."""
        groups = current_groups()
        if len(groups) == 1:
            return self._of(x, groups[0][0])
        blocks = torch.split(x, [rows for _, rows in groups])
        return torch.cat([self._of(block, domain) for block, (domain, _) in zip(blocks, groups, strict=True)])

    def _of(self, x: Tensor, number: int) -> Tensor:
        domain, form = self.domains[number], self.forms[number]
        rows = x[:, : math.prod(form)].reshape(x.shape[0], *form)
        return self.own[domain](rows) if domain in self.own else rows


def behind(stage: StemStage, encoder: Staged, shape: Shape) -> Staged:
    """The encoder with the stage before its first one.

    Args:
        stage: The stage.
        encoder: An encoder of what the stage gives, which is changed.
        shape: Shape of one row that the encoder reads.

    Raises:
        ConfigError: The encoder has a stage of this name itself.
    """
    if STEM in encoder.names:
        fix = "Rename that stage, or use an encoder without one."
        raise ConfigError("stem", "the encoder has a stage of this name itself", list(encoder.names), fix)
    encoder.names = (STEM, *encoder.names)
    encoder.chain = nn.ModuleDict({STEM: stage, **encoder.chain})
    encoder.shapes = {STEM: shape, **encoder.shapes}
    return encoder
