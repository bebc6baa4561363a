"""Vision transformers: torchvision's own features, stages, where weights come from, stacked copies; the bottleneck."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor
from torch.func import functional_call, stack_module_state
from torchvision.models.vision_transformer import VisionTransformer

from dareps.encoders import _transformer
from dareps.encoders._stages import Stages
from dareps.encoders.torchvision import Torchvision
from dareps.errors import ConfigError
from dareps.maths.domains import NormFactory, group_scope
from tests.engine._weights import kept, method_of, recipe_of

JOINT = NormFactory("joint", 2)
SHAPE = (3, 32, 32)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks of the names that torchvision has, with two narrow blocks."""
    monkeypatch.setattr(_transformer, "DEPTH", {"vit_b_16": 2})
    monkeypatch.setattr(_transformer, "models", SimpleNamespace(get_model=lambda name, image_size: network(image_size)))


def network(size: int = 32, seed: int = 0) -> VisionTransformer:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        net = VisionTransformer(size, 16, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=12)
        for own in net.parameters():
            own.data.uniform_(-0.5, 0.5)
    return net.eval()


def images(n: int, size: int = 32) -> Tensor:
    return torch.linspace(-40, 40, n * 3 * size * size).sin().view(n, 3, size, size)


def wanted(net: VisionTransformer, x: Tensor) -> Tensor:
    net.heads = torch.nn.Identity()
    with torch.no_grad():
        found: Tensor = net(x)
    return found


def test_features_are_torchvisions_own_with_weights_of_either_name(tmp_path: Path) -> None:
    net = network(seed=3)
    state = dict(net.state_dict())
    older = {name.replace("mlp.0", "mlp.linear_1").replace("mlp.3", "mlp.linear_2"): own for name, own in state.items()}
    x = images(3)
    for number, tensors in enumerate((state, older)):
        (tmp_path / str(number)).mkdir()
        file = kept(tensors, tmp_path / str(number))
        method = method_of(recipe_of(encoder={"name": "torchvision", "model": "vit_b_16", "weights": str(file)}), SHAPE)
        with torch.no_grad(), group_scope([(0, 3)]):
            found = method.eval().encoder.encoder(x)
        torch.testing.assert_close(found, wanted(net, x), rtol=1e-5, atol=1e-5)
        assert {entry.name for entry in method.origin.of("dropped")} == {"heads.head.weight", "heads.head.bias"}
        assert all(entry.name.startswith("heads.") for entry in method.origin.of("reinitialised"))


def test_stages_are_patches_blocks_and_the_token() -> None:
    stages = Torchvision(model="vit_b_16").build(SHAPE, JOINT)
    assert stages.shapes == {"patches": (5, 8), "block1": (5, 8), "block2": (5, 8), "token": (8,)}


@pytest.mark.parametrize("shape", [(3, 32, 48), (3, 40, 40), (1, 32, 32)])
def test_images_that_are_no_whole_patches_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="squares of whole patches of 16 pixels in three channels"):
        Torchvision(model="vit_b_16").build(shape, JOINT)


def test_seeds_draw_all_weights() -> None:
    recipe = recipe_of(encoder={"name": "torchvision", "model": "vit_b_16"})
    methods = [method_of(recipe, SHAPE) for _ in range(2)]
    for (name, first), second in zip(methods[0].named_parameters(), methods[1].parameters(), strict=True):
        assert torch.equal(first, second), name


def test_copies_mapped_over_are_copies_by_themselves() -> None:
    copies = [Torchvision(model="vit_b_16", width=6).build(SHAPE, JOINT).double() for _ in range(2)]
    x = images(6).view(2, 3, *SHAPE).double()
    parameters, buffers = stack_module_state(copies)

    def one(own: dict[str, Tensor], state: dict[str, Tensor], rows: Tensor) -> Tensor:
        found: Tensor = functional_call(copies[0], {**own, **state}, (rows,))
        return found

    with group_scope([(0, 3)]):
        together = torch.vmap(one)(parameters, buffers, x)
        slopes = torch.autograd.grad(together.square().sum(), list(parameters.values()))
        for number, copy in enumerate(copies):
            alone = copy(x[number])
            torch.testing.assert_close(together[number], alone, rtol=1e-9, atol=1e-9)
            own = torch.autograd.grad(alone.square().sum(), list(copy.parameters()))
            for slope, value in zip(slopes, own, strict=True):
                torch.testing.assert_close(slope[number], value, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("model", ["resnet18", "vit_b_16"])
def test_a_bottleneck_is_one_more_stage(model: str) -> None:
    plain = Torchvision(model=model).build(SHAPE, JOINT)
    narrow = Torchvision(model=model, width=7, activation="tanh").build(SHAPE, JOINT)
    assert narrow.names == (*plain.names, "bottleneck")
    assert isinstance(narrow, Stages)
    assert narrow.features == 7
    assert isinstance(list(narrow.chain["bottleneck"])[-1], torch.nn.Tanh)


def test_an_activation_needs_a_bottleneck() -> None:
    with pytest.raises(ValueError, match="only a bottleneck has one"):
        Torchvision(activation="tanh")
