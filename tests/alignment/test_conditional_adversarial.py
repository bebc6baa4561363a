import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dareps.alignment import ConditionalAdversarial
from dareps.alignment._conditional import FullMap, RandomMap, certainty, join_map
from dareps.errors import ContractError
from dareps.testing import check_alignment
from dareps.types import Shapes, View
from tests.alignment._built import (
    ONE,
    STEP,
    TWO_DOMAINS,
    can_be_captured,
    drawn,
    filled,
    seen,
    shapes_of,
    step_of,
    views_of,
)
from tests.alignment._samples import PROPERTY, normal


def built(domains=2, **settings):
    settings = {"hidden": (7,), **settings}
    return filled(ConditionalAdversarial(**settings).build(shapes_of(1, domains - 1)))


def joined(x, z):
    """The outer product of one row, class by class."""
    return torch.cat([probability * x for probability in z.softmax(0)])


def reference(module, pairs, entropy):
    """Row by row: the logistic loss of the joined row, weighted within its domain."""
    domains = []
    for label, (xs, zs) in enumerate(pairs):
        losses, weights = [], []
        for x, z in zip(xs, zs, strict=True):
            out = module.discriminator(joined(x, z)[None])[0].tolist()
            if len(out) == 1:
                signed = out[0] if label == 0 else -out[0]
                losses.append(math.log1p(math.exp(-signed)))
            else:
                losses.append(math.log(sum(map(math.exp, out))) - out[label])
            p = z.softmax(0).tolist()
            weights.append(1 + math.exp(sum(q * math.log(q) for q in p)) if entropy else 1)
        domains.append(sum(w * loss for w, loss in zip(weights, losses, strict=True)) / sum(weights))
    return sum(domains) / len(domains)


@pytest.mark.parametrize("entropy", [False, True])
@pytest.mark.parametrize("domains", [2, 3])
def test_equals_the_definition(domains, entropy):
    module = built(domains, entropy=entropy)

    @given(pairs=drawn(domains))
    @PROPERTY
    def check(pairs):
        found = module(views_of(*pairs), ONE, STEP).item()
        assert found == pytest.approx(reference(module, pairs, entropy), rel=1e-9, abs=1e-12)

    check()


@given(pairs=drawn(1), pick=st.integers(0, 3))
@PROPERTY
def test_certain_predictions_select_a_block(pairs, pick):
    [(x, _)] = pairs
    certain = torch.nn.functional.one_hot(torch.full((len(x),), pick), 4).double()
    blocks = FullMap(3, 4)(x, certain).view(len(x), 4, 3)
    assert torch.equal(blocks[:, pick], x)
    assert not blocks[:, [block for block in range(4) if block != pick]].any()
    assert torch.equal(FullMap(3, 4)(2 * x, certain), 2 * FullMap(3, 4)(x, certain))


def test_random_map_is_unbiased():
    (f, g), (other_f, other_g) = (
        (normal(1, 3, key, torch.float32), normal(1, 4, key + 9, torch.float32).softmax(1)) for key in (1, 2)
    )
    expected = (f @ other_f.T * (g @ other_g.T)).item()
    own = RandomMap(3, 4, 64)
    found = []
    with torch.random.fork_rng(devices=[]):
        for key in range(400):
            torch.manual_seed(key)
            own.reset_parameters()
            found.append((own(f, g) @ own(other_f, other_g).T).item())
    draws = torch.tensor(found)
    error = draws.std().item() / math.sqrt(len(found))
    assert abs(draws.mean().item() - expected) < 4 * error
    assert error < abs(expected) / 4, "too few draws to tell"


def test_random_matrices_are_state_and_no_parameters():
    module = built(map="random", random_size=5)
    names = {"join.of_features", "join.of_predictions"}
    assert names <= set(module.state_dict())
    assert names.isdisjoint(dict(module.named_parameters()))
    other = built(map="random", random_size=5)
    other.join.reset_parameters()
    _, _, views = seen(4, 6)
    assert module(views, ONE, STEP) != other(views, ONE, STEP)
    other.load_state_dict(module.state_dict())
    assert torch.equal(module(views, ONE, STEP), other(views, ONE, STEP))


@pytest.mark.parametrize(("features", "classes", "kind"), [(64, 64, FullMap), (241, 17, RandomMap)])
def test_large_products_are_sketched(features, classes, kind):
    shapes = Shapes(features, classes, ("a",), ("b",))
    assert isinstance(join_map("auto", shapes, 1024), kind)
    assert isinstance(join_map("full", shapes, 1024), FullMap)
    assert join_map("random", shapes, 1024).width == 1024


