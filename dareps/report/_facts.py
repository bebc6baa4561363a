"""How a run was made, as far as its bound configuration tells, in words short enough for a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dareps.engine.outcome import Outcome


def facts(run: Outcome) -> dict[str, str]:
    """The settings that the report shows or compares, those that the configuration has."""
    config = run.identity.config
    method, data, engine = (_mapping(config.get(name)) for name in ("method", "data", "engine"))
    trained = [phase for phase in phases(run) if "steps" in phase]
    found = {
        "steps": str(sum(int(phase["steps"]) for phase in trained)) if trained else "",
        "batch": _joined(str(phase["batch"]) for phase in trained if "batch" in phase),
        "optimizer": _joined(_optimizer(phase) for phase in trained),
        "encoder": _plugin(method.get("encoder")),
        "normalise": str(method.get("normalise") or ""),
        "data": _settings(data) if data else "",
        "representation": (_plugin(data["representation"]) or "none") if "representation" in data else "",
        "protocol": run.identity.protocol,
        "precision": str(engine.get("precision") or ""),
        "evaluations": str(engine.get("evaluations") or ""),
    }
    return {name: value for name, value in found.items() if value}


def phases(run: Outcome) -> list[Mapping[str, Any]]:
    """The phases of a run's configuration."""
    found = _mapping(run.identity.config.get("method")).get("phases")
    return [own for own in found if isinstance(own, Mapping)] if isinstance(found, Sequence) else []


def by_value(runs: Iterable[Outcome], fact: str) -> dict[str, list[str]]:
    """value -> the recipes made with it, numbers in order; recipes without the fact are left out."""
    found: dict[str, list[str]] = {}
    for run in runs:
        value = facts(run).get(fact)
        if value is not None and run.identity.recipe not in found.setdefault(value, []):
            found[value].append(run.identity.recipe)
    return dict(sorted(found.items(), key=lambda item: (int(item[0]) if item[0].isdigit() else 0, item[0])))


def _optimizer(phase: Mapping[str, Any]) -> str:
    own = _mapping(phase.get("optimizer"))
    return f"{own.get('name', '')}, rate {own['lr']}" if "lr" in own else str(own.get("name", ""))


def _plugin(value: object) -> str:
    """`digit_cnn, width 64`: the name, and the settings that are plain numbers."""
    if not isinstance(value, Mapping):
        return str(value or "")
    numbers = [f"{name} {item}" for name, item in value.items() if type(item) in (int, float) and item]
    return ", ".join([str(value.get("name", "")), *numbers])


def _settings(data: Mapping[str, Any]) -> str:
    """What a dataset was told beyond its name and representation."""
    own = {name: value for name, value in data.items() if name not in ("name", "representation")}
    told = [f"{name} {_short(value)}" for name, value in own.items() if value not in (None, [], {})]
    return ", ".join(told) or "as shipped"


def _short(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return " + ".join(_short(item) for item in value)
    return _plugin(value) if isinstance(value, Mapping) else str(value)


def _joined(values: Iterable[str]) -> str:
    return ", then ".join(dict.fromkeys(value for value in values if value))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
