"""Weights from elsewhere, put into a method that has just been drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import torch

from dareps.engine.weight_files import WeightFile, read_weights
from dareps.errors import ConfigError
from dareps.maths.domains import DomainNorm
from dareps.maths.staged import Staged
from dareps.plugin import suggestion
from dareps.recipe.method import Method
from dareps.recipe.settings import Recipe
from dareps.sharing._part import Part
from dareps.transfer._loading import Place, load_into, refusal
from dareps.transfer._names import stored
from dareps.transfer._report import Entry, MappingReport
from dareps.transfer.pretrained import Pretrained

CHAIN = "encoder.encoder.chain."
_SCHEMES = "of a part that is drawn by itself, such as experts and mixing weights"
_STEMS = "of an input stem, which belongs to its domain"
_CONSTANTS = "no weight, which files do not have"
_ADAPTERS = "an adapter, which begins as it is drawn"


def start_of(recipe: Recipe) -> Callable[[Method], MappingReport | None]:
    """What puts a recipe's weights from elsewhere into its method, and reports on it; None where there are none.

    Raises:
        ConfigError: The weights cannot be read, or the encoder and the recipe both name some.
    """
    settings, encoder = recipe.pretrained, recipe.encoder
    assert encoder is not None
    given = encoder.fetched()
    if settings is not None and given is not None:
        what = "both pretrained and encoder.weights say what the encoder starts from"
        raise ConfigError("pretrained", what, fix="Set encoder.weights=null, or leave pretrained out.")
    if settings is not None:
        path = settings.path()
        file, label = read_weights(path, "pretrained.file"), settings.file
    elif given is not None:
        file = read_weights(given, "encoder.weights") if isinstance(given, Path) else WeightFile(dict(given))
        label = str(given) if isinstance(given, Path) else type(encoder).name
    else:
        return lambda _: None
    chosen = settings or Pretrained(file=label)
    return lambda method: load_weights(method, chosen, file)


def load_weights(method: Method, settings: Pretrained, file: WeightFile) -> MappingReport:
    """Load a file's weights into a method by its settings; nothing is changed where that is refused.

    Raises:
        ConfigError: The file does not fit, a part does not exist, or a weight is not finite.
    """
    encoder = method.recipe.encoder
    assert encoder is not None
    places = places_of(method)
    _check_parts(settings, places)
    stages = list(dict.fromkeys(place.part.partition(".")[2] for place in places if _staged(place) and not place.own))
    keys = {place.key for place in places}
    aliases = {**encoder.known_as(), **_aliases(method)}
    found, notes = stored(file.tensors, settings.rename, stages, keys, aliases)
    loading = load_into(places, found, settings)
    hint = ""
    if file.made_by and file.made_by != type(encoder).name:
        hint = f" (the run's encoder is {file.made_by}, the recipe's {type(encoder).name})"
    if not loading.values or (settings.strict and loading.faults):
        faults = loading.faults or [f"missing: {place.name} ({place.own})" for place in places if place.own]
        raise refusal(faults, settings.file, hint)
    state = method.state_dict()
    with torch.no_grad():
        for name, value in loading.values.items():
            state[name].copy_(value)
    dropped = (Entry("dropped", name, why=why) for name, why in file.left.items())
    return MappingReport(settings.file, (*loading.entries, *dropped), (*file.notes, *notes))


def places_of(method: Method) -> list[Place]:
    """The tensors of a method, and what a file of one encoder and heads calls them."""
    found = []
    for name, value in method.state_dict().items():
        module, _, leaf = name.rpartition(".")
        place = _place(f"{method.drawn_as(module)}.{leaf}" if module else leaf, name)
        norm = bool(module) and isinstance(method.get_submodule(module), DomainNorm)
        found.append(replace(place, value=value, norm=norm))
    spare = {f"{path}.{name}" for path, own in method.named_modules() for name in getattr(own, "not_in_files", ())}
    found = [replace(place, own=place.own or _CONSTANTS) if place.name in spare else place for place in found]
    weights = (place.key for place in found if _staged(place) and not place.own and place.value.dim() > 1)
    first = next(weights, "")
    return [replace(place, first=place.key == first) for place in found]


def _place(drawn: str, name: str) -> Place:
    """A place without its tensor, from the name under which it is drawn."""
    nothing = torch.empty(0)
    if drawn.startswith("heads."):
        return Place(name, drawn, ".".join(drawn.split(".")[:2]), nothing)
    if drawn.startswith(CHAIN):
        key = drawn.removeprefix(CHAIN)
        own = _ADAPTERS if ".adapter." in key else _STEMS if key.startswith("stem.own.") else ""
        return Place(name, key, f"encoder.{key.partition('.')[0]}", nothing, own)
    parts = drawn.split(".")
    stage = f".{parts[parts.index('chain') + 1]}" if parts[0] == "encoder" and "chain" in parts else ""
    return Place(name, drawn, f"{parts[0]}{stage}", nothing, _SCHEMES)


def _aliases(method: Method) -> Mapping[str, str]:
    """What the encoder itself knows of the names in its chain."""
    return next((own.aliases for own in method.encoder.modules() if isinstance(own, Staged | Part)), {})


def _staged(place: Place) -> bool:
    return place.part.startswith("encoder.")


def _check_parts(settings: Pretrained, places: list[Place]) -> None:
    """Refuse names of parts that the method lacks.

    Raises:
        ConfigError: Names the first of them.
    """
    families = {place.part for place in places if place.part.partition(".")[0] in ("encoder", "heads")}
    known = {"encoder", "heads", *families}
    for part in settings.parts:
        if part not in known:
            raise ConfigError("pretrained.parts", "no such part of the method", part, suggestion(part, known))
    if not settings.parts:
        raise ConfigError("pretrained.parts", "nothing is taken", fix="Name a part, or leave pretrained out.")
