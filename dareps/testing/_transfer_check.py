"""The laws of transfer, and trying them on an encoder."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from hypothesis import given

from dareps.encoders import Encoder
from dareps.engine.loop import Hooks, Stopped
from dareps.engine.moving import part_names, stage_of
from dareps.engine.resume import Checkpointer
from dareps.errors import ContractError
from dareps.plugin import suggestion
from dareps.testing._check import trial_settings
from dareps.testing._law import demand, reported
from dareps.testing._transfer import CASES, TransferCase, TransferSubject, Weights, changed, weights_of
from dareps.transfer import L2SP, Regulariser

HEADS: Final = frozenset({"heads.class.weight", "heads.class.bias"})
_CLOSE = 1e-10


@dataclass(frozen=True)
class TransferLaw:
    """One law: its name, what it demands, what to look at where it breaks, and its check."""

    name: str
    line: str
    hint: str
    check: Callable[[TransferSubject, TransferCase], None]


def _frozen(subject: TransferSubject, case: TransferCase) -> None:
    still = subject.frozen(case)
    (before, after), trainer = subject.between(subject.run(case, {"freeze": still}))
    moved = {name for name in changed(before, after) if f"encoder.{stage_of(name)}" in still}
    demand(not moved, f"{sorted(moved)} moved although frozen")
    assert trainer.optimizer is not None
    own = {id(value) for group in trainer.optimizer.param_groups for value in group["params"]}
    held = [name for name, value in trainer.population.parameters.items() if id(value) in own]
    demand(not [name for name in held if f"encoder.{stage_of(name)}" in still], "the optimizer holds what is frozen")


def _carried(subject: TransferSubject, case: TransferCase) -> None:
    (before, after), _ = subject.between(subject.run(case, {"steps": 0}))
    demand(not changed(before, after), f"{sorted(changed(before, after))} changed between the phases")


def _anew(subject: TransferSubject, case: TransferCase) -> None:
    count = round(case.top * len(subject.stages))
    change = {"steps": 0, "reset": ["heads"], "reset_top": count}
    (before, after), trainer = subject.between(subject.run(case, change))
    found, top = changed(before, after), subject.stages[len(subject.stages) - count :]
    demand(found >= HEADS, "the heads were not drawn anew")
    others = {name for name in found - HEADS if stage_of(name) not in top}
    demand(not others, f"{sorted(others)} were drawn anew unasked")
    weights = {
        name for name, value in trainer.population.parameters.items() if stage_of(name) in top and value.dim() > 1
    }
    random = {name for name in weights if float(before[name].std()) > 0}
    demand(random <= found, f"{sorted(random - found)} were not drawn anew")


def _rates(subject: TransferSubject, case: TransferCase) -> None:
    trainer = subject.trainer(subject.run(case, {"decay": case.decay, "freeze": subject.frozen(case)}))
    trainer.enter(trainer.plans[1])
    trainer.rates.set(torch.tensor(1.0))
    assert trainer.optimizer is not None
    members = [id(value) for group in trainer.optimizer.param_groups for value in group["params"]]
    moving = {id(value): name for name, value in trainer.population.parameters.items() if value.requires_grad}
    demand(sorted(members) == sorted(moving), "the groups are not the parameters that move, each once")
    for group in trainer.optimizer.param_groups:
        for name in (moving[id(value)] for value in group["params"]):
            depth = len(subject.stages) - subject.stages.index(stage_of(name)) if stage_of(name) else 0
            told = f"{name} learns at {float(group['lr']):.6g} times the rate"
            demand(math.isclose(float(group["lr"]), case.decay**depth, rel_tol=1e-5), told)


def _resumed(subject: TransferSubject, case: TransferCase) -> None:
    run = subject.run(case, {"freeze": subject.frozen(case), "reset": ["heads"], "decay": case.decay})
    _, whole = subject.between(run)
    with tempfile.TemporaryDirectory() as folder:
        keeper = Checkpointer(Path(folder) / "kit.safetensors", ["kit"], 0.0)
        first = subject.trainer(run)
        first.hooks = Hooks(stop=lambda: first.plans[first.position.phase].offset + first.position.step >= case.stop)
        try:
            first.train()
        except Stopped:
            keeper.write(first)
        second = subject.trainer(run)
        keeper.resume(second)
        second.train()
    different = changed(weights_of(whole), weights_of(second))
    demand(not different, f"{sorted(different)} differ after an interruption at step {case.stop}")
    demand(whole.ledgers[0].curves == second.ledgers[0].curves, "the log differs after an interruption")


def _cached(subject: TransferSubject, case: TransferCase) -> None:
    if subject.regularise:
        return
    change = {"freeze": subject.frozen(case), "cache": "auto"}
    (_, ours), trainer = subject.between(subject.run(case, change))
    (_, theirs), _ = subject.between(subject.run(case, {**change, "cache": "off"}))
    gaps = {name: float((value - theirs[name]).abs().max()) for name, value in ours.items() if value.numel()}
    worst = max(gaps, key=lambda name: gaps[name])
    demand(gaps[worst] <= _CLOSE, f"{worst} differs by {gaps[worst]:.2g} with {trainer.cut} stages cached")


def _l2_sp(subject: TransferSubject, case: TransferCase) -> None:
    def after(strength: float, **change: Sequence[str]) -> Weights:
        rule = L2SP(weight=strength, heads=0.0, map="proximal")
        (_, found), trainer = subject.between(subject.run(case, {"regularise": [rule], **change}))
        return {name: found[name] for name in trainer.population.parameters if name in found}

    (_, plain), _ = subject.between(subject.run(case, {"regularise": []}))
    free = changed(after(0.0), plain)
    demand(not free, f"at strength 0 {sorted(free)} differ from plain training")
    (before, _), trainer = subject.between(subject.run(case, {"steps": 0}))
    names = set(part_names(trainer.population)["*"]) - HEADS
    held = {name for name in changed(after(math.inf), before) if name in names}
    demand(not held, f"at infinite strength {sorted(held)} moved")


LAWS: Final = (
    TransferLaw(
        "frozen", "what is frozen keeps still to the last bit", "Give weights and statistics a stage.", _frozen
    ),
    TransferLaw(
        "carried", "weights pass from phase to phase unchanged", "Keep state in parameters and buffers.", _carried
    ),
    TransferLaw("anew", "only what is asked for is drawn anew", "Draw weights in reset_parameters().", _anew),
    TransferLaw("rates", "each parameter that moves has one learning rate", "Register parameters in stages.", _rates),
    TransferLaw("resumed", "an interrupted run ends as an uninterrupted one", "Keep state in buffers.", _resumed),
    TransferLaw(
        "cached", "cached features train as uncached ones", "A frozen stage must be a function of rows.", _cached
    ),
    TransferLaw("l2_sp", "L2-SP at 0 is plain, at infinity frozen", "Move weights by the optimizer alone.", _l2_sp),
)


def check_transfer(
    encoder: Encoder,
    *,
    regularise: Sequence[Regulariser] = (),
    laws: Collection[str] | None = None,
    max_examples: int = 5,
) -> None:
    """Hold an encoder, and regularisers of fine-tuning if given, against every law of transfer, in float64.

    The encoder reads four numbers. It is trained on labelled rows of one domain, and then goes on with labelled rows of
    another, under freezing, rates, resets and interruptions that Hypothesis draws.

    Args:
        encoder: The encoder.
        regularise: What regularises the second phase.
        laws: Names of the laws to try; left out, all of them.
        max_examples: Trials per law.

    Raises:
        LawViolation: The first law that breaks, with `.law`, the shrunk `.example` and a `.hint`.
        ContractError: There is no such law.
    """
    subject, known = TransferSubject(encoder, tuple(regularise)), transfer_laws()
    for name in laws or ():
        if name not in known:
            raise ContractError("check_transfer", "there is no such law", name, suggestion(name, known))
    for law in LAWS:
        if laws is None or law.name in laws:
            _try(law, subject, max_examples)


def transfer_laws() -> dict[str, str]:
    """Every law of transfer by name with what it demands, in the order in which they are tried."""
    return {law.name: law.line for law in LAWS}


def _try(law: TransferLaw, subject: TransferSubject, max_examples: int) -> None:
    tried: list[TransferCase] = []

    def trial(case: TransferCase) -> None:
        tried[:] = [case]
        law.check(subject, case)

    reported(law.name, law.hint, tried, lambda: trial_settings(max_examples)(given(CASES)(trial))())
