"""The YAML that describes one's own files: domains, tasks, columns; what it leaves open is found in the files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from dareps.data._feature_names import RowNorm
from dareps.errors import ConfigError, config_error
from dareps.plugin import Many, Settings

Form = Literal["table", "rows", "series", "images"]
Transform = Literal["standard", "log", "rank", "none"]


class Place(Settings):
    """Where the rows of a domain are."""

    file: str
    """A file or a folder of images, relative to the description."""
    test: str = ""
    """The same for official test rows; none means that test rows are held out."""
    column: str = ""
    """A column of the file that says which domain a row is of, where it holds several."""
    value: str = ""
    """This domain's value there; its name when empty."""
    part: str = ""
    """A column that says `train`, `validation` or `test`."""


class Asked(Settings):
    """A task."""

    kind: Literal["classification", "regression"] | None = None
    """Open means: numbers of many values are numbers, all else are classes."""
    classes: Many[str] = ()
    """Names of the classes in order; none named means those that occur, sorted."""


class Wanted(Settings):
    """What a column is."""

    kind: Literal["number", "category", "ignore"] | None = None
    """Open means what its cells say."""
    categories: Many[str] = ()
    """A category's values; none named means the 256 most common ones, sorted. All others share a place."""
    transform: Transform | None = None
    """What is made of numbers: `standard`, mean 0 and deviation 1; `log`, log(1 + x) of numbers from 0 on, then that;
    `rank`, normal scores of ranks among train rows; `none`. Open means `transforms.numbers`."""


class Transforms(Settings):
    """What is made of all rows, in this order."""

    row_norm: RowNorm = "none"
    """Divide each row of arrays or series by the sum of its absolute values (`l1`) or its length (`l2`)."""
    numbers: Transform = "standard"
    """What is made of columns of numbers that do not say it themselves; of series, `standard` or `none`."""
    standard: Literal["joint", "domain"] = "joint"
    """Fit medians, scales and ranks on the train rows of all domains together, or of each domain by itself."""


class Description(Settings):
    """One's own dataset; see `dareps.data.own`."""

    name: str = Field("", pattern=r"^([a-z][a-z0-9_]*)?$")
    """What splits call it; the file's name when empty."""
    domains: dict[str, Place]
    """Name -> where its rows are."""
    targets: Many[str] = ()
    """Domains whose labels are for testing only: kinds and classes of tasks come from the others alone, and a label
    that does not fit them counts as missing. None named means that the labels of all domains say what tasks are."""
    tasks: dict[str, Asked] = Field(default_factory=dict)
    """Label column, or array of an NPZ file -> what it is; none named means the one array or column that only some
    files have, or that has a usual name."""
    columns: dict[str, Wanted] = Field(default_factory=dict)
    """Column -> what it is, for those that need saying; in a complete description, all that are learned from."""
    form: Form | None = None
    """What rows are; open means what the files say."""
    side: int = Field(32, ge=8)
    """Side of the squares that images of a folder are brought to."""
    crop: int | None = Field(None, ge=8)
    """Side of the middle of images that encoders see, where no augmentation has cropped yet; open means all."""
    pixels: Literal["unit", "imagenet"] = "unit"
    """Whether encoders see pixels from 0 to 1, or scaled by the mean and deviation of ImageNet's, which networks were
    pretrained with."""
    rows: int = Field(200_000, ge=10)
    """At most so many rows of a domain's file are learned from: a uniform choice, the same in every run."""
    shape: Many[int] = ()
    """Shape of a raw row; filled in."""
    gaps: Many[int] | None = None
    """Numbers, from 0, of the learned columns that have gaps in some file, each of which gets a mark; filled in. Open
    means that all get one."""
    transforms: Transforms = Transforms()
    """What is made of rows before they are learned from."""
    defaults: dict[str, Any] = Field(default_factory=dict)
    """What recipes leave open: encoder, normalise, steps, batch, optimizer."""

    @model_validator(mode="after")
    def _usable(self) -> Self:
        for name in self.domains:
            if not name or set(name) & set("+:/@[], \t") or name == "*":
                context = {"name": name, "fix": "Use letters, digits and underscores."}
                raise PydanticCustomError(
                    "name", "domains: '{name}' cannot be a domain's name in splits. {fix}", context
                )
        if not self.domains:
            raise PydanticCustomError("empty", "domains: none is described. Name at least one.")
        strange = next((name for name in self.targets if name not in self.domains), None)
        if strange is not None or set(self.targets) == set(self.domains):
            context = {"got": strange or ", ".join(self.targets), "fix": "Name domains, and leave one as a source."}
            raise PydanticCustomError("targets", "targets: not some of the domains, got '{got}'. {fix}", context)
        return self

    @property
    def complete(self) -> bool:
        """Whether nothing is left to be found in the files."""
        tasks = self.tasks and all(
            own.kind and (own.classes or own.kind == "regression") for own in self.tasks.values()
        )
        return bool(tasks and self.form and self.shape)


def described(settings: Mapping[str, Any], where: str) -> Description:
    """The description that settings make up.

    Raises:
        ConfigError: They make up none.
    """
    try:
        return Description.model_validate(settings)
    except ValidationError as error:
        raise config_error(error, where) from None


def located(description: Description, folder: Path) -> Description:
    """The description with absolute paths of its files.

    They have to be there unless the description is complete: models outlive the files that they were trained on.

    Raises:
        ConfigError: A file is not there.
    """

    def found(text: str, key: str) -> str:
        path = (folder / Path(text).expanduser()).resolve()
        if text and not path.exists() and not description.complete:
            raise ConfigError(key, "there is no such file or folder", text, f"It was looked for in {folder}.")
        return str(path) if text else ""

    places = {
        name: place.model_copy(
            update={
                "file": found(place.file, f"domains.{name}.file"),
                "test": found(place.test, f"domains.{name}.test"),
            }
        )
        for name, place in description.domains.items()
    }
    return description.model_copy(update={"domains": places})
