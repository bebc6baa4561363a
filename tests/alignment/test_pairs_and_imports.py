import subprocess
import sys

import pytest
import torch

from dareps.alignment import (
    CMD,
    CORAL,
    MMD,
    Alignment,
    EnergyDistance,
    HigherOrderMoments,
    MaxSlicedWasserstein,
    MeanDifference,
    MinimumClassConfusion,
    SinkhornDivergence,
    SlicedWasserstein,
)
from dareps.plugin import plugins
from dareps.testing._gates import forbid_host_copies, forbid_host_sync
from dareps.types import Shapes, View
from tests.alignment._samples import normal

# Other tests may have added losses of their own by now.
SHIPPED = tuple(name for name, part in plugins(Alignment).items() if part.__module__.startswith("dareps."))


def test_settings_and_names_need_no_torch():
    code = (
        "import sys\n"
        "for name in ('torch', 'numpy', 'scipy', 'sklearn'): sys.modules[name] = None\n"
        "from dareps.alignment import Alignment, MMD\n"
        "from dareps.plugin import plugins\n"
        "assert MMD(weight=2).dump()['weight'] == 2\n"
        "print(*plugins(Alignment))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == list(SHIPPED), done.stderr
    assert {"adversarial", "cmd", "coral", "mcc", "mmd"} <= set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_settings_come_back_from_their_dump(name):
    alignment = Alignment.bind({"name": name, "weight": 0.3})
    assert Alignment.bind(alignment.dump()) == alignment
    assert type(alignment) is plugins(Alignment)[name]
    assert len(type(alignment).__doc__.splitlines()[0]) < 110


def seen(*rows):
    names = [("a", "source"), ("b", "source"), ("c", "target"), ("d", "target")]
    return [View(domain, role, x, 2 * x) for (domain, role), x in zip(names, rows, strict=True)]


ROWS = [normal(n, 3, n) for n in (4, 5, 6, 7)]


def test_several_domains_are_averaged_over_pairs_or_pooled():
    shapes = Shapes(3, 3, ("a", "b"), ("c", "d"))
    pairs = [MMD()(x, y) for x in ROWS[:2] for y in ROWS[2:]]
    strength = torch.ones(())
    torch.testing.assert_close(MMD().build(shapes)(seen(*ROWS), strength, None), sum(pairs) / 4)
    pooled = MMD(pairs="pooled").build(shapes)(seen(*ROWS), strength, None)
    torch.testing.assert_close(pooled, MMD()(torch.cat(ROWS[:2]), torch.cat(ROWS[2:])))


def test_target_terms_read_target_logits():
    loss = MinimumClassConfusion()
    value = loss.build(Shapes(3, 3, ("a", "b"), ("c", "d")))(seen(*ROWS), torch.ones(()), None)
    torch.testing.assert_close(value, (loss(2 * ROWS[2]) + loss(2 * ROWS[3])) / 2)


@pytest.mark.parametrize(
    "loss",
    [
        *(MMD(estimator=e, bandwidth=b) for e in ("biased", "unbiased", "linear") for b in ("mean", "median", 2.0)),
        *(MMD(kernel=k) for k in ("laplace", "rational_quadratic", "linear")),
        CORAL(),
        CMD(),
        CMD(high=2),
        MeanDifference(),
        EnergyDistance(),
        HigherOrderMoments(),
        SinkhornDivergence(),
        SlicedWasserstein(),
        MaxSlicedWasserstein(),
    ],
    ids=str,
)
@pytest.mark.parametrize("d", [3, 30])
def test_stateless_losses_can_be_captured_and_stacked_with_their_gradients(loss, d):
    x, y = normal(8, d, 1).requires_grad_(), (normal(5, d, 2) * 2 + 1).requires_grad_()
    with forbid_host_sync(), forbid_host_copies():
        loss(x, y).backward()
    stacked = [torch.stack((part.detach(), part.detach() * 0.7 + 0.1)) for part in (x, y)]
    slopes = torch.vmap(torch.func.grad(loss, argnums=(0, 1)))(*stacked)
    for i in range(2):
        apart = torch.func.grad(loss, argnums=(0, 1))(stacked[0][i], stacked[1][i])
        for together, alone in zip(slopes, apart, strict=True):
            torch.testing.assert_close(together[i], alone, rtol=1e-8, atol=1e-10)
