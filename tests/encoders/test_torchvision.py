"""Residual networks: torchvision's own features, stages, normalisation, and where weights come from."""

import hashlib
from types import SimpleNamespace
from urllib.error import URLError

import pytest
import torch
from torch.func import functional_call, stack_module_state
from torchvision import models

from dareps.encoders.torchvision import Torchvision
from dareps.errors import ConfigError
from dareps.maths.domains import DomainNorm, NormFactory, group_scope
from dareps.recipe.bind import run_key
from tests.engine._make import run_of
from tests.engine._weights import kept, method_of, recipe_of

JOINT = NormFactory("joint", 2)


def reference(seed=3):
    """torchvision's resnet18 with weights and statistics of its own, without its classifier, and its state."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        net = models.resnet18()
        for name, own in net.named_buffers():
            if "running" in name:
                own.uniform_(0.5, 1.5)
        for own in net.parameters():
            if own.dim() == 1:
                own.data.uniform_(0.5, 1.5)
    state = {name: own.clone() for name, own in net.state_dict().items()}
    net.fc = torch.nn.Identity()
    return net.eval(), state


def images(*shape):
    """Fixed images."""
    return torch.linspace(-40, 40, torch.Size(shape).numel()).sin().view(shape)


def features(method, x):
    """What the encoder makes of rows of the first domain."""
    with torch.no_grad(), group_scope([(0, len(x))]):
        return method.eval().encoder.encoder(x)


@pytest.mark.parametrize("size", [32, 64, 224])
@pytest.mark.parametrize("normalise", ["joint", "domain_specific"])
def test_features_are_torchvisions_own(size, normalise, tmp_path):
    net, state = reference()
    recipe = recipe_of(encoder={"name": "torchvision", "weights": str(kept(state, tmp_path))}, normalise=normalise)
    method = method_of(recipe, (3, size, size))
    x = images(2, 3, size, size)
    with torch.no_grad():
        wanted = net(x)
    assert wanted.std() > 0.01
    torch.testing.assert_close(features(method, x), wanted, rtol=1e-5, atol=1e-5)
    dropped = {entry.name for entry in method.origin.of("dropped")}
    assert dropped == {name for name in state if name.startswith("fc.") or name.endswith("num_batches_tracked")}
    assert all(entry.name.startswith("heads.") for entry in method.origin.of("reinitialised"))


def test_grey_images_give_what_equal_channels_gave(tmp_path):
    net, state = reference()
    recipe = recipe_of(encoder={"name": "torchvision", "weights": str(kept(state, tmp_path))})
    x = images(2, 1, 32, 32)
    with torch.no_grad():
        wanted = net(x.expand(-1, 3, -1, -1))
    torch.testing.assert_close(features(method_of(recipe, (1, 32, 32)), x), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("model", ["resnet34", "resnet50"])
def test_stages_are_named_and_of_the_right_width(model):
    stages = Torchvision(model=model).build((3, 32, 32), JOINT)
    assert stages.names == ("stem", "layer1", "layer2", "layer3", "layer4", "pool")
    assert stages.features == {"resnet34": 512, "resnet50": 2048}[model]
    assert not [own for own in stages.modules() if isinstance(own, torch.nn.modules.batchnorm._BatchNorm)]
    assert any(isinstance(own, DomainNorm) for own in stages.modules())


def test_rows_that_are_no_images_are_refused():
    with pytest.raises(ConfigError, match="needs images"):
        Torchvision().build((12,), JOINT)


def test_copies_mapped_over_are_copies_by_themselves():
    copies = [Torchvision().build((1, 16, 16), JOINT).double() for _ in range(2)]
    x = images(2, 6, 1, 16, 16).double()
    parameters, buffers = stack_module_state(copies)
    skeleton = copies[0]

    def one(own, state, rows):
        return functional_call(skeleton, {**own, **state}, (rows,))

    with group_scope([(0, 6)]):
        together = torch.vmap(one)(parameters, buffers, x)
        slopes = torch.autograd.grad(together.square().sum(), list(parameters.values()))
        for number, copy in enumerate(copies):
            alone = copy(x[number])
            own = torch.autograd.grad(alone.square().sum(), list(copy.parameters()))
            torch.testing.assert_close(together[number], alone, rtol=1e-9, atol=1e-9)
            for slope, wanted in zip(slopes, own, strict=True):
                torch.testing.assert_close(slope[number], wanted, rtol=1e-6, atol=1e-8)
            for name, value in copy.named_buffers():
                torch.testing.assert_close(buffers[name][number], value, rtol=1e-9, atol=1e-9)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of torch's, and no network."""

    def download(url, path, begins=None, progress=True):
        raise URLError("no network here")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    return tmp_path / "hub" / "checkpoints"


def test_without_a_network_the_file_and_its_place_are_named(cache):
    with pytest.raises(ConfigError) as caught:
        Torchvision(weights="IMAGENET1K_V1").fetched()
    text = str(caught.value)
    assert all(word in text for word in ("resnet18-f37072fd.pth", str(cache), "TORCH_HOME", "no network here"))


def test_a_file_in_the_cache_needs_no_network_but_its_own_content(cache, tmp_path, monkeypatch):
    _, state = reference()
    path = kept(state, tmp_path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    known = SimpleNamespace(url=f"https://example.org/models/net-{digest[:8]}.pth")
    monkeypatch.setattr(models, "get_model_weights", lambda _: SimpleNamespace(__members__={"MINE": known}))
    cache.mkdir(parents=True)
    place = path.rename(cache / f"net-{digest[:8]}.pth")
    assert Torchvision(weights="MINE").fetched() == place
    place.write_bytes(b"something else")
    with pytest.raises(ConfigError, match="content that its name says"):
        Torchvision(weights="MINE").fetched()


def test_unknown_names_and_missing_files_are_refused():
    with pytest.raises(ConfigError, match="Did you mean 'IMAGENET1K_V1'"):
        Torchvision(weights="IMAGENET1K_V7").fetched()
    with pytest.raises(ConfigError, match="no such file"):
        Torchvision(weights="no/such/file.pth").fetched()


def test_the_key_covers_what_is_in_the_file(tmp_path):
    def key(path):
        return run_key(run_of("source_only", [("encoder", {"name": "torchvision", "weights": str(path)})]), "rows")

    first, second = kept({"a": torch.zeros(1)}, tmp_path, "a.pt"), kept({"a": torch.ones(1)}, tmp_path, "b.pt")
    assert key(first) != key(second)
    second.write_bytes(first.read_bytes())
    assert key(first) == key(second)
