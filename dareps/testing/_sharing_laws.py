"""The laws of sharing schemes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state
from torch.optim import Optimizer

from dareps.sharing import SharingScheme
from dareps.sharing._base import BranchedScheme
from dareps.sharing._modules import Group, SharingModule
from dareps.testing._gates import forbid_host_sync
from dareps.testing._law import demand
from dareps.testing._sharing import (
    DOMAINS,
    EVERYTHING,
    OPTIMIZERS,
    TASKS,
    SharingCase,
    SharingSubject,
    cases,
    each,
    objective,
    parameters_of,
    run,
    spread_rows,
    step,
)
from dareps.types import Along

_CLOSE = 1e-9


@dataclass(frozen=True)
class SharingLaw:
    """One law: its name, what it demands, what to look at in a scheme that breaks it, and its check.

    Attributes:
        draws: Strategy of cases.
        needs: Which schemes it concerns.
    """

    name: str
    line: str
    hint: str
    check: Callable[[SharingSubject, SharingCase], None]
    draws: st.SearchStrategy[SharingCase]
    needs: Callable[[SharingScheme], bool] = lambda scheme: True


def along(scheme: SharingScheme) -> Along | None:
    """What the scheme's branches are in the kit; None where it has none."""
    return (scheme.along or "tasks") if isinstance(scheme, BranchedScheme) else None


def branches(scheme: SharingScheme) -> tuple[str, ...]:
    """The scheme's branches in the kit."""
    return {"tasks": TASKS, "domains": DOMAINS, None: ()}[along(scheme)]


def _what_was_asked_for(subject: SharingSubject, case: SharingCase) -> None:
    module = subject.fresh(apart=0.3)
    widths = {task: x.shape[1] for _, task, x in each(run(module, spread_rows(EVERYTHING), EVERYTHING)[0])}
    found, penalties = run(module, case.rows(), case.groups)
    demand(len(found) == len(case.groups), f"{len(found)} results for {len(case.groups)} groups")
    for own, group in zip(found, case.groups, strict=True):
        demand(set(own) == set(group.tasks), f"representations for {sorted(own)} where {group.tasks} were wanted")
    for number, task, x in each(found):
        shape = (case.groups[number].rows, widths[task])
        demand(tuple(x.shape) == shape, f"task {task} reads {tuple(x.shape)} in place of {shape}")
        demand(bool(x.isfinite().all()), f"task {task} reads numbers that are not finite")
    names = [term.name for term in subject.scheme.terms()]
    demand(sorted(penalties) == sorted(names), f"penalties {sorted(penalties)} where terms() names {sorted(names)}")
    for name, value in penalties.items():
        demand(value.dim() == 0 and bool(value.isfinite()), f"the penalty {name} is {value.tolist()}")
        demand(bool(value >= -_CLOSE), f"the penalty {name} is below 0: {value.tolist()}")


def _dtype(subject: SharingSubject, case: SharingCase) -> None:
    for dtype in (torch.float32, torch.float64):
        found, penalties = run(subject.fresh(apart=0.3).to(dtype), case.rows(dtype), case.groups)
        for value in (*(x for _, _, x in each(found)), *penalties.values()):
            demand(value.dtype is dtype, f"{dtype} rows give {value.dtype}")


def _rows_apart(subject: SharingSubject, case: SharingCase) -> None:
    module = subject.fresh(apart=0.3).eval()
    together = {(number, task): x for number, task, x in each(run(module, case.rows(), case.groups)[0])}
    blocks = torch.split(case.rows(), [group.rows for group in case.groups])
    for number, (block, group) in enumerate(zip(blocks, case.groups, strict=True)):
        for task in group.tasks:
            alone = run(module, block, [Group(group.rows, group.domain, (task,))])[0][0][task].task
            gap = float((alone - together[number, task]).detach().abs().max())
            demand(gap <= _CLOSE, f"group {number}, task {task}: alone or beside others differs by {gap:.2g}")


def _no_global_randomness(subject: SharingSubject, case: SharingCase) -> None:
    first, second = subject.fresh(apart=0.3), subject.fresh(apart=0.3)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(20)
        before = torch.get_rng_state()
        one = objective(*run(first, case.rows(), case.groups)).detach()
        demand(bool((before == torch.get_rng_state()).all()), "the global generator moved")
        torch.default_generator.manual_seed(21)
        other = objective(*run(second, case.rows(), case.groups)).detach()
    demand(float(one) == float(other), f"two equal calls gave {float(one)!r} and {float(other)!r}")


def _no_host_synchronisation(subject: SharingSubject, case: SharingCase) -> None:
    module, x = subject.fresh(apart=0.3), case.rows()
    with forbid_host_sync():
        torch.autograd.backward(objective(*run(module, x, case.groups)))


def _stacked_equals_loop(subject: SharingSubject, case: SharingCase) -> None:
    modules = [_Objective(subject.fresh(apart=0.3, seed=seed), case.groups) for seed in (0, 1)]
    parameters, buffers = stack_module_state(list(modules))
    leaves = {name: value.detach().requires_grad_() for name, value in parameters.items()}
    x = torch.stack([case.rows(), case.rows() + 0.5])
    together = torch.vmap(lambda p, b, x: functional_call(modules[0], (p, b), (x,)))(leaves, buffers, x)
    together.sum().backward()
    for number, module in enumerate(modules):
        alone = module(x[number])
        alone.backward()
        gap = float((alone - together[number]).detach().abs())
        demand(gap <= _CLOSE * (1 + float(alone.detach().abs())), f"stacked and alone differ by {gap:.2g}")
        for name, parameter in module.named_parameters():
            stacked = leaves[name].grad
            both = stacked is None, parameter.grad is None
            demand(both[0] == both[1], f"{name} has a gradient only {'alone' if both[0] else 'stacked'}")
            if parameter.grad is not None and stacked is not None:
                gap = float((stacked[number] - parameter.grad).abs().max())
                size = 1 + float(parameter.grad.abs().max())
                demand(gap <= _CLOSE * size, f"gradients of {name}, stacked and alone, differ by {gap:.2g}")


