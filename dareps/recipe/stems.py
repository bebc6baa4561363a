"""What an encoder reads: rows as they are, or through a stem where domains differ in modality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from dareps.data._frame import WHOLE, Frame
from dareps.encoders.stems import Stem
from dareps.errors import ConfigError

if TYPE_CHECKING:
    from dareps.data._base import Dataset
    from dareps.maths.domains import NormFactory
    from dareps.maths.staged import Staged
    from dareps.recipe.settings import Recipe
    from dareps.sharing._base import MakeEncoder

Shape = tuple[int, ...]
NONE: Mapping[str, Shape] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Inputs:
    """The inputs of a method.

    Attributes:
        shape: Shape of one row of network input.
        forms: Domain -> shape of one row before it was flattened, in the order in which normalisation layers count
            domains; empty where encoders read network input as it is.
        stem: What gives rows another form.
        frame: What encoders see of an image.
    """

    shape: Shape
    forms: Mapping[str, Shape]
    stem: Stem
    frame: Frame = WHOLE

    @property
    def read(self) -> Shape:
        """Shape of one row that encoders read: the form of the first domain."""
        return next(iter(self.forms.values()), self.shape)

    def maker(self, recipe: Recipe, norm: NormFactory) -> MakeEncoder:
        """Gives a fresh encoder each call; adapters are for the encoder's own stages, since a stem is new anyway."""
        from dareps.transfer._low_rank import adapt

        settings = recipe.encoder
        assert settings is not None
        return lambda: self.with_stem(self.framed(adapt(settings.build(self.read, norm), recipe.adapters)))

    def framed(self, encoder: Staged) -> Staged:
        """An encoder whose first stage sees images through the frame."""
        if self.frame != WHOLE:
            encoder.chain[encoder.names[0]].register_forward_pre_hook(self.frame.before)
        return encoder

    def with_stem(self, encoder: Staged) -> Staged:
        """An encoder of `read`, behind its stem where there is one."""
        if not self.forms:
            return encoder
        from dareps.encoders.stems._stage import StemStage, behind

        return behind(StemStage(self.stem, self.forms, self.read), encoder, self.read)


def inputs_of(
    recipe: Recipe, shape: Shape, forms: Mapping[str, Shape], domains: Sequence[str], frame: Frame = WHOLE
) -> Inputs:
    """The inputs of a recipe's method.

    Args:
        recipe: The recipe.
        shape: Shape of one row of network input.
        forms: The dataset's; empty where all domains have one.
        domains: All domains, sources first.
        frame: What encoders see of an image.
    """
    own = {} if recipe.shallow else {domain: forms[domain] for domain in domains if forms}
    return Inputs(frame.shape(shape), own, recipe.stem or Stem.bind(Stem.default), frame)


def fitting_stem(recipe: Recipe, dataset: Dataset) -> Stem | None:
    """The recipe's stem, or the dataset's own where rows differ in form and the recipe leaves it open.

    Raises:
        ConfigError: There is nothing for a stem to do.
    """
    if recipe.stem is not None and not dataset.forms:
        fix = "Leave `stem` out."
        raise ConfigError("stem", f"all rows of {type(dataset).name} have one form", recipe.stem.dump(), fix)
    if recipe.stem is not None and recipe.shallow:
        raise ConfigError("stem", "linear_svm fits the inputs, so a stem would stay untrained", fix="Leave it out.")
    if not dataset.forms or recipe.shallow:
        return None
    return recipe.stem or Stem.bind(dataset.defaults.get("stem", Stem.default))
