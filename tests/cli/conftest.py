from __future__ import annotations

from pathlib import Path

import pytest

from dareps import plugin
from dareps.alignment import Alignment
from tests.cli._ask import ask

plugin.plugins(Alignment)


@pytest.fixture(scope="package")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all tests here, since drawing the fonts takes a second."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def surroundings(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache and a working directory of our own, no data but the embedded, and no colours."""
    monkeypatch.setenv("DAREPS_CACHE", str(cache))
    monkeypatch.delenv("DAREPS_DATA", raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)
    # Parts of a test's own file must not be seen by tests that go through all parts.
    monkeypatch.setitem(plugin._registry, "alignment", dict(plugin._registry["alignment"]))


@pytest.fixture(scope="package")
def trained(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """The output folder of a short finished run of `dann`."""
    out = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAREPS_CACHE", str(cache))
        result = ask("train", "dann", "phases.0.steps=20", "--out", out)
    assert result.exit_code == 0, result.stderr
    return out


@pytest.fixture
def loss_file(tmp_path: Path) -> Path:
    """A user's own file with an alignment whose value is not finite once `broken` is set."""
    path = tmp_path / "my_loss.py"
    path.write_text(LOSS, encoding="utf-8")
    return path


LOSS = '''
from dareps.alignment import Alignment


class MeanGap(Alignment):
    """Squared distance of the means.

    |mean(x) - mean(y)|^2. Nobody, Journal of Nothing, 2000, eq. 1.
    """

    broken: bool = False
    """Divide by zero."""

    def __call__(self, source, target):
        """The distance."""
        gap = (source.mean(0) - target.mean(0)).square().sum()
        return gap * float("nan") if self.broken else gap
'''
