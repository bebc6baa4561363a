"""The small network for photographs: stages, sizes, what it refuses."""

from __future__ import annotations

import pytest
import torch

from dareps.encoders.conv2d import Conv2d
from dareps.errors import ConfigError
from dareps.maths.domains import NormFactory, group_scope

JOINT = NormFactory("joint", 1)


def test_every_block_halves_the_sides_and_the_mean_takes_them_away() -> None:
    stages = Conv2d(channels=(4, 6, 8), width=5).build((3, 33, 40), JOINT)
    assert stages.shapes == {"conv1": (4, 16, 20), "conv2": (6, 8, 10), "conv3": (8, 4, 5), "dense": (5,)}
    assert len(list(stages.parameters())) == 3 * 3 + 3


def test_features_are_those_of_the_mean_place() -> None:
    stages = Conv2d(channels=(4,), width=5, norm=False).build((1, 8, 8), JOINT).eval()
    x = torch.linspace(0, 9, 2 * 64).sin().view(2, 1, 8, 8)
    with group_scope([(0, 2)]):
        dense = torch.nn.Sequential(*list(stages.chain["dense"])[1:])
        assert torch.allclose(stages(x), dense(stages.chain["conv1"](x).mean((2, 3))), atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "what"), [((3, 40), "needs images"), ((3, 7, 90), "too small for 3 blocks"), ((5,), "needs images")]
)
def test_other_rows_and_small_images_are_refused(shape: tuple[int, ...], what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        Conv2d(channels=(2, 2, 2)).build(shape, JOINT)


def test_dropout_acts_in_training_alone() -> None:
    stages = Conv2d(channels=(4,), width=5, dropout=0.9).build((1, 8, 8), JOINT).eval()
    x = torch.ones(2, 1, 8, 8)
    with group_scope([(0, 2)]):
        assert torch.equal(stages(x), stages(x))
