"""Small runs of several phases."""

import torch

from dareps.engine.building import split_of
from dareps.engine.loop import Hooks, Trainer
from dareps.recipe.bind import bind_run
from tests.engine._make import CPU

DEEP = {"name": "mlp", "width": 12, "depth": 3, "norm": True, "dropout": 0.3}
DECAYED = {"name": "sgd", "lr": 0.05, "weight_decay": 0.1}
SOURCE, FEW = {"streams": {"source": "labelled"}}, {"streams": {"target": "labelled"}}


def run_of(phases, split="digits8/fonts:scans@5", seed=0, **changes):
    settings = {
        "encoder": DEEP, "normalise": "per_domain", "phases.*.steps": 30, "phases.*.batch": 20,
        "engine.evaluations": 3, "engine.flush": 10, "phases.*.optimizer": DECAYED, **changes,
    }  # fmt: skip
    return bind_run("source_only", split, seed, [("phases", phases), *settings.items()])


def trainer_of(run, hooks=None, stacked=None):
    return Trainer([run], [split_of(run)], CPU, hooks, stacked)


def weights_of(trainer):
    return {name: value.detach().clone() for name, value in trainer.population.state().items()}


def after_phases(phases, **changes):
    """The weights after each phase, and the trainer at the end."""
    found = []
    trainer = trainer_of(run_of(phases, **changes), Hooks(between=lambda own: found.append(weights_of(own))))
    trainer.train()
    return found, trainer


def changed(before, after):
    return {name for name in before if not torch.equal(before[name], after[name])}


def below(trainer, *stages):
    inside = [f"chain.{stage}." for stage in stages]
    return {name for name in trainer.population.state() if any(part in name for part in inside)}


def weights_below(trainer, stage):
    return below(trainer, stage) & set(trainer.population.parameters)
