"""Shared and private codes against the definitions of DSN and ASP-MTL."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dareps.errors import ConfigError
from dareps.recipe.bind import bind_recipe
from dareps.sharing._codes import frobenius, normalised, scale_free, scale_invariant_error, squared_error
from dareps.sharing._shared_private import decoder
from dareps.sharing.asp_mtl import AspMtl
from dareps.sharing.shared_private import SharedPrivate
from tests.alignment._samples import PROPERTY, normal
from tests.sharing._make import DOMAINS, TASKS, built, called, rows

BOTH = [(4, DOMAINS[0], TASKS), (3, DOMAINS[1], TASKS)]
IMAGES = arrays("float64", (2, 3, 2, 2), elements=st.floats(-4, 4, width=16))


@PROPERTY
@given(IMAGES, IMAGES)
def test_the_scale_invariant_error_subtracts_its_second_term_row_by_row(x, y):
    x, y = torch.tensor(x), torch.tensor(y)
    e = (x - y).flatten(1)
    k = e.shape[1]
    wanted = e.square().sum(1) / k - e.sum(1).square() / k**2
    torch.testing.assert_close(scale_invariant_error(x, y), wanted, atol=1e-12, rtol=1e-12)
    torch.testing.assert_close(squared_error(x, y), e.square().sum(1) / k)


@PROPERTY
@given(IMAGES, st.floats(-3, 3))
def test_another_brightness_of_a_whole_row_costs_nothing(x, shift):
    x = torch.tensor(x)
    assert scale_invariant_error(x, x + shift).abs().max() < 1e-12
    assert scale_invariant_error(x, x + shift * torch.tensor([1.0, -1.0])[:, None, None, None]).abs().max() < 1e-12


def test_the_differences_by_their_definitions():
    s, p = normal(6, 3, 1) + 2, normal(6, 2, 2)
    torch.testing.assert_close(frobenius(s, p), (s.T @ p).pow(2).sum())
    sc, pc = s - s.mean(0), p - p.mean(0)
    rows_of = [z / z.norm(dim=1, keepdim=True) for z in (sc, pc)]
    torch.testing.assert_close(normalised(s, p), (rows_of[0].T @ rows_of[1]).pow(2).mean())
    cka = (sc.T @ pc).norm() ** 2 / ((sc.T @ sc).norm() * (pc.T @ pc).norm())
    torch.testing.assert_close(scale_free(s, p), cka)


@PROPERTY
@given(st.integers(2, 9), st.integers(1, 5), st.floats(0.01, 100), st.floats(-5, 5))
def test_the_scale_free_difference_has_no_scale(count, width, factor, shift):
    s, p = normal(count, width, 3), normal(count, width, 4)
    value = scale_free(s, p)
    assert 0 <= value <= 1 + 1e-12
    turned = torch.linalg.qr(normal(width, width, 5))[0]
    torch.testing.assert_close(scale_free(factor * s + shift, p @ turned / factor), value)
    torch.testing.assert_close(scale_free(torch.cat((s, s)), torch.cat((p, p))), value)
    torch.testing.assert_close(scale_free(torch.cat((s, s), 1), p), value)
    torch.testing.assert_close(scale_free(s, 2 * s), torch.ones((), dtype=torch.float64))


@pytest.mark.parametrize("constant", [0.0, 0.1, 7.0])
@pytest.mark.parametrize("form", [scale_free, normalised, frobenius])
def test_codes_that_do_not_vary_have_finite_gradients(form, constant):
    s = torch.full((5, 3), constant, dtype=torch.float64, requires_grad=True)
    p = normal(5, 3, 6).requires_grad_()
    value = form(s, p)
    value.backward()
    assert form is frobenius or value < 1e-12
    assert s.grad.isfinite().all()
    assert p.grad.isfinite().all()


@pytest.mark.parametrize("shape", [(7,), (2, 3), (1, 8, 8), (3, 9, 5)])
def test_decoders_give_rows_of_the_inputs_shape(shape):
    assert decoder(6, 10, shape)(torch.zeros(2, 6)).shape == (2, *shape)


def test_penalties_are_summed_over_domains():
    module = built(SharedPrivate(along="domains", form="frobenius"))
    x = rows(7)
    found, penalties = called(module, BOTH, x)
    wanted = {"reconstruction": 0.0, "difference": 0.0}
    for number, own in enumerate(x.split([4, 3])):
        shared, private = module.encoder(own), module.private[number](own)
        wanted["reconstruction"] += scale_invariant_error(own, module.decoder(shared + private)).mean()
        wanted["difference"] += (shared.T @ private).pow(2).sum()
        torch.testing.assert_close(found[number]["kind"].task, shared)
        torch.testing.assert_close(found[number]["kind"].private, private)
    for name, value in wanted.items():
        torch.testing.assert_close(penalties[name], value)


def test_heads_and_alignments_see_the_shared_code_and_the_private_encoder_the_penalties_alone():
    module = built(SharedPrivate(along="domains"))
    found, penalties = called(module, BOTH)
    own = list(module.private[0].parameters())
    assert found[0]["kind"].task is found[0]["kind"].shared
    for value, reached in ((found[0]["kind"].task.sum(), False), (sum(penalties.values()), True)):
        gradients = torch.autograd.grad(value, own, allow_unused=True, retain_graph=True)
        assert all((gradient is not None) == reached for gradient in gradients)


def test_nothing_is_built_for_a_weight_of_zero():
    module = built(SharedPrivate(private="none", reconstruction=0.0, difference=0.0))
    assert module.decoder is None
    assert not len(module.private)
    assert called(module, BOTH)[1] == {}


def test_a_difference_from_nothing_is_refused():
    with pytest.raises(ConfigError, match=r"no private codes to differ from.*Set sharing.difference=0"):
        bind_recipe({"sharing": {"name": "shared_private", "private": "none"}}, "recipe x")


def test_heads_read_both_codes_side_by_side():
    module = built(AspMtl(along="domains"))
    found, penalties = called(module, BOTH)
    own = found[1]["kind"]
    assert torch.equal(own.task, torch.cat((own.shared, own.private), 1))
    wanted = sum((part["kind"].shared.T @ part["kind"].private).pow(2).sum() for part in found)
    torch.testing.assert_close(penalties["difference"], wanted)


def test_the_adversary_learns_to_tell_branches_apart_and_the_encoder_to_prevent_it():
    module = built(AspMtl(along="domains"))
    found, penalties = called(module, BOTH)
    shared = [own["kind"].shared for own in found]
    plain = sum(-module.adversary(x).log_softmax(1)[:, number].mean() for number, x in enumerate(shared)) / len(shared)
    torch.testing.assert_close(penalties["adversary"], plain)
    for parameters, sign in ((list(module.adversary.parameters()), 1), (list(module.encoder.parameters()), -1)):
        one, other = (torch.autograd.grad(v, parameters, retain_graph=True) for v in (penalties["adversary"], plain))
        for reversed_, straight in zip(one, other, strict=True):
            torch.testing.assert_close(reversed_, sign * straight)
