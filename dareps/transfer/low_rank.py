"""Settings of low-rank adapters."""

from __future__ import annotations

from pydantic import Field

from dareps.plugin import Many, Settings


class LowRank(Settings):
    """Low-rank adapters (LoRA, Hu et al., ICLR 2022): W x + (alpha / rank) B A x in linear layers and convolutions.

    B starts at 0, so the method starts as it would without them. Their part is named `adapters`: neither `*` nor
    `encoder` covers it, so a phase trains them only where it says so, as in `trains: [adapters, heads]`.
    """

    rank: int = Field(8, ge=1)
    """Rows of A: of a linear layer outputs, of a convolution channels."""
    alpha: float = Field(8.0, gt=0)
    """What the adapters add is scaled by alpha / rank."""
    stages: Many[str] = ()
    """Stages of the encoder whose layers get one; none named means every stage with such layers."""
