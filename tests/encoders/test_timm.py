"""Networks of timm, which tests replace: what is a chain becomes stages, what is none is refused."""

import sys
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from dareps.encoders._chains import chain_of
from dareps.encoders.timm import Timm
from dareps.errors import ConfigError
from dareps.maths.domains import DomainNorm, NormFactory, group_scope
from dareps.maths.noise import Dropout

JOINT = NormFactory("joint", 1)


class Chain(nn.Module):
    """conv - batch normalisation - dropout - pooling, as timm builds them."""

    def __init__(self, **parts):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.bn = nn.BatchNorm2d(4, eps=1e-3)
        self.drop = nn.Dropout(0.3)
        self.pool = nn.AdaptiveAvgPool2d(1)
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        for part in self.children():
            x = part(x)
        return x.flatten(1)


class Scaled(nn.Module):
    """A parameter that nobody can draw again."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.linspace(0, 1, 4).view(4, 1, 1))

    def forward(self, x):
        return x * self.scale


class Gated(Chain):
    """The input joins in by a factor that is 0 at first."""

    def __init__(self):
        super().__init__()
        self.register_parameter("gate", nn.Parameter(torch.zeros(())))

    def forward(self, x):
        return super().forward(x) + self.gate * x.mean()


class Jump(Chain):
    """No chain: the input joins in at the end."""

    def forward(self, x):
        return super().forward(x) + x.mean()


def timm_of(network):
    """A package that knows one network."""
    return SimpleNamespace(create_model=lambda model, pretrained, num_classes, in_chans: network())


def test_a_chain_becomes_stages_with_layers_of_dareps(monkeypatch):
    net = Chain()
    net.bn.running_mean.uniform_(0.5, 1.5)
    monkeypatch.setitem(sys.modules, "timm", timm_of(lambda: net))
    x = torch.linspace(-9, 9, 2 * 3 * 8 * 8).sin().view(2, 3, 8, 8)
    stages = Timm(model="chain").build((3, 8, 8), JOINT)
    assert stages.names == ("conv", "bn", "drop", "pool", "flatten")
    norm = stages.chain["bn"]
    assert isinstance(norm, DomainNorm)
    assert norm.eps == 1e-3
    assert isinstance(stages.chain["drop"], Dropout)
    norm.running_mean_0.copy_(net.bn.running_mean)
    with torch.no_grad(), group_scope([(0, 2)]):
        torch.testing.assert_close(stages.eval()(x), net.eval()(x))


@pytest.mark.parametrize("kind", [Jump, Gated])
def test_what_is_no_chain_is_refused(kind):
    with pytest.raises(ConfigError, match="no chain of its parts"):
        chain_of(kind(), (3, 8, 8), JOINT, "encoder.model jump")


def test_what_no_seed_can_draw_is_refused():
    with pytest.raises(ConfigError, match=r"how this is drawn.*drop\.scale"):
        chain_of(Chain(drop=Scaled()), (3, 8, 8), JOINT, "encoder.model scaled")


def test_layers_without_a_counterpart_are_refused():
    with pytest.raises(ConfigError, match=r"no counterpart here.*Dropout2d"):
        chain_of(Chain(drop=nn.Dropout2d(0.1)), (3, 8, 8), JOINT, "encoder.model odd")


def test_without_timm_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ConfigError, match=r"timm is not installed.*dareps\[timm\]"):
        Timm().build((3, 8, 8), JOINT)
    with pytest.raises(ConfigError, match="timm is not installed"):
        Timm(weights="a1_in1k").fetched()


class Sized(Chain):
    """Takes images of one size, and says so as timm's transformers do."""

    def forward(self, x):
        assert x.shape[-1] == 224, f"Input height ({x.shape[-2]}) doesn't match model (224)."
        return super().forward(x)


def test_a_network_for_other_images_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", timm_of(Sized))
    with pytest.raises(ConfigError, match=r"does not take rows of shape \(3, 8, 8\) \(Input height \(8\)"):
        Timm(model="sized").build((3, 8, 8), JOINT)


@pytest.mark.parametrize("model", ["resnet18", "convnext_atto"])
def test_real_networks_of_timm(model):
    timm = pytest.importorskip("timm", reason="timm is not installed: pip install 'dareps[timm]'")
    stages = Timm(model=model).build((3, 32, 32), JOINT).eval()
    net = timm.create_model(model, pretrained=False, num_classes=0).eval()
    assert stages.shapes[stages.names[-1]] == (net.num_features,)
    own = {name.removeprefix("chain."): value for name, value in stages.state_dict().items()}
    theirs = net.state_dict()
    shared = own.keys() & theirs.keys()
    assert len(shared) > len(dict(net.named_parameters())) // 2
    for name in shared:
        own[name].copy_(theirs[name])
    x = torch.linspace(-9, 9, 2 * 3 * 32 * 32).sin().view(2, 3, 32, 32)
    with torch.no_grad(), group_scope([(0, 2)]):
        torch.testing.assert_close(stages(x), net(x), rtol=1e-5, atol=1e-5)
