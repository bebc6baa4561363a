"""What holds for every test: one thread, no account, no screen, no time limit per drawn example."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# Before torch and Matplotlib are imported by anything: they read these once.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")
os.environ["MPLBACKEND"] = "Agg"
# Tests of tracking set their own; no other test may write runs to somebody's account or folder.
os.environ["WANDB_MODE"] = "disabled"

# The first example imports torch, and the machine may be busy: time limits belong to the test as a whole.
settings.register_profile("dareps", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("dareps-ci", settings.get_profile("dareps"), derandomize=True, database=None)
settings.load_profile("dareps-ci" if os.environ.get("CI") else "dareps")


@pytest.fixture(autouse=True)
def _own_datasets_end_with_their_test() -> Iterator[None]:
    """Descriptions of files register datasets, which other tests must not meet: their files are gone by then."""
    yield
    from dareps.plugin import _registry

    known = _registry.get("data", {})
    for name in [name for name, kind in known.items() if hasattr(kind, "description") or hasattr(kind, "arrays")]:
        del known[name]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests marked `gpu` are skipped, with the reason, where there is no CUDA device."""
    if item.get_closest_marker("gpu") is not None:
        import torch

        if not torch.cuda.is_available():
            pytest.skip("there is no CUDA device")
