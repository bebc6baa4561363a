"""Warnings of parts that a run has and never uses."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence

from torch import nn

from dareps.data._base import SplitData
from dareps.encoders.stems._stage import STEM, StemStage
from dareps.engine.phases import unlabelled_tasks
from dareps.maths.domains import DomainNorm
from dareps.recipe.method import Method
from dareps.transfer import Train
from dareps.types import Role


def warn_of_idle(method: Method, phases: Sequence[Train], data: SplitData) -> None:
    """Warn of domains that a task is not trained on, of modules that nothing trains, of normalisation without layers.

    Raises:
        ConfigError: No stream of training has a label of a task.
    """
    lacking = unlabelled_tasks(phases, data, method.tasks)
    if lacking:
        told = "; ".join(f"tasks.{task}: no labels in {', '.join(domains)}" for task, domains in lacking.items())
        warnings.warn(f"{told}, which do not train it.", stacklevel=3)
    read: set[Role] = {role for phase in phases for role in ("source", "target") if getattr(phase.streams, role)}
    unread = {
        domain: role
        for role, domains in (("source", method.sources), ("target", method.targets))
        for domain in (domains if role not in read else ())
    }
    for text in (*_stems(method, unread), *_branches(method, unread), *_normalisation(method)):
        warnings.warn(text, stacklevel=3)


def _branches(method: Method, unread: dict[str, str]) -> Iterator[str]:
    if method.encoder.along != "domains" or not method.recipe.sharing.isolated:
        return
    for domain, role in unread.items():
        if any(True for module in method.encoder.own(domain) for _ in module.parameters()):
            what = f"no phase reads the {role}, so what {domain} has for itself stays as it was drawn"
            yield f"sharing {type(method.recipe.sharing).name}: {what}."


def _stems(method: Method, unread: dict[str, str]) -> Iterator[str]:
    stages = [module for module in method.encoder.modules() if isinstance(module, StemStage)]
    for domain, role in unread.items():
        if any(_has_weights(stage.own[domain]) for stage in stages if domain in stage.own):
            yield f"{STEM}: no phase reads the {role}, so that of {domain} stays as it was drawn."


def _normalisation(method: Method) -> Iterator[str]:
    policy = method.recipe.normalise
    if policy == "adabn" and not any(isinstance(module, DomainNorm) for module in method.modules()):
        yield f"normalise {policy}: the method has no normalisation layers, so that nothing is adapted."


def _has_weights(module: nn.Module) -> bool:
    return any(True for _ in module.parameters())
