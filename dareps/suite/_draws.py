"""Which settings of a recipe have a range, and draws from these ranges."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import ModuleType
from typing import Any, Final, Literal, get_args

from pydantic.fields import FieldInfo

from dareps.errors import ConfigError
from dareps.maths.keys import key_of
from dareps.plugin import Settings, Tune
from dareps.recipe.settings import Recipe

Sampler = Literal["random", "tpe"]
SAMPLERS: Final = {"random": "RandomSampler", "tpe": "TPESampler"}
Draws = Mapping[str, float]
_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Range:
    """A setting of a bound recipe that has a range.

    Attributes:
        path: What an override calls it.
        value: What the recipe gives.
        low: Smallest draw; never above `value`.
        high: Largest draw; never below `value`.
        log: Whether its logarithm is drawn evenly.
        whole: Whether draws are whole numbers.
    """

    path: str
    value: float
    low: float
    high: float
    log: bool
    whole: bool

    def __str__(self) -> str:
        """`align.0.weight in [0.1, 10] (log)`."""
        return f"{self.path} in [{self.low:g}, {self.high:g}]{' (log)' if self.log else ''}"

    def rounded(self, value: float) -> float:
        """A draw with few digits, so that it can be read and written down."""
        return int(value) if self.whole else min(max(float(f"{value:.{_DIGITS}g}"), self.low), self.high)


def ranges(recipe: Recipe, fixed: Sequence[str] = ()) -> tuple[Range, ...]:
    """The ranges that the settings of a bound recipe declare, but for those whose paths are `fixed` (with `*`)."""
    return tuple(own for own in _found(recipe, "") if not any(fnmatchcase(own.path, path) for path in fixed))


def leaves(path: str, value: Any) -> Iterator[str]:
    """The paths of the plain values that an override sets."""
    if isinstance(value, Mapping):
        below = value.items()
    elif isinstance(value, list | tuple):
        below = dict(enumerate(value)).items()
    else:
        yield path
        return
    for key, item in below:
        yield from leaves(f"{path}.{key}", item)


def draw(
    recipe: str, number: int, found: Sequence[Range], history: Sequence[tuple[Draws, float]], sampler: Sampler
) -> dict[str, float]:
    """The settings of a recipe's trial: a pure function of the arguments.

    Trial 0 is the recipe as it stands.

    Args:
        recipe: The recipe's name, which seeds its draws together with the trial's number.
        number: Number of the trial.
        found: The recipe's ranges.
        history: Earlier trials and their mean ranks, of which `random` makes no use.
        sampler: How settings are drawn.

    Raises:
        ConfigError: optuna is not installed.
    """
    if number == 0 or not found:
        return {own.path: own.value for own in found}
    optuna = load_optuna()
    distributions = {own.path: _distribution(optuna, own) for own in found}
    seeded = getattr(optuna.samplers, SAMPLERS[sampler])(seed=key_of("tune", recipe, number) % 2**32)
    study = optuna.create_study(sampler=seeded)
    for draws, rank in history:
        params = {own.path: draws[own.path] for own in found}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=distributions, value=rank))
    asked = study.ask(distributions).params
    return {own.path: own.rounded(asked[own.path]) for own in found}


def load_optuna() -> ModuleType:
    """optuna, quiet.

    Raises:
        ConfigError: It is not installed.
    """
    try:
        import optuna
    except ImportError:
        fix = "Install it: pip install 'dareps[hpo]'."
        raise ConfigError("tune", "it draws settings with optuna, which is not installed", fix=fix) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    module: ModuleType = optuna
    return module


def _distribution(optuna: ModuleType, own: Range) -> Any:
    if own.whole:
        return optuna.distributions.IntDistribution(int(own.low), int(own.high), log=own.log)
    return optuna.distributions.FloatDistribution(own.low, own.high, log=own.log)


def _found(settings: Settings, head: str) -> Iterator[Range]:
    for name, field in type(settings).model_fields.items():
        value, path = getattr(settings, name), f"{head}.{name}".lstrip(".")
        for tune in _tunes(field):
            if isinstance(value, int | float) and not isinstance(value, bool):
                yield from _range(path, value, tune)
        for index, item in enumerate(value if isinstance(value, tuple) else ()):
            if isinstance(item, Settings):
                yield from _found(item, f"{path}.{index}")
        if isinstance(value, Settings):
            yield from _found(value, path)


def _tunes(field: FieldInfo) -> list[Tune]:
    """The range beside a field's type, or beside one of a union's."""
    inner = [item for choice in get_args(field.annotation) for item in getattr(choice, "__metadata__", ())]
    return [item for item in (*field.metadata, *inner) if isinstance(item, Tune)][:1]


def _range(path: str, value: float, tune: Tune) -> Iterator[Range]:
    """The range around a value; a value of 0 has no logarithm and no multiples: it is switched off and stays so."""
    if value <= 0 and (tune.log or tune.relative):
        return
    unit, whole = value if tune.relative else 1, isinstance(value, int)
    low, high = min(value, tune.low * unit), max(value, tune.high * unit)
    yield Range(path, value, max(1, math.ceil(low)) if whole and value > 0 else low, high, tune.log, whole)
