"""A first convolution for another number of input channels."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dareps.transfer._loading import other_channels

COUNTS = st.integers(1, 7)


@st.composite
def weights(draw):
    """Weights (2, c, 3, 2) in float64, and another number of channels."""
    channels, count = draw(COUNTS), draw(COUNTS)
    values = st.floats(-5, 5, allow_subnormal=False)
    return torch.from_numpy(draw(arrays("float64", (2, channels, 3, 2), elements=values))), count


@given(weights())
def test_an_image_of_equal_channels_gives_the_response_that_it_gave(drawn):
    weight, count = drawn
    made = other_channels(weight, count)
    assert made.shape == (2, count, 3, 2)
    torch.testing.assert_close(made.sum(1), weight.sum(1), rtol=1e-12, atol=1e-12)


def test_closed_forms():
    weight = torch.tensor([[1.0, 2.0, 6.0]]).view(1, 3, 1, 1)
    assert other_channels(weight, 1).flatten().tolist() == [9.0]
    assert other_channels(weight, 2).flatten().tolist() == [4.5, 4.5]
    assert other_channels(weight, 5).flatten().tolist() == [0.5, 1.0, 6.0, 0.5, 1.0]
    assert other_channels(weight[:, :1], 4).flatten().tolist() == [0.25] * 4
