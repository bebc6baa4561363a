"""The law kit for transfer accepts what ships and catches planted faults by the law that names them."""

import pytest
import torch
from torch import nn

from dareps.encoders import Encoder
from dareps.encoders.linear import Linear
from dareps.encoders.mlp import MLP
from dareps.errors import ContractError
from dareps.testing import LawViolation, check_transfer, transfer_laws
from dareps.transfer import L2SP, BatchSpectralShrinkage, Delta

NORMED = MLP(width=5, depth=3, norm=True, dropout=0.2)


@pytest.mark.parametrize("encoder", [MLP(width=5), NORMED, Linear(width=5)], ids=["mlp", "normed", "linear"])
def test_shipped_encoders_keep_the_laws(encoder):
    check_transfer(encoder, max_examples=4)


@pytest.mark.parametrize("rule", [L2SP(), Delta(), BatchSpectralShrinkage()], ids=lambda rule: rule.name)
def test_shipped_regularisers_keep_the_laws(rule):
    check_transfer(NORMED, regularise=[rule], laws=["frozen", "carried", "anew", "resumed"], max_examples=3)


class Counting(nn.Linear):
    """Counts its calls in plain sight and mixes the count into what it makes."""

    def __init__(self, inputs, width):
        super().__init__(inputs, width)
        self.calls = 0

    def forward(self, x):
        self.calls += self.training
        return super().forward(x) * (1 + 0.01 * self.calls)


class Drifting(nn.Linear):
    """Has a buffer that moves whatever the mode."""

    def __init__(self, inputs, width):
        super().__init__(inputs, width)
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x):
        self.seen.add_(1)
        return super().forward(x)


class Fixed(nn.Module):
    """Draws its weights once and for all."""

    def __init__(self, inputs, width):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(width, inputs) / 2)

    def forward(self, x):
        return x @ self.weight.T


class Batchwise(nn.Linear):
    """Looks at the rows beside a row, in evaluation mode too."""

    def forward(self, x):
        return super().forward(x - x.mean(0))


class Pulled(nn.Linear):
    """Moves its own weights behind the optimizer's back."""

    def forward(self, x):
        if self.training:
            self.weight.data.mul_(0.99)
        return super().forward(x)


def planted(layer):
    class Faulty(Encoder, abstract=True):
        name = "faulty"

        def build(self, shape, norm):
            from dareps.encoders._stages import Stages

            return Stages(
                "faulty", shape, {"one": nn.Linear(shape[0], 6), "two": layer(6, 5), "three": nn.Linear(5, 4)}
            )

    return Faulty()


@pytest.mark.parametrize(
    ("layer", "law"),
    [(Counting, "resumed"), (Drifting, "frozen"), (Fixed, "anew"), (Batchwise, "cached"), (Pulled, "l2_sp")],
)
def test_a_planted_fault_breaks_the_law_that_names_it(layer, law):
    with pytest.raises(LawViolation) as caught:
        check_transfer(planted(layer), laws=[law], max_examples=12)
    assert caught.value.law == law
    assert caught.value.hint


def test_unknown_laws_are_told():
    with pytest.raises(ContractError, match="frozen"):
        check_transfer(MLP(width=3), laws=["frozn"])
    assert next(iter(transfer_laws())) == "frozen"
