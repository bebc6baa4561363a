"""The dataset family's member for one's own files: a class for each description."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from dareps.data._base import Dataset, DomainRows, Fitted, Origin
from dareps.data._frame import Frame
from dareps.data.own._refused import refuse_misfits
from dareps.data.own.description import Description, Form
from dareps.types import Task

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from dareps.data.own._columns import Column

DEFAULTS: Final[Mapping[Form, Mapping[str, Any]]] = {
    "table": {"encoder": {"name": "mlp", "width": 64}, "normalise": "joint", "steps": 800, "batch": 64},
    "rows": {"encoder": {"name": "mlp", "width": 64}, "normalise": "joint", "steps": 800, "batch": 64},
    "series": {"encoder": {"name": "conv1d"}, "normalise": "joint", "steps": 800, "batch": 64},
    "images": {
        "encoder": {"name": "digit_cnn", "channels": [16, 32], "kernel": 3, "padding": 1, "width": 64},
        "normalise": "per_domain",
        "steps": 800,
        "batch": 64,
    },
}
OPTIMIZER: Final = {"name": "adam", "lr": 0.002}


def defaults_of(form: Form) -> dict[str, Any]:
    """What recipes leave open, by what rows are."""
    return {"optimizer": OPTIMIZER, **DEFAULTS[form]}


class OwnFiles(Dataset, abstract=True):
    """One's own files, as a description says: tables, arrays, series or folders of images.

    Of tables and rows, missing numbers become the median, numbers are scaled, or as `transforms` say, categories get a
    place each and columns with gaps a mark; series are scaled by channel; images go in as they are. All of it is fitted
    on source and unlabelled target train rows alone and saved with models.
    """

    description: ClassVar[Description]
    origin = Origin("the user's own files", "the user's", "none")

    def rows(self, domain: str) -> DomainRows:
        """Rows as they are in the files, encoded, with labels where they have any."""
        from dareps.data.own._rows import domain_rows

        return domain_rows(self.description, domain)

    def fit(self, source: Mapping[str, DomainRows], target_x: Mapping[str, np.ndarray]) -> Fitted:
        """Fit medians, scales, ranks and which categories there are on source and unlabelled target train rows."""
        from dareps.data.own import _fits
        from dareps.data.own._refused import refuse_pixels

        x = {**{domain: rows.x for domain, rows in source.items()}, **target_x}
        asked = self.description.transforms
        if self.description.form == "images" and next(iter(x.values())).dtype == "uint8":
            refuse_pixels(self.name, asked)
            return self.restore({})
        return _fits.fit(f"data {self.name}", self._columns(), asked, x, next(iter(target_x or source)))

    def restore(self, state: Mapping[str, np.ndarray]) -> Fitted:
        """The transform that `fit` returned, from its saved state."""
        from dareps.data._pixels import Pixels
        from dareps.data.own import _fits

        if not state:
            channels, height, width = self.description.shape
            return Fitted(state, Pixels(self.name, (channels, height, width)))
        return _fits.restore(f"data {self.name}", [own.name for own in self._columns()], state)

    def frame(self) -> Frame:
        """The middle `crop` pixels, scaled as `pixels` says."""
        from dareps.data._photographs import frame_of

        return frame_of(self.description.crop, self.description.pixels)

    def read_rows(self, path: Path) -> Iterator[np.ndarray]:
        """Raw rows of a file with the same columns or shape, in pieces; labels in it are not read.

        Categories without a place of their own and another shape are warnings.
        """
        from dareps.data.own._streams import strange_rows

        return strange_rows(self.description, path)

    def checksum(self, domains: tuple[str, ...]) -> str:
        """Digest of the domains' rows and labels, and of what is made of them."""
        import numpy as np

        from dareps.data._roots import digest_of

        told = self.description.model_dump_json(include={"columns", "gaps", "transforms", "crop", "pixels"})
        made = np.frombuffer(told.encode(), np.uint8)
        return digest_of(made, *(array for domain in domains for array in self.rows(domain).arrays()))

    def _columns(self) -> list[Column]:
        from dareps.data.own._rows import columns_of

        return columns_of(self.description)


def dataset_of(description: Description) -> type[OwnFiles]:
    """The class of a complete description, registered under its name in place of another description's.

    Raises:
        ConfigError: A dataset that is no description has this name.
    """
    from dareps.data.own._columns import layout
    from dareps.data.own._rows import columns_of

    assert description.complete
    refuse_misfits(description)
    form = description.form or "table"
    tasks = tuple(
        Task(name, asked.kind or "classification", max(len(asked.classes), 1), asked.classes)
        for name, asked in description.tasks.items()
    )
    names = {
        "__module__": __name__,
        "__qualname__": description.name,
        "__doc__": f"One's own files, with {', '.join(description.domains)}.",
        "name": description.name,
        "domains": tuple(description.domains),
        "tasks": tasks,
        "description": description,
        "layout": layout(columns_of(description)),
        "defaults": {**defaults_of(form), **description.defaults},
    }
    made: type[OwnFiles] = types.new_class(description.name, (OwnFiles,), exec_body=lambda space: space.update(names))
    return made
