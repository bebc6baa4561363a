import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dareps.alignment import ClassifierDiscrepancy
from dareps.alignment._discrepancy import discrepancy
from dareps.engine.moving import part_names
from dareps.errors import ContractError
from dareps.testing import check_alignment
from dareps.types import ORDINARY, View
from tests.alignment._built import ONE, STEP, can_be_captured, drawn, filled, seen, shapes_of, step_of, views_of
from tests.alignment._samples import PROPERTY, normal
from tests.engine._make import FLOAT64, SHORT, run_of, trainer_of, weights_of

DISAGREE, AGREE = step_of("classifiers"), step_of("encoder")


def built(sources=1, targets=1, **settings):
    return filled(ClassifierDiscrepancy(**settings).build(shapes_of(sources, targets)))


def softmax(row):
    powers = [math.exp(z - max(row)) for z in row]
    return [power / sum(powers) for power in powers]


def reference(first, second):
    total = 0.0
    for one, other in zip(first.tolist(), second.tolist(), strict=True):
        total += sum(abs(p - q) for p, q in zip(softmax(one), softmax(other), strict=True)) / len(one)
    return total / len(first)


@st.composite
def logits(draw, high=30.0):
    rows, classes = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    row = st.lists(st.floats(-high, high), min_size=classes, max_size=classes)
    return [torch.tensor([draw(row) for _ in range(rows)], dtype=torch.float64) for _ in range(2)]


@given(pair=logits(), level=st.floats(-10, 10), data=st.data())
@PROPERTY
def test_discrepancy_is_the_definition_with_its_bounds_and_symmetries(pair, level, data):
    first, second = pair
    found = discrepancy(first, second)
    assert found.item() == pytest.approx(reference(first, second), rel=1e-10, abs=1e-12)
    assert 0 <= found.item() <= 2 / first.shape[1] + 1e-12
    assert discrepancy(second, first).item() == pytest.approx(found.item(), abs=1e-12)
    order = data.draw(st.permutations(range(first.shape[1])))
    assert discrepancy(first[:, order] + level, second[:, order]).item() == pytest.approx(found.item(), abs=1e-12)


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_discrepancy_of_certain_classifiers(classes):
    certain = torch.eye(classes).double() * 1e3
    assert discrepancy(certain, certain).item() == 0
    assert discrepancy(certain, certain.roll(1, 1)).item() == pytest.approx(2 / classes, rel=1e-12)


@given(pairs=drawn(2))
@PROPERTY
def test_every_sub_step_has_its_value(pairs):
    module = built()
    source, target = views_of(*pairs)
    own = module.classifier(source.shared).tolist()
    entropy = sum(-math.log(softmax(row)[int(y)]) for row, y in zip(own, source.labels, strict=True)) / len(own)
    distance = reference(target.logits, module.classifier(target.shared))
    for step, expected in ((STEP, entropy), (DISAGREE, entropy - distance), (AGREE, distance)):
        assert module([source, target], ONE, step).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_domains_of_a_side_are_averaged():
    _, _, views = seen(2, 3, 4, 5, sources=2)
    module = built(2, 2)
    alone = [module([source, target], ONE, DISAGREE) for source in views[:2] for target in views[2:]]
    torch.testing.assert_close(module(views, ONE, DISAGREE), sum(alone) / 4)


def test_head_encoder_and_second_classifier_all_hear_of_the_target():
    rows, logits, views = seen(4, 6)
    module = built()
    leaves = [rows[1], logits[1], *module.parameters()]
    assert all(slope.any() for slope in torch.autograd.grad(module(views, ONE, AGREE), leaves))


def test_gradient_is_that_of_the_value():
    module = built()
    labels = torch.tensor([0, 3, 1])

    def value(x, y, z):
        views = [View("d0", "source", x, z, labels), View("d1", "target", y, z)]
        return module(views, ONE, DISAGREE)

    leaves = [normal(3, width, key).requires_grad_() for key, width in ((5, 3), (6, 3), (7, 4))]
    assert torch.autograd.gradcheck(value, leaves)


def test_equal_classifiers_get_a_finite_gradient():
    x = normal(4, 3, 1).requires_grad_()
    module = built()
    value = module([View("d0", "source", x, x @ x.T), View("d1", "target", x, module.classifier(x))], ONE, AGREE)
    (slope,) = torch.autograd.grad(value, x)
    assert value.item() == 0
    assert slope.isfinite().all()


def test_steps_as_published_and_none_without_a_weight():
    ordinary, classifiers, encoder = built().steps()
    assert ordinary == ORDINARY
    assert (classifiers.trains, classifiers.repeat, classifiers.tasks) == (("heads", "align"), 1, True)
    assert (encoder.trains, encoder.repeat, encoder.tasks) == (("encoder",), 4, False)
    assert built(weight=0).steps() == ()


def test_sub_steps_move_their_own_side_alone():
    sgd = ("phases.*.optimizer", {"name": "sgd", "lr": 0.1, "momentum": 0.0})
    run = run_of("mcd", (*SHORT, *FLOAT64, sgd))
    found = []
    for kept in (1, 2, 3):
        trainer = trainer_of([run])
        module = trainer.population.method.align[0]
        steps = module.steps()[:kept]
        module.steps = lambda steps=steps: steps
        plan = trainer.plans[0]
        trainer.enter(plan)
        pool = trainer.pool(plan)
        (inputs, *_) = trainer.inputs(plan, pool, 0, 1)
        trainer.step_function(plan, pool)(inputs)
        found.append(weights_of(trainer))
    parts = part_names(trainer.population)
    first, second = (
        {name for name in before if not torch.equal(before[name], after[name])} for before, after in pairwise(found)
    )
    assert first == set(parts["heads"]) | set(parts["align"])
    assert second == set(parts["encoder"])


def test_whole_step_can_be_captured():
    assert can_be_captured(built(), seen(4, 6)[2], STEP, DISAGREE, AGREE)


def test_unusable_streams_are_refused():
    x, z = normal(3, 3, 1), normal(3, 4, 2)
    module = built()
    source, target = views_of((x, z), (x, z))
    with pytest.raises(ContractError, match="has no labels"):
        module([View("d0", "source", x, z), target], ONE, STEP)
    with pytest.raises(ContractError, match="has no logits"):
        module([source, View("d1", "target", x)], ONE, AGREE)
    with pytest.raises(ContractError, match="features of d1 needs at least 1"):
        module([source, View("d1", "target", x[:0], z[:0])], ONE, AGREE)
    with pytest.raises(ContractError, match="no source stream"):
        module([target], ONE, AGREE)
    with pytest.raises(ContractError, match=r"build\(shapes\)"):
        ClassifierDiscrepancy()(x, x)


def test_other_settings_keep_the_laws():
    check_alignment(ClassifierDiscrepancy(repeat=1, weight=0.5), max_examples=10)
