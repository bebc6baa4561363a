"""Networks of one's own: their features, stages, layers and first weights."""

import copy
import random

import numpy as np
import pytest
import torch
from torch import nn

from dareps.encoders import Encoder
from dareps.errors import ConfigError
from dareps.maths.domains import DomainNorm, NormFactory, group_scope
from dareps.maths.noise import Noise, noise_scope
from tests.encoders import _nets
from tests.encoders._nets import Digits, Normed
from tests.engine._weights import kept, method_of, recipe_of

NETS = "tests.encoders._nets"
JOINT = NormFactory("joint", 1)
SHAPE = (1, 8, 8)
START = "encoder.encoder.chain"


def settings(net, **more):
    """The encoder of a network of these tests."""
    return {"name": "module", "import": f"{NETS}:{net}", **more}


def built(net, shape=SHAPE, norm=JOINT, **more):
    return Encoder.bind(settings(net, **more)).build(shape, norm)


def rows(shape=SHAPE, count=3):
    return torch.linspace(-9, 9, count * int(np.prod(shape)), dtype=torch.float64).sin().view(count, *shape)


def features(encoder, x, domain=0):
    """Of rows of one domain, in prediction."""
    with torch.no_grad(), group_scope([(domain, len(x))]):
        return encoder.double().eval()(x)


def own_weights(encoder, net):
    """The encoder's weights and statistics, of the first domain, put into the network as its own code made it."""
    ours = {name.partition(".net.")[2]: own for name, own in (*encoder.named_parameters(), *encoder.named_buffers())}
    for name, own in net.state_dict().items():
        found = ours.get(name, ours.get(f"{name}_0"))
        if found is not None:
            own.copy_(found.detach().flatten()[: own.numel()].view_as(own))
    return net.eval()


CASES = [
    ("Digits", {"stages": ["conv1", "conv2", "fc"]}, ("conv1", "conv2", "fc")),
    ("Digits", {"stages": ["conv2"]}, ("conv2",)),
    ("Digits", {}, ("network",)),
    ("Digits", {"arguments": {"width": 3}}, ("network",)),
    ("Normed", {}, ("network",)),
    ("Normed", {"stages": ["body.0", "fc1", "fc2"]}, ("body_0", "fc1", "fc2")),
    ("Normed", {"arguments": {"frozen": True}, "stages": ["body", "fc2"]}, ("body", "fc2")),
    ("Deciding", {}, ("network",)),
    ("Noisy", {}, ("network",)),
]


@pytest.mark.parametrize(("net", "more", "names"), CASES)
@pytest.mark.parametrize("policy", ["joint", "domain_specific"])
def test_features_are_the_networks_own(net, more, names, policy):
    """Its stages one after the other give, on its own weights and statistics, what its own forward gives."""
    encoder = built(net, norm=NormFactory(policy, 2), **more)
    assert encoder.names == names
    own = getattr(_nets, net)(**more.get("arguments", {}))
    own(rows().float())
    with torch.no_grad():
        wanted = own_weights(encoder.double(), own.double())(rows())
    assert wanted.std() > 1e-3
    for domain in (0, 1):
        torch.testing.assert_close(features(encoder, rows(), domain), wanted, rtol=1e-12, atol=1e-12)
    assert encoder.features == wanted.shape[1]
    assert encoder.shapes == {name: tuple(own.shape[1:]) for name, own in taps(encoder).items()}


def taps(encoder):
    with torch.no_grad(), group_scope([(0, 3)]):
        return encoder.eval().taps(rows().to(next(encoder.parameters()).dtype))


def test_parts_of_a_sequence_are_stages_and_maps_become_rows():
    encoder = built("sequence")
    assert encoder.names == ("0", "1", "2", "3", "4")
    assert encoder.shapes["1"] == (7,)
    assert encoder.chain["2"].net is not encoder.chain["4"].net
    encoder = built("maps")
    assert encoder.names == ("0", "1", "flatten")
    torch.testing.assert_close(taps(encoder)["flatten"], taps(encoder)["1"].flatten(1))


def test_shapes_are_found_without_values_where_that_is_possible():
    assert built("Normed").host == ""
    assert "cannot run without values" in built("Deciding").host
    assert built("Deciding").shapes == {"network": (8,)}


def test_normalisation_follows_the_policy_and_keeps_what_it_had():
    encoder = built("Normed", norm=NormFactory("domain_specific", 2))
    first, last = (own for own in encoder.modules() if isinstance(own, DomainNorm))
    assert (first.policy, first.eps, first.momentum) == ("domain_specific", 1e-3, 0.2)
    assert isinstance(first.weight, nn.Parameter)
    assert not isinstance(last.weight, nn.Parameter)
    torch.testing.assert_close(first.running_var_0, first.running_var_1)
    assert first.running_var_0.std() > 0.05
    before = first.running_var_1.clone()
    with group_scope([(0, 3)]), noise():
        encoder.train()(rows().float())
    assert not torch.equal(first.running_var_0, first.running_var_1)
    torch.testing.assert_close(first.running_var_1, before)
    assert not [own for own in encoder.modules() if isinstance(own, nn.modules.batchnorm._BatchNorm | nn.Dropout)]


def noise(step=0, seed=0):
    return noise_scope(Noise(torch.tensor(seed), torch.tensor(step)))