@given(pairs=drawn(2), level=st.floats(-5, 5), order=st.permutations(range(4)))
@PROPERTY
def test_equal_entropies_are_the_plain_loss(pairs, level, order):
    row = torch.arange(4, dtype=torch.float64) + level
    alike = [(x, z.expand(len(x), 4)) for (x, _), z in zip(pairs, (row, row[order]), strict=True)]
    plain, weighted = (built(entropy=entropy)(views_of(*alike), ONE, STEP) for entropy in (False, True))
    torch.testing.assert_close(plain, weighted, rtol=1e-12, atol=1e-14)


def test_weights_run_from_uniform_to_certain():
    assert certainty(torch.zeros(1, 5)).item() == pytest.approx(1 + 1 / 5)
    assert certainty(torch.tensor([[500.0, 0, 0]])).item() == 2


@pytest.mark.parametrize("entropy", [False, True])
@pytest.mark.parametrize("strength", [0.0, 0.3, 2.0])
def test_strength_scales_what_features_and_entropies_get(strength, entropy):
    rows, logits, views = seen(4, 6)
    module = built(entropy=entropy)
    plain = module(views, -ONE, STEP)
    value = module(views, ONE * strength, STEP)
    assert torch.equal(plain, value)
    leaves = [*rows, *logits, *module.parameters()]
    expected, found = (torch.autograd.grad(each, leaves, allow_unused=True) for each in (plain, value))
    for i, (want, got) in enumerate(zip(expected, found, strict=True)):
        if i in (2, 3) and not entropy:
            assert want is got is None
        else:
            torch.testing.assert_close(got, -strength * want if i < 4 else want, rtol=1e-10, atol=1e-14)


def test_entropy_gradient_makes_predictions_certain():
    _, logits, views = seen(4, 6)
    slopes = torch.autograd.grad(built(entropy=True)(views, ONE, STEP), logits)
    for z, slope in zip(logits, slopes, strict=True):
        after = (z - 1e-3 * slope).detach()
        assert (certainty(after) > certainty(z.detach())).all()


@pytest.mark.parametrize("settings", [{}, {"entropy": True}, {"map": "random", "random_size": 6}])
def test_gradient_is_that_of_the_value_but_for_its_sign(settings):
    _, logits, _ = seen(3, 2)
    module = built(**settings)

    def value(*rows):
        return module(views_of(*zip(rows, [z.detach() for z in logits], strict=True)), -ONE, STEP)

    assert torch.autograd.gradcheck(value, [normal(3, 3, 5).requires_grad_(), normal(2, 3, 6).requires_grad_()])


def test_certain_predictions_and_huge_features_stay_finite():
    rows, _, _ = seen(4, 6)
    logits = [torch.eye(4).double()[torch.arange(len(x)) % 4].mul(1e4).requires_grad_() for x in rows]
    value = built(entropy=True)(views_of(*[(x * 1e4, z) for x, z in zip(rows, logits, strict=True)]), ONE, STEP)
    assert value.isfinite()
    assert all(slope.isfinite().all() for slope in torch.autograd.grad(value, [*rows, *logits]))


def test_starts_at_chance_and_an_empty_domain_is_left_out():
    _, _, views = seen(4, 6)
    fresh = ConditionalAdversarial(entropy=True).build(TWO_DOMAINS).double()
    assert fresh(views, ONE, STEP).item() == pytest.approx(math.log(2), rel=1e-14)
    empty = View("d1", "target", torch.zeros(0, 3).double(), torch.zeros(0, 4).double())
    assert built(entropy=True)([views[0], empty], ONE, STEP).isfinite()


def test_streams_without_logits_are_refused():
    _, _, (source, target) = seen(4, 6)
    with pytest.raises(ContractError, match="has no logits"):
        built()([source, View("d1", "target", target.shared)], ONE, step_of())


@pytest.mark.parametrize("settings", [{"entropy": True}, {"map": "random", "random_size": 6}])
def test_whole_step_can_be_captured(settings):
    assert can_be_captured(built(**settings), seen(4, 6)[2], STEP)


@pytest.mark.parametrize(
    "settings", [{"entropy": True}, {"map": "random", "random_size": 64}, {"map": "full", "hidden": ()}], ids=str
)
def test_other_settings_keep_the_laws(settings):
    check_alignment(ConditionalAdversarial(**settings), max_examples=10)
