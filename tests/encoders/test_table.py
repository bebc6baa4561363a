"""The encoder of tables: what it computes, how it begins, what it refuses, and that without categories it is `mlp`."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.func import functional_call, stack_module_state

from dareps.encoders import Encoder
from dareps.encoders._stages import Stages
from dareps.encoders._table import Embedded, Embedding, usual_width
from dareps.encoders.mlp import MLP
from dareps.encoders.table import Table
from dareps.errors import ConfigError
from dareps.maths.domains import NormFactory
from dareps.recipe.initial import initialise

BLOCKS = ((2, 3), (6, 2))
"""Two numbers, three places, another number, two places, a last number: nine values."""
NORM = NormFactory("joint", 1)


def built(encoder: Encoder, seed: int = 0, length: int = 9) -> Stages:
    """The stages with a seed's weights."""
    stages = encoder.build((length,), NORM)
    with torch.random.fork_rng(devices=[]):
        initialise(stages, seed)
    return stages.double()


@given(st.integers(0, 2), st.integers(0, 1), st.lists(st.floats(-9, 9), min_size=4, max_size=4))
def test_a_category_becomes_its_vector_and_numbers_stay(first: int, second: int, numbers: list[float]) -> None:
    a, b, c, d = numbers
    layer = Embedded(9, BLOCKS, 4).double()
    one, two = torch.eye(3)[first].tolist(), torch.eye(2)[second].tolist()
    x = torch.tensor([[a, b, *one, c, *two, d]], dtype=torch.float64)
    vectors = [column.weight.T for column in layer.columns]
    expected = [a, b, *vectors[0][first].tolist(), c, *vectors[1][second].tolist(), d]
    assert layer(x).tolist() == [expected]
    assert layer.width == len(expected)


def test_nothing_in_a_block_is_the_vector_0() -> None:
    layer = Embedded(9, BLOCKS, 4)
    assert (layer(torch.zeros(1, 9)) == 0).all()


@pytest.mark.parametrize(("places", "width"), [(1, 1), (2, 1), (3, 2), (10, 5), (99, 50), (100, 50), (5000, 50)])
def test_the_usual_width(places: int, width: int) -> None:
    assert usual_width(places) == width
    assert Embedded(places, [(0, places)], None).width == width


def test_a_vector_weighs_as_much_as_a_number_at_first() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        squares = Embedding(4000, 20).weight.square().sum(dim=0)
    assert squares.mean().item() == pytest.approx(1, abs=0.02)


def test_without_categories_it_is_mlp_with_the_same_weights() -> None:
    x = torch.linspace(-2, 2, 27, dtype=torch.float64).view(3, 9)
    for own in (Table(width=5, depth=2), Table(width=5, depth=2).laid_out(())):
        plain, table = built(MLP(width=5, depth=2)), built(own)
        assert table.names == plain.names
        assert (table(x) == plain(x)).all()


def test_stages_and_the_layout_of_a_dataset() -> None:
    table = Table(width=5, embedding=4).laid_out(BLOCKS)
    stages = built(table)
    assert stages.shapes == {"input": (12,), "layer1": (5,)}
    assert table.laid_out(((0, 1),)).blocks == BLOCKS, "what is said stays"
    assert Encoder.bind(table.dump()) == table
    assert MLP().laid_out(BLOCKS) == MLP()


def test_first_weights_are_the_seeds_own() -> None:
    table = Table(width=5, blocks=BLOCKS)
    first, again, other = (built(table, seed).state_dict() for seed in (0, 0, 1))
    assert all((first[name] == again[name]).all() for name in first)
    assert all((first[name] != other[name]).any() for name in first if name.endswith("weight"))


def test_stacked_networks_are_separate_ones() -> None:
    singles = [built(Table(width=5, blocks=BLOCKS), seed) for seed in range(3)]
    parameters, buffers = stack_module_state(singles)
    x = torch.linspace(-2, 2, 36, dtype=torch.float64).view(4, 9)

    def one(weights: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        found: Tensor = functional_call(singles[0], (weights, state), (x,))
        return found

    found = torch.vmap(one)(parameters, buffers)
    torch.testing.assert_close(found, torch.stack([own(x) for own in singles]), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("blocks", [((2, 8),), ((2, 3), (4, 2)), ((6, 2), (2, 3))])
def test_blocks_that_are_not_in_the_row_are_refused(blocks: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(ConfigError, match="do not lie one behind the other in a row of 9 values"):
        Table(blocks=blocks).build((9,), NORM)
