from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dareps.data._digits8 import domain_arrays, faces, render
from dareps.data._split import keyed_order
from dareps.data.digits8 import Digits8
from dareps.data.split import make_split
from dareps.errors import DataError


def flat(domain: str) -> tuple[np.ndarray, np.ndarray]:
    x, y = domain_arrays(domain)
    return x.reshape(len(x), -1), y


def accuracy(source: str, target: str) -> float:
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier((64,), max_iter=25, random_state=0)
    (x, y), (other, labels) = flat(source), flat(target)
    return float(model.fit(x, y).score(other, labels))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("source", "target"), [("fonts", "scans"), ("scans", "fonts")])
def test_the_two_domains_differ_but_are_related(source: str, target: str) -> None:
    low = 0.5 if source == "fonts" else 0.3
    assert low < accuracy(source, target) < 0.9


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("domain", ["fonts", "scans"])
def test_each_domain_can_be_learnt(domain: str) -> None:
    from sklearn.neural_network import MLPClassifier

    # The last scans are by other writers than the first, and splits do not cut by writer.
    x, y = (rows[keyed_order(len(rows), "learnt")] for rows in flat(domain))
    model = MLPClassifier((64,), max_iter=60, random_state=0).fit(x[:1400], y[:1400])
    assert model.score(x[1400:], y[1400:]) > 0.9


def test_no_two_rendered_digits_are_alike() -> None:
    x, y = flat("fonts")
    assert len(np.unique(x, axis=0)) == len(x) == 1800
    assert np.bincount(y).tolist() == [180] * 10


@pytest.mark.parametrize("domain", ["fonts", "scans"])
def test_pixels_are_sixteenths(domain: str) -> None:
    x, _ = domain_arrays(domain)
    assert x.shape[1:] == (1, 8, 8)
    assert x.dtype == np.float32
    assert np.isin(x * 16, np.arange(17)).all()


def test_rendering_is_a_function_of_its_key() -> None:
    first, second = render(), render()
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert np.array_equal(first[0], domain_arrays("fonts")[0])


def test_only_faces_with_digits_are_drawn() -> None:
    names = [face.family_name for face in faces()]
    assert len(names) >= 20
    assert not [name for name in names if name.startswith(("cmex", "cmsy", "Last", "STIXNon", "STIXSize"))]


def test_an_unwritable_cache_is_tolerated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("DAREPS_CACHE", str(blocked / "cache"))
    known = domain_arrays("fonts")[0]
    domain_arrays.cache_clear()
    assert np.array_equal(domain_arrays("fonts")[0], known)


def test_a_broken_cache_is_rebuilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAREPS_CACHE", str(tmp_path))
    domain_arrays.cache_clear()
    known = domain_arrays("fonts")[0]
    (stored,) = (tmp_path / "built").iterdir()
    stored.write_bytes(stored.read_bytes()[:1000])
    domain_arrays.cache_clear()
    assert np.array_equal(domain_arrays("fonts")[0], known)
    assert stored.stat().st_size > 1000


def test_a_split_of_it() -> None:
    data = make_split(Digits8(), ("fonts",), ("scans",), 0)
    sizes = [len(part[0].x) for part in (data.source_train, data.source_validation, data.target_train)]
    assert sizes == [1440, 360, 862]
    assert len(data.target_validation[0].x) + len(data.target_test[0].x) == 1797 - 862
    assert data.checksum == Digits8().checksum(("fonts", "scans")) != Digits8().checksum(("scans", "fonts"))
    with pytest.raises(DataError, match="n, 1, 8, 8"):
        data.fitted.apply(np.zeros((3, 64), dtype=np.float32), "scans")
