"""Settings of the engine that change how a run is carried out but not what comes out; no key covers them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

ENGINE_NEUTRAL: Final = ("flush", "rows", "loaders", "checkpoint_seconds", "capture", "stack", "predictions")

RUN_OPEN: Final[Mapping[str, Any]] = {"labelled": None, "held": 0, "told": ""}
METHOD_OPEN: Final[Mapping[str, Any]] = dict.fromkeys(("stem", "guard", "adapters", "pretrained")) | {"tasks": []}
ENGINE_OPEN: Final[Mapping[str, Any]] = {"conflict": None}
PHASE_OPEN: Final[Mapping[str, Any]] = {
    "sampling": None,
    "apart": False,
    "smoothing": 0.0,
    "label_shift": "none",
    "source_weights": "equal",
    "nearness_every": 100,
    "freeze": [],
    "freeze_below": "",
    "unfreeze": None,
    "rates": {},
    "decay": 1.0,
    "tasks": [],
    "reset": [],
    "reset_top": 0,
    "patience": None,
    "stochastic_norm": None,
    "cache": "auto",
    "regularise": [],
}


def unsaid(config: dict[str, Any]) -> dict[str, Any]:
    """A bound configuration without the settings that are left open, which older results do not know."""
    method = _without(config["method"], METHOD_OPEN)
    method["phases"] = [_without(phase, PHASE_OPEN) for phase in method["phases"]]
    return {**_without(config, RUN_OPEN), "method": method, "engine": _without(config["engine"], ENGINE_OPEN)}


def _without(settings: Mapping[str, Any], left_open: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key not in left_open or value != left_open[key]}