class _Objective(nn.Module):
    """The objective as a module, which is what can be stacked."""

    def __init__(self, scheme: SharingModule, groups: Sequence[Group]) -> None:
        super().__init__()
        self.scheme, self.groups = scheme, groups

    def forward(self, x: Tensor) -> Tensor:
        return objective(*run(self.scheme, x, self.groups))


def _gradient_reaches(subject: SharingSubject, case: SharingCase) -> None:
    module = subject.fresh(apart=0.3)
    torch.autograd.backward(objective(*run(module, spread_rows(EVERYTHING), EVERYTHING)))
    for name, parameter in module.named_parameters():
        demand(parameter.grad is not None, f"no gradient reaches {name} when every branch is wanted")
    scheme = subject.scheme
    for branch in branches(scheme):
        module.zero_grad(set_to_none=True)
        x, groups = _only(case, scheme, branch)
        torch.autograd.backward(objective(run(module, x, groups)[0], {}))
        reached = {id(own) for own in module.parameters() if own.grad is not None and bool(own.grad.any())}
        for other in branches(scheme):
            wrong = [own for own in parameters_of(module.own(other)) if other != branch and id(own) in reached]
            demand(not wrong, f"the losses of branch {branch} teach what belongs to branch {other}")


def _only(case: SharingCase, scheme: SharingScheme, branch: str) -> tuple[Tensor, tuple[Group, ...]]:
    """The case's rows with one branch wanted and no other."""
    if along(scheme) == "tasks":
        return case.rows(), tuple(Group(own.rows, own.domain, (branch,)) for own in case.groups)
    return case.rows(), tuple(Group(own.rows, branch, own.tasks) for own in case.groups)


def _isolated(subject: SharingSubject, case: SharingCase) -> None:
    x, scheme = spread_rows(EVERYTHING), subject.scheme
    for make in OPTIMIZERS:
        module = subject.fresh()
        optimizer = make(list(module.parameters()))
        step(module, optimizer, x, EVERYTHING)
        present = branches(scheme)[len(case.groups) % len(branches(scheme))]
        absent = [own for branch in branches(scheme) if branch != present for own in module.own(branch)]
        before = _state(absent, optimizer)
        step(module, optimizer, *_only(case, scheme, present))
        for name, value in _state(absent, optimizer).items():
            same = name in before and torch.equal(value, before[name])
            demand(same, f"{name} of an absent branch moved under {type(optimizer).__name__}")


def _state(modules: Sequence[nn.Module], optimizer: Optimizer) -> dict[str, Tensor]:
    """Clones of parameters, buffers and optimizer state of some modules."""
    found: dict[str, Tensor] = {}
    for number, module in enumerate(modules):
        found |= {f"buffer {number}.{name}": value.clone() for name, value in module.named_buffers()}
        for name, parameter in module.named_parameters():
            found[f"parameter {number}.{name}"] = parameter.detach().clone()
            state = optimizer.state.get(parameter, {})
            found |= {f"{key} of {number}.{name}": torch.as_tensor(value).clone() for key, value in state.items()}
    return found


GENERAL: Final = (
    SharingLaw(
        "what was asked for",
        "every group gets finite features of one width for exactly the tasks it wants, and terms() names the penalties",
        "Look at which tasks a group wants, at what splits rows back into groups, and at divisions in penalties.",
        _what_was_asked_for,
        cases(),
    ),
    SharingLaw(
        "dtype",
        "float32 gives float32 and float64 gives float64",
        "Look for constants of a fixed dtype and for casts.",
        _dtype,
        cases(),
    ),
    SharingLaw(
        "rows apart",
        "in evaluation mode a row's features are its own, whatever stands beside it and whatever else is wanted",
        "Look at the order in which rows are joined and split, and at the domains that normalisation is told.",
        _rows_apart,
        cases(2),
    ),
    SharingLaw(
        "no global randomness",
        "no global generator moves, and the same rows give the same objective",
        "Draw from the step's keyed noise.",
        _no_global_randomness,
        cases(),
    ),
    SharingLaw(
        "no host synchronisation",
        "nothing waits for the device: no item, boolean mask, nonzero or Python branch on a value",
        "Keep values in tensors; decide on groups and settings alone.",
        _no_host_synchronisation,
        cases(),
    ),
    SharingLaw(
        "stacked equals loop",
        "torch.vmap over stacked weights gives the values and the gradients that a loop over seeds gives",
        "Look for sizes of the wrong axis, in-place writes, and tensors that are kept on the module.",
        _stacked_equals_loop,
        cases(),
    ),
    SharingLaw(
        "gradient reaches",
        "every parameter learns from some branch, and none that belongs to one branch from the losses of another",
        "Look for detach, for parameters that nothing reads, and at what own() says.",
        _gradient_reaches,
        cases(),
    ),
    SharingLaw(
        "isolated",
        "what belongs to a branch, its statistics and its momenta stand still in a step in which the branch is absent",
        "Run wanted branches only: a gradient of 0 still lets momentum and weight decay act.",
        _isolated,
        cases(),
        needs=lambda scheme: scheme.isolated and bool(along(scheme)),
    ),
)
