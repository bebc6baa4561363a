"""The hooks of alignments that act between steps: `after_step` and `refresh`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.func import functional_call

from dareps.alignment._modules import AlignmentModule
from dareps.engine.population import Population
from dareps.recipe.method import Method

if TYPE_CHECKING:
    from dareps.engine.loop import Trainer


class _AfterStep(nn.Module):
    """Calls a method's `after_step` as a forward pass, which is what can be mapped over copies."""

    def __init__(self, method: Method) -> None:
        super().__init__()
        self.method = method

    def forward(self, progress: Tensor) -> Tensor:
        self.method.after_step(progress)
        return progress


def wants_after_step(method: Method) -> bool:
    """True when an active alignment has something to do after a step."""
    return any(_overrides(module, "after_step") for module in active(method))


@torch.no_grad()
def after_step(population: Population, progress: Tensor) -> None:
    """Let the active alignments of every copy update their buffers in place."""
    if not population.stacked:
        population.method.after_step(progress)
        return
    wrapper = _AfterStep(population.method)
    state = {f"method.{name}": value for name, value in population.state().items()}
    torch.vmap(lambda own: functional_call(wrapper, own, (progress,)))(state)


def active(method: Method) -> list[AlignmentModule]:
    """The alignment modules that act in the current phase."""
    return [module for index in method.active if isinstance(module := method.align[index], AlignmentModule)]


def refresh_points(trainer: Trainer) -> set[int]:
    """Steps after which some active alignment wants a pass over the target train rows."""
    periods = [module.refresh_every for module in active(trainer.population.method) if module.refresh_every]
    return {point for period in periods for point in range(period, trainer.total + 1, period)}


def refresh_due(trainer: Trainer, step: int) -> None:
    """Give every alignment that is due one pass over the target train rows of its copy."""
    method = trainer.population.method
    due = [
        index
        for index in method.active
        if (every := getattr(method.align[index], "refresh_every", 0)) and step % every == 0
    ]
    if not due:
        return
    for copy, evaluator in enumerate(trainer.evaluators):
        single = trainer.population.single(copy)
        was = single.training
        single.eval()
        outputs = evaluator.outputs(single, trainer.data[copy].target_train)
        single.train(was)
        features = torch.from_numpy(outputs.features).to(trainer.device, trainer.dtype)
        logits = torch.from_numpy(outputs.logits).to(trainer.device, trainer.dtype)
        for index in due:
            module = single.align[index]
            assert isinstance(module, AlignmentModule)
            module.refresh(features, logits)
        trainer.population.put_back(copy, single)


def _overrides(module: AlignmentModule, name: str) -> bool:
    return getattr(type(module), name) is not getattr(AlignmentModule, name)
