"""Laws on what surrounds a loss: its settings, the state of its built form, gradient reversal inside it."""

from __future__ import annotations

from functools import partial
from typing import Final

import numpy as np
import torch
from torch import Tensor

from dareps.alignment._modules import AlignmentModule
from dareps.errors import ContractError
from dareps.testing._draws import Case, generic, samples
from dareps.testing._gradients import direction, slack, slopes
from dareps.testing._law import Law, demand, on_features, tensors, value_of
from dareps.testing._null import one_setting, setting_probes
from dareps.testing._settings import at_defaults, changes_something, setting_names
from dareps.testing._subject import Built, Subject

_STRENGTHS = (0.0, 0.5, 2.0)
_TEACHES = ("*", "encoder")


def _built(subject: Subject) -> Built:
    if subject.built is None:
        raise ContractError("law kit", "this law concerns built losses alone")
    return subject.built


def _is_built(subject: Subject) -> bool:
    return subject.built is not None


def _reverses(subject: Subject) -> bool:
    return subject.built is not None and subject.built.loss.reverses


class _Reversed:
    """The sub-steps of a reversing loss that teach the features, on one case: values and gradients at any strength."""

    def __init__(self, subject: Subject, case: Case) -> None:
        self.built, self.subject = _built(subject), subject
        self.module = self.built.fresh(case.source.shape[-1], torch.float64)
        self.state = dict(self.module.named_buffers())
        self.case = case

    def value(self, source: Tensor, target: Tensor, strength: float = 1.0, progress: float = 0.5) -> Tensor:
        """The sum of the values, 0-d."""
        return torch.stack(
            self.built.values(
                self.module, self.state, source, target, only=_TEACHES, strength=strength, progress=progress
            )
        ).sum()

    def found(self, strength: float, progress: float = 0.5) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Value, gradients on the features of both sides, gradients on parameters, 0 where nothing arrives."""
        leaves = tensors(self.case.source, self.case.target, grad=True)
        value = self.value(leaves[0], leaves[1], strength, progress)
        wanted = [*leaves, *self.module.parameters()]
        got = torch.autograd.grad(value, wanted, allow_unused=True)
        full = [torch.zeros_like(leaf) if one is None else one for leaf, one in zip(wanted, got, strict=True)]
        beside = self.subject.beside
        return value.detach(), [rows[:, : rows.shape[1] - beside] for rows in full[:2]], full[2:]


def _forward_identity(subject: Subject, case: Case) -> None:
    seen = _Reversed(subject, case)
    first = seen.found(1.0)[0]
    for strength in _STRENGTHS:
        value = seen.found(strength)[0]
        demand(
            torch.equal(first, value), f"strength 1 has the value {float(first)!r}, {strength:g} has {float(value)!r}"
        )


def _backward_exact(subject: Subject, case: Case) -> None:
    seen = _Reversed(subject, case)
    _, unit, parameters = seen.found(1.0)
    for strength in _STRENGTHS:
        _, features, others = seen.found(strength)
        exact = all(torch.equal(one, strength * two) for one, two in zip(features, unit, strict=True))
        demand(exact, f"at strength {strength:g} the gradient on features is not {strength:g} times that at strength 1")
        untouched = all(torch.equal(one, two) for one, two in zip(others, parameters, strict=True))
        demand(untouched, f"strength {strength:g} changes the gradient of the loss's own parameters")
    _turned_round(subject, case, seen, unit, parameters)


def _turned_round(subject: Subject, case: Case, seen: _Reversed, unit: list[Tensor], parameters: list[Tensor]) -> None:
    """Features go up where parameters go down in the same step, and down where they stand alone."""
    along = direction(subject, case)
    for way, features in zip(along, unit, strict=True):
        way[:, features.shape[1] :] = 0
    sign = -1 if any(bool(gradient.any()) for gradient in parameters) else 1
    slope = sign * slopes(subject, seen.value, case, along)
    found = sum(float((one.numpy() * way[:, : one.shape[1]]).sum()) for one, way in zip(unit, along, strict=True))
    demand(
        abs(slope - found) <= slack(subject, case, slope),
        f"at strength 1 the features' slope is {found!r} and should be {slope!r}",
    )


def _strength_alone(subject: Subject, case: Case) -> None:
    seen = _Reversed(subject, case)
    first = seen.found(0.5)
    for progress, training in ((0.5, True), (1.0, True), (0.0, False)):
        seen.module.train(training)
        # Where the mode shows in the value, as dropout does, it may show in the gradient as well.
        known = seen.found(0.5)
        known = first if torch.equal(known[0], first[0]) else known
        again = seen.found(0.5, progress)
        same = all(torch.equal(one, two) for one, two in zip(known[1], again[1], strict=True))
        how = f"in {'training' if training else 'evaluation'} mode at progress {progress:g}"
        demand(same, f"a later call {how} with the same strength has another gradient")


def _comes_back(subject: Subject, case: Case) -> None:
    built = _built(subject)
    pair = tensors(case.source, case.target)
    first, second = (built.fresh(case.source.shape[-1], torch.float64, seed=seed) for seed in (1, 2))
    with torch.no_grad():
        for rows in (pair, pair[::-1]) if len(pair[0]) == len(pair[1]) else (pair,):
            _call(built, first, *rows)
        second.load_state_dict(first.state_dict())
        values = [_call(built, module, *pair) for module in (first, second)]
    for one, two in zip(*values, strict=True):
        same = torch.equal(one, two) or bool((one.isnan() & two.isnan()).all())
        demand(same, f"the saved module has the value {float(one)!r} and the loaded one {float(two)!r}")


def _call(built: Built, module: AlignmentModule, source: Tensor, target: Tensor) -> list[Tensor]:
    return built.values(module, dict(module.named_buffers()), source, target)


def _has_settings(subject: Subject) -> bool:
    return bool(setting_names(subject))


def _setting_counts(subject: Subject, case: Case) -> None:
    name = case.more["setting"]
    demand(
        changes_something(subject, name, setting_probes(subject.space)),
        f"no other value of {name} changes a value, a gradient, a sub-step or a pass",
    )


def _reads_both(subject: Subject) -> bool:
    return subject.beside > 0


def _outputs_count(subject: Subject, case: Case) -> None:
    subject = at_defaults(subject)
    for side, other in (("source", 0), ("target", 1)):
        # Small features: with large ones a network's outputs saturate and are the same for every row.
        pair = list(on_features(subject, lambda rows: rows / 64, case.source, case.target))
        before = value_of(subject, *pair)
        # Every other row's outputs, beside the same features.
        rows, at = pair[other], pair[other].shape[1] - subject.beside
        pair[other] = np.concatenate((rows[:, :at], np.roll(rows[:, at:], 1, 0)), 1)
        demand(value_of(subject, *pair) != before, f"the {side}'s logits and labels may change rows without a trace")


MODULES: Final = (
    Law(
        "outputs count",
        "a loss that reads outputs beside features notices when rows exchange their logits and labels",
        "Look for labels that index a whole matrix in place of each row's own entry, and for outputs never used.",
        generic,
        _outputs_count,
        needs=_reads_both,
        most=5,
    ),
    Law(
        "settings count",
        "every setting of a loss, the framework's own apart, changes a value, a gradient, sub-step or pass somewhere",
        "Look for a setting that is stored and never read, or overridden by a constant.",
        one_setting,
        _setting_counts,
        needs=_has_settings,
    ),
    Law(
        "state comes back",
        "a built loss, loaded into a fresh one from its state_dict, has the same values",
        "Register random maps, counters and running statistics as buffers.",
        samples,
        _comes_back,
        needs=_is_built,
        most=5,
    ),
    Law(
        "reversal forward",
        "with gradient reversal, the strength does not change the value by a single bit",
        "Let the strength multiply the reversed gradient and nothing else.",
        samples,
        _forward_identity,
        needs=_reverses,
        most=5,
    ),
    Law(
        "reversal by strength alone",
        "mode, earlier calls and the step's own progress change nothing that the strength does not say",
        "Look for a counter of calls and for a schedule inside the loss: the weight's schedule is handed in.",
        partial(samples, even=True),
        _strength_alone,
        needs=_reverses,
        most=5,
    ),
    Law(
        "reversal backward",
        "the gradient on features is exactly proportional to the strength, turned round where an opponent learns",
        "Look for a constant strength, one that is applied twice, and features that are not behind the reversal.",
        generic,
        _backward_exact,
        needs=_reverses,
        most=5,
    ),
)
