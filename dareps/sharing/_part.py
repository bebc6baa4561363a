"""Some stages of an encoder."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from dareps.maths.staged import Staged


class Part(nn.Module):
    """Some consecutive stages of an encoder.

    Args:
        encoder: The encoder, which gives them up.
        stages: Their names.

    Attributes:
        whole: All stages of the encoder.
        aliases: As the encoder's; likewise `host`.
    """

    def __init__(self, encoder: Staged, stages: Sequence[str]) -> None:
        super().__init__()
        self.whole, self.aliases, self.host = encoder.whole, dict(encoder.aliases), encoder.host
        self.chain = nn.ModuleDict({stage: encoder.chain[stage] for stage in stages})

    def forward(self, x: Tensor) -> Tensor:
        """x after all stages."""
        for stage in self.chain.values():
            x = stage(x)
        return x
