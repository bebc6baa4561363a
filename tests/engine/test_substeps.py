"""Sub-steps: an alignment's own steps on the batch before and after the ordinary one."""

import pytest
import torch

from dareps import plugin
from dareps.alignment import Alignment
from dareps.alignment._modules import AlignmentModule
from dareps.engine.moving import part_names
from dareps.types import ORDINARY, SubStep
from tests.engine._make import FLOAT64, SHORT, distance, run_of, trainer_of, weights_of

PLAIN = (*SHORT, *FLOAT64, ("phases.*.optimizer", {"name": "sgd", "lr": 0.1, "momentum": 0.0}))


class _Critic(AlignmentModule):
    """Its parameter moves towards the source mean in steps of its own; the ordinary step adds what it says."""

    def __init__(self, settings, shapes):
        super().__init__(settings)
        self.centre = torch.nn.Parameter(torch.zeros(shapes.features))
        self.register_buffer("drawn", torch.zeros(3))

    def steps(self):
        own = SubStep("critic", trains=("align",), repeat=self.settings.repeat, tasks=False)
        return (own, SubStep(), SubStep("features", trains=("encoder",), tasks=False))

    def forward(self, views, strength, step):
        source = next(view.shared for view in views if view.role == "source")
        if step.sub.name == "critic":
            return (self.centre - source.detach().mean(0)).square().sum()
        return (source.mean(0) - self.centre.detach()).square().sum() + 0 * step.noise.uniform("draw", ()).to(source)


@pytest.fixture(autouse=True)
def _a_critic(monkeypatch):
    monkeypatch.setitem(plugin._registry, "alignment", dict(plugin._registry["alignment"]))

    class Critical(Alignment):
        """For these tests."""

        repeat: int = 2

        def build(self, shapes):
            return _Critic(self, shapes)


def _trainer(seeds=(0,), align=("critical",), **changes):
    align = [{"name": name, "weight": 0.5, **changes} if name == "critical" else name for name in align]
    return trainer_of([run_of("dann", (*PLAIN, ("align", align)), seed) for seed in seeds])


def test_the_ordinary_step_stands_between_those_that_were_asked_for():
    method = _trainer(align=("critical", "adversarial", "critical")).population.method
    names = [(sub.name, sub.owner, sub.trains) for sub in method.steps()]
    assert names == [
        ("critic", 0, ("align.0",)),
        ("critic", 2, ("align.2",)),
        ("all", None, ("*",)),
        ("features", 0, ("encoder",)),
        ("features", 2, ("encoder",)),
    ]


def test_a_sub_step_moves_what_it_trains_by_its_own_loss_alone():
    trainer = _trainer(repeat=3)
    plan = trainer.plans[0]
    trainer.enter(plan)
    pool = trainer.pool(plan)
    (own, *_) = trainer.inputs(plan, pool, 0, 1)
    method = trainer.population.method
    batch = pool.batch(*pool.gather(own.index), None)
    with torch.no_grad():
        source = method.encoder.encoder(batch.streams[0].x).mean(0)
    trainer.step_function(plan, pool)(own)
    # w <- w - lr * weight * 2 (w - m), three times from 0.
    factor = 1 - 0.1 * 0.5 * 2
    torch.testing.assert_close(method.align[0].centre.detach(), source * (1 - factor**3))


def test_parameters_that_no_sub_step_names_stay_where_the_ordinary_step_put_them():
    plain, with_features = _trainer(repeat=1), _trainer(repeat=1)
    heads = {}
    for label, trainer in (("plain", plain), ("more", with_features)):
        if label == "plain":
            trainer.population.method.align[0].steps = lambda: (SubStep("critic", ("align",), 1, tasks=False), ORDINARY)
        plan = trainer.plans[0]
        trainer.enter(plan)
        pool = trainer.pool(plan)
        (own, *_) = trainer.inputs(plan, pool, 0, 1)
        trainer.step_function(plan, pool)(own)
        heads[label] = weights_of(trainer)
    changed = {name for name in heads["plain"] if not torch.equal(heads["plain"][name], heads["more"][name])}
    assert changed == set(part_names(plain.population)["encoder"])


def test_stacked_sub_steps_train_as_if_alone():
    together, alone = _trainer((0, 5)), _trainer((5,))
    together.train()
    alone.train()
    assert distance(weights_of(together, 1), weights_of(alone)) < 1e-9


def test_every_turn_of_a_sub_step_has_noise_of_its_own(monkeypatch):
    seen = []

    def forward(self, views, strength, step):
        seen.append((step.sub.name, step.noise.uniform("draw", (3,))))
        return self.centre.square().sum() + views[0].shared.square().sum() + views[1].shared.square().sum()

    monkeypatch.setattr(_Critic, "forward", forward)
    trainer = _trainer(repeat=2)
    plan = trainer.plans[0]
    trainer.enter(plan)
    pool = trainer.pool(plan)
    (own, *_) = trainer.inputs(plan, pool, 0, 1)
    trainer.step_function(plan, pool)(own)
    assert [name for name, _ in seen] == ["critic", "critic", "all", "features"]
    draws = torch.stack([draw for _, draw in seen])
    assert len(draws.unique(dim=0)) == 4


def test_a_phase_that_freezes_what_a_sub_step_trains_leaves_it_out():
    trainer = trainer_of([run_of("dann", (*PLAIN, ("align", ["critical"]), ("phases.0.trains", ["heads", "align"])))])
    before = weights_of(trainer)
    trainer.train()
    after = weights_of(trainer)
    moved = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"heads", "align"}
