"""The fused kernel's arithmetic, run by Triton's interpreter, which has to be chosen before Triton is imported."""

import importlib.util
import json
import os
import subprocess
import sys

import pytest
import torch

from dareps.maths import pairs

pytestmark = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed")

PROBE = """
import json, torch
from dareps.alignment import MMD
from dareps.maths import _triton_pairs, pairs
from dareps.maths.kernels import gaussian

draw = torch.Generator().manual_seed(0)
found = []
for n, d, octaves in ((1, 1, 2), (5, 3, 2), (64, 32, 1), (70, 40, 0), (130, 33, 2)):
    rows = torch.randn(n, d, generator=draw) / d**0.5
    weights = torch.randn(n, 1, generator=draw) / n
    exact = pairs.Sweep([rows.double()], [gaussian(octaves)], True).over(weights.double(), weights.double())
    made = _triton_pairs.gaussian_sweep(rows, weights, octaves, True)
    alone = _triton_pairs.gaussian_sweep(rows, weights, octaves, False)
    assert torch.equal(alone[0], made[0]) and not alone[1].numel()
    found.append([float((a - b).abs().max() / (b.abs().max() + 1e-4)) for a, b in zip(made, exact)])

calls, sweep = [], _triton_pairs.gaussian_sweep
_triton_pairs.gaussian_sweep = lambda *arguments: (calls.append(1), sweep(*arguments))[1]
pairs._FUSIBLE = ("cpu",)
x, y = (torch.randn(40, 8, generator=draw).add(shift).requires_grad_() for shift in (0.0, 0.5))
tiled = torch.autograd.grad(MMD()(x, y), (x, y))
with pairs.fused():
    fused = torch.autograd.grad(MMD()(x, y), (x, y))
    count = len(calls)
    MMD(kernel="laplace")(x, y), MMD(estimator="unbiased")(x, y), MMD()(x.double(), y.double())
found.append([float((a - b).abs().max() / b.abs().max()) for a, b in zip(fused, tiled)])
print(json.dumps([found, count, len(calls)]))
"""


def test_value_and_gradient_are_those_of_the_tiles_and_only_what_it_can_do_goes_there():
    environment = os.environ | {"TRITON_INTERPRET": "1"}
    done = subprocess.run([sys.executable, "-c", PROBE], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found, of_gaussian, of_all = json.loads(done.stdout)
    assert max(error for errors in found for error in errors) < 2e-5
    assert (of_gaussian, of_all) == (1, 1)


def test_it_is_off_until_asked_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pairs, "_FUSIBLE", ("cpu",))
    monkeypatch.setitem(sys.modules, "dareps.maths._triton_pairs", None)
    x = torch.randn(6, 2)
    from dareps.alignment import MMD

    assert MMD()(x, x + 1).isfinite()
    with pytest.raises(ImportError), pairs.fused():
        MMD()(x, x + 1)
    assert not pairs._fused[-1]


@pytest.mark.slow
@pytest.mark.parametrize("capability", [80, 90])
def test_it_compiles_for_devices_that_are_not_here(capability):
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource, compile

    from dareps.maths._triton_pairs import _sweep

    pointers = dict.fromkeys(("rows", "norms", "weights", "values", "slope"), "*fp32")
    constants = {"octaves": 2, "wanted": True, "block": 64, "depth": 32}
    signature = pointers | {"size": "i32", "width": "i32"} | dict.fromkeys(constants, "constexpr")
    made = compile(ASTSource(_sweep, signature, constants), target=GPUTarget("cuda", capability, 32))
    assert ".local" not in made.asm["ptx"]  # nothing spilled to slow memory
