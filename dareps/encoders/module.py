"""Anyone's own network."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ConfigDict, Field, JsonValue, field_validator
from pydantic_core import PydanticCustomError

from dareps.encoders._base import Encoder
from dareps.encoders._imported import SUFFIX, absolute, parted, source_of
from dareps.encoders._shapes import Norm, Shape
from dareps.plugin import Many

if TYPE_CHECKING:
    from dareps.encoders._stages import Stages

_NAME = re.compile(r".+:[^\W\d]\w*(\.[^\W\d]\w*)*")


class Module(Encoder):
    """A network of your own: any `torch.nn.Module` that takes rows (n, *shape) to one tensor, flattened to (n, d).

    Named stages are submodules in the order in which data passes through them. What `forward` does between two of them
    belongs to the stage before, what comes first to the first one; only one tensor may go from a stage to the next.
    Without names, stages are the parts of an `nn.Sequential`, else the whole network is one. Batch normalisation
    follows the recipe's `normalise`, `nn.Dropout` draws dareps' noise, and parameters that do not require a gradient
    keep still. Other noise and decisions by values of tensors cost speed: such a step is neither stacked nor captured.
    """

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)

    name = "module"
    import_: str = Field(alias="import")
    """Class or function that makes the network: `package.module:Name`, or `path/to/file.py:Name` from the working
    directory. A run's key covers what is in the file."""
    arguments: dict[str, JsonValue] = Field(default_factory=dict)
    """What it is called with, by name."""
    stages: Many[str] = ()
    """Paths of submodules in the order in which they run, as `named_modules` gives them; a stage's own name has `_` for
    each dot."""
    weights: Literal["own", "drawn"] = "own"
    """Weights at the start: the network's own, which it makes when it is built, by the run's seed; or drawn anew by
    every layer's default rule."""

    @field_validator("import_")
    @classmethod
    def _named(cls, name: str) -> str:
        """Refuse what names nothing; make the path of a file absolute."""
        if not _NAME.fullmatch(name):
            raise PydanticCustomError("import", "write package.module:Name or path/to/file.py:Name")
        return absolute(name)

    def build(self, shape: Shape, norm: Norm) -> Stages:
        """Stages by the names of the submodules."""
        from dareps.encoders._module import network_of

        anew = self.weights == "drawn"
        return network_of(self.import_, self.arguments, self.stages, shape, norm, drawn_anew=anew)

    def keyed(self, checksum: Callable[[Path], str]) -> dict[str, Any]:
        """The file's content beside the name of a module, or in place of a path."""
        path, (place, attribute) = source_of(self.import_), parted(self.import_)
        if path is None:
            return {}
        return {"import": f"{checksum(path)}:{attribute}"} if place.endswith(SUFFIX) else {"source": checksum(path)}