@pytest.mark.parametrize("net", ["Normed", "Noisy"])
def test_noise_depends_on_seed_and_step_and_no_generator_moves(net):
    encoder = built(net).train()
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()

    def draw(step, seed=0):
        with torch.no_grad(), group_scope([(0, 3)]), noise(step, seed):
            return copy.deepcopy(encoder)(rows().float())

    torch.testing.assert_close(draw(1), draw(1), rtol=0, atol=0)
    assert not torch.equal(draw(1), draw(2))
    assert not torch.equal(draw(1), draw(1, seed=1))
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == random.getstate()
    assert (before[2] == np.random.get_state()[1]).all()


def test_a_dropout_layer_that_runs_again_draws_again():
    encoder = built("Normed", arguments={"width": 40}).train()
    layer = encoder.chain["network"].net.drop
    seen = []
    layer.register_forward_hook(lambda _, inputs, output: seen.append(output == 0))
    for _ in range(2):
        with torch.no_grad(), group_scope([(0, 3)]), noise():
            copy.deepcopy(encoder)  # Copies count for themselves.
            encoder(rows().float())
    assert len(seen) == 6
    first, second = seen[:3], seen[3:]
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[1], first[2])
    assert abs(torch.stack(first).float().mean() - 0.4) < 0.1


def test_whole_channels_are_dropped():
    encoder = built("Normed").train()
    with torch.no_grad(), noise():
        dropped = encoder.chain["network"].net.maps(torch.ones(9, 6, 4, 4)).flatten(2)
    assert set(dropped.unique().tolist()) == {0.0, 1.25}
    assert (dropped.amax(-1) == dropped.amin(-1)).all()


def method(net="Digits", seed=0, shape=SHAPE, recipe=None, **more):
    return method_of(recipe_of(encoder=settings(net, **more), **(recipe or {})), shape, seed)


def state(net, seed=0, **more):
    return {name: own for name, own in method(net, seed, **more).state_dict().items() if name.startswith("encoder")}


def equal(one, other):
    assert one.keys() == other.keys()
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("net", ["Normed", "Digits", "sequence"])
@pytest.mark.parametrize("weights", ["own", "drawn"])
def test_first_weights_are_a_function_of_the_seed(net, weights):
    more = {"weights": weights, **({"stages": ["fc1", "fc2"]} if net == "Normed" else {})}
    if (net, weights) == ("Digits", "drawn"):
        with pytest.raises(ConfigError, match=r"do not say how this is drawn.*offset"):
            method(net, **more)
        return
    torch.manual_seed(7)
    before = torch.get_rng_state()
    first = state(net, **more)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(8)
    assert equal(first, state(net, **more))
    assert not equal(first, state(net, seed=1, **more))


def test_own_weights_are_one_draw_of_the_network_whatever_its_stages():
    whole, parts = method(), method(stages=["conv1", "conv2", "fc"])
    ours = {name.rpartition(".net.")[2]: own for name, own in whole.encoder.named_parameters()}
    theirs = {name.rpartition(".net.")[2]: own for name, own in parts.encoder.named_parameters()}
    assert equal(ours, theirs)


def test_weights_that_the_network_sets_itself_stay():
    found = method("ended", shape=(4,)).encoder.encoder.chain["network"].net.weight
    assert (found == 0.25).all()
    assert (method("ended", shape=(4,), weights="drawn").encoder.encoder.chain["network"].net.weight != 0.25).all()


def test_branches_start_as_one_draw_and_experts_do_not():
    apart = method(recipe={"sharing": {"name": "soft"}}).encoder.branches
    assert equal(dict(apart[0].named_parameters()), dict(apart[1].named_parameters()))
    mixed = method(recipe={"sharing": {"name": "mmoe"}}).encoder.experts
    assert not equal(dict(mixed[0].named_parameters()), dict(mixed[1].named_parameters()))
    sharing = {"name": "hierarchical", "along": "domains"}
    low = method(stages=["conv1", "conv2", "fc"], recipe={"sharing": sharing}).encoder
    hard = method(stages=["conv1", "conv2", "fc"]).encoder.encoder
    assert [*low.branches[0].chain, *low.encoder.chain] == ["conv1", "conv2", "fc"]
    for own in (low.encoder.chain, low.branches[0].chain, low.branches[1].chain):
        for stage, part in own.items():
            assert equal(part.state_dict(), hard.chain[stage].state_dict())


def test_a_file_of_the_networks_own_weights_is_read_by_its_own_names(tmp_path):
    net = Normed()
    file = kept(net.state_dict(), tmp_path)
    for stages in ([], ["body.0", "fc1", "fc2"]):
        found = method("Normed", stages=stages, recipe={"pretrained": {"file": str(file)}})
        with torch.no_grad():
            wanted = net.double().eval()(rows())
        torch.testing.assert_close(features(found.encoder.encoder, rows()), wanted, rtol=1e-6, atol=1e-6)


def test_adapters_act_inside_stages():
    found = method(stages=["conv1", "conv2", "fc"], recipe={"adapters": {"rank": 2}})
    downs = [name for name, _ in found.named_parameters() if name.endswith("adapter.down.weight")]
    assert downs == [f"{START}.{stage}.net.{stage}.adapter.down.weight" for stage in ("conv1", "conv2", "fc")]
    torch.testing.assert_close(features(found.encoder.encoder, rows()), features(method().encoder.encoder, rows()))
    for adapted in found.modules():
        if hasattr(adapted, "adapter"):
            adapted.adapter.up.weight.data.fill_(1.0)
    assert not torch.allclose(features(found.encoder.encoder, rows()), features(method().encoder.encoder, rows()))


def test_digits_is_what_it_was_taken_for():
    """Guards the tests above: the network does compute between its layers, with a parameter of its own."""
    net = Digits()
    with torch.no_grad():
        one = net(rows().float())
        net.offset.add_(1.0)
    assert not torch.allclose(net(rows().float()), one)
