"""The encoder family: ordered stages with declared output shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from dareps.encoders._shapes import Norm, Shape
from dareps.errors import ContractError
from dareps.plugin import Plugin

if TYPE_CHECKING:
    from torch import Tensor

    from dareps.encoders._stages import Stages


class Encoder(Plugin, family="encoder"):
    """Maps inputs (n, *shape) to features (n, d) through named stages."""

    def build(self, shape: Shape, norm: Norm) -> Stages:
        """The module for inputs of `shape`; `norm(channels)` makes its normalisation layers."""
        raise ContractError(f"encoder {type(self).name}", "it has no build()", fix="Define build(shape, norm).")

    def laid_out(self, layout: Sequence[tuple[int, int]]) -> Self:
        """Itself with what it leaves open filled in from a dataset's `layout`."""
        return self

    def own_file(self) -> Path | None:
        """A file of the user's that the network starts from; a run's key covers what is in it."""
        return None

    def fetched(self) -> Path | Mapping[str, Tensor] | None:
        """The weights that the network starts from, as a file or by name; fetched where they are not here yet."""
        return self.own_file()

    def keyed(self, checksum: Callable[[Path], str]) -> dict[str, Any]:
        """Settings that a run's key says otherwise than the configuration: what is in a file, not where it lies."""
        own = self.own_file()
        return {} if own is None else {"weights": checksum(own)}

    def known_as(self) -> Mapping[str, str]:
        """What others call the beginnings of the names of its tensors -> these beginnings here."""
        return {}
