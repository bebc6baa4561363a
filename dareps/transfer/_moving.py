"""Which parts of a method move in a phase, from when on, and at which rate: settings and rules, without tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import Field

from dareps.errors import ConfigError
from dareps.plugin import Settings, suggestion

Members = Mapping[str, Sequence[str]]
"""Part of a method, such as `encoder.STAGE` -> names of its parameters."""


class Unfreeze(Settings):
    """Gradual unfreezing (Howard & Ruder, ACL 2018): the heads first, then the stages from the top down."""

    head: float = Field(0.1, ge=0, le=1)
    """Share of the phase's steps in which no stage of the encoder moves."""
    every: float = Field(0.0, ge=0, le=1)
    """Share of the phase's steps from one stage to the one below it; 0 lets all go at once."""

    def begins(self, depth: int, steps: int) -> int:
        """The step of the phase from which on the stage `depth` places below the top moves."""
        return min(steps, round((self.head + depth * self.every) * steps))


class Patience(Settings):
    """When a phase ends before its steps are up."""

    rule: str = "source_score"
    """The rule of selection whose score is watched, one that sees no label the run does not declare."""
    evaluations: int = Field(3, ge=1)
    """So many evaluations of the phase without a better score end it."""
    restore: bool = True
    """Whether the phase hands on the weights of its best score, instead of the last ones."""


def rate_factors(
    moving: Sequence[str], parts: Members, stages: Sequence[str], rates: Mapping[str, float], decay: float, where: str
) -> dict[str, float]:
    """The factor on the learning rate of each parameter that moves.

    With `decay` r the heads, and all else outside the encoder, learn at the rate itself, the top stage at r times it,
    the one below at r^2: the geometric rates of Howard & Ruder (ACL 2018, section 3.2).

    Args:
        moving: Names of the parameters that move.
        parts: What the names in `rates` stand for.
        stages: The encoder's stages, from the input on.
        rates: Factors by part; a parameter in none of them has the factor 1.
        decay: Factor from a stage to the one below it; 1 for none.
        where: Who asks, for errors.

    Raises:
        ConfigError: A part does not exist or does not move, or two factors want the same parameter.
    """
    given = {f"encoder.{stage}": decay ** (depth + 1) for depth, stage in enumerate(reversed(stages))}
    wanted = {**(given if decay != 1 else {}), **rates}
    if decay != 1 and any(part.partition(".")[0] in ("encoder", "*") for part in rates):
        fix = "Leave decay out, or the encoder's parts out of rates."
        raise ConfigError(f"{where}.rates", "decay gives the encoder's stages their rates already", dict(rates), fix)
    found: dict[str, tuple[str, float]] = {}
    for part, factor in wanted.items():
        members = [name for name in members_of(part, parts, f"{where}.rates") if name in set(moving)]
        if part in rates and not members:
            raise ConfigError(f"{where}.rates", "nothing of this part moves in the phase", part, "Leave it out.")
        for name in members:
            if name in found:
                what = f"{found[name][0]} and {part} overlap, so {name} would have two rates"
                raise ConfigError(f"{where}.rates", what, fix="Name parts that have nothing in common.")
            found[name] = part, factor
    return {name: found[name][1] if name in found else 1.0 for name in moving}


def members_of(part: str, parts: Members, where: str) -> Sequence[str]:
    """The parameters of a part; none for a family of parts that this method happens to lack.

    Raises:
        ConfigError: The method has no such part.
    """
    if part not in parts and part not in OPTIONAL:
        fix = "Set `adapters: {rank: 4}` in the recipe." if part == "adapters" else suggestion(part, parts)
        raise ConfigError(where, "no such part of the method", part, fix)
    return parts.get(part, ())


OPTIONAL = ("align", "heads", "shadow", "regularise")
"""Parts that may be named whether or not a method has them."""


def stages_below(stage: str, stages: Sequence[str], where: str) -> list[str]:
    """The parts `encoder.STAGE` of the stages before one, which `-K` names as the K-th from the top.

    Raises:
        ConfigError: The encoder has no such stage.
    """
    if stage.startswith("-") and stage[1:].isdecimal() and 0 < int(stage[1:]) <= len(stages):
        stage = stages[-int(stage[1:])]
    if stage not in stages:
        raise ConfigError(where, "the encoder has no such stage", stage, suggestion(stage, stages))
    return [f"encoder.{own}" for own in stages[: list(stages).index(stage)]]
