"""Phases that choose their alignments, begin with a copy of the networks, and freeze what is done."""

import math

import numpy as np
import pytest
import torch

from dareps.errors import ConfigError
from dareps.transfer import Train
from tests.engine._make import FLOAT64, NOISY, SHORT, run_of, trainer_of, weights_of

SMALL = (*SHORT, *NOISY, ("normalise", "per_domain"))
BOTH = {"source": "unlabelled", "target": "unlabelled"}


def entered(recipe, phase, *more):
    """A trainer whose earlier phases are done, at the start of a phase."""
    trainer = trainer_of([run_of(recipe, (*SMALL, *FLOAT64, *more))])
    for plan in trainer.plans[:phase]:
        trainer._phase(plan)
        trainer.position.phase, trainer.position.step = plan.number + 1, 0
    trainer.enter(trainer.plans[phase])
    return trainer


def parts(weights, *heads):
    return {name: value for name, value in weights.items() if name.startswith(heads)}


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("align", "streams", "acting"),
    [
        (True, BOTH, (0, 1, 2)),
        (False, BOTH, ()),
        ((0, 2), BOTH, (0, 2)),
        ((), BOTH, ()),
        (True, {"source": "labelled"}, ()),
        ((1,), {"target": "labelled"}, ()),
    ],
)
def test_which_alignments_act(align, streams, acting):
    assert Train(align=align, streams=streams).acting([("source", "target"), ("target",), ("target",)]) == acting


def test_a_number_that_no_alignment_has_is_refused():
    with pytest.raises(ConfigError, match=r"phases\.0\.align.*numbered from 0"):
        run_of("mcc", (("phases.0.align", [1]),))
    for wrong in ([-1], [True], "mcc", 1):
        with pytest.raises(ConfigError, match=r"phases\.0\.align: expected true, false or a list"):
            run_of("mcc", (("phases.0.align", wrong),))
    with pytest.raises(ConfigError, match="never act"):
        run_of("mcc", (("phases.0.align", []),))


def test_dirt_leaves_the_source_after_its_first_phase():
    trainer = entered("dirt", 1)
    assert [plan.phase.acting(trainer.population.method.recipe.needs) for plan in trainer.plans] == [
        (0, 1, 2, 3),
        (1, 2, 4),
    ]
    weights = weights_of(trainer)
    assert same(parts(weights, "encoder", "heads"), _copy(weights, "align.4.teacher."))
    trainer._phase(trainer.plans[1])
    curves = trainer.ledgers[0].curves
    last = {
        name: [step for step, _ in curve][-1] for name, curve in curves.items() if name.startswith(("align", "task"))
    }
    assert {name for name, step in last.items() if step > 30} == {
        "align.1.entropy_minimisation",
        "align.2.virtual_adversarial",
        "align.4.self_training",
    }


def _copy(weights, prefix):
    return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}


def test_adda_starts_from_the_source_networks_and_keeps_head_and_reference():
    trainer = entered("adda", 1)
    start = weights_of(trainer)
    reference = "align.0.reference."
    assert same(parts(start, "encoder", "heads"), _copy(start, reference))
    trainer._phase(trainer.plans[1])
    end = weights_of(trainer)
    assert same(parts(start, "heads", reference), end)
    for moving in ("encoder", "align.0.discriminator"):
        own = parts(start, moving)
        assert not any(torch.equal(own[name], end[name]) for name in own if "running" not in name)


def test_adda_begins_at_chance():
    trainer = entered("adda", 1)
    plan = trainer.plans[1]
    pool = trainer.pool(plan)
    (own, *_) = trainer.inputs(plan, pool, 0, 1)
    for sub in trainer.population.method.steps():
        total, values = trainer.population.losses(pool, *pool.gather(own.index), own, sub)
        assert values == {"align.0.untied_adversarial": total}
        assert total.item() == pytest.approx(math.log(2), rel=1e-12)


def test_statistics_of_a_domain_that_a_later_phase_reads_are_taken_at_evaluation():
    """Before the phase that reads the target, evaluation needs statistics of the target all the same."""
    trainer = trainer_of([run_of("adda", SMALL)])
    seen = []
    calibrate = trainer.evaluators[0].calibrate
    trainer.evaluators[0].calibrate = lambda method, unread: (seen.append(list(unread)), calibrate(method, unread))
    trainer.train()
    assert seen[0] == ["scans"]
    assert seen[-1] == []
    scores = trainer.ledgers[0].curves["score.information_maximisation"]
    assert np.isfinite([value for _, value in scores]).all()
