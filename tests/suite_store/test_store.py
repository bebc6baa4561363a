from __future__ import annotations

import math
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dareps
from dareps.engine.outcome import Outcome, Selected
from dareps.errors import StoreError
from dareps.suite._rows import NEUTRAL
from dareps.suite.store import FILE, Store

from ._make import identity, outcome

figures = st.floats(allow_nan=False)
texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=12)
curves = st.dictionaries(texts, st.lists(st.tuples(st.integers(0, 10**6), figures), max_size=4), max_size=3)
points = st.lists(st.lists(figures, min_size=2, max_size=2), max_size=3)
rules = st.builds(
    Selected,
    selection=texts,
    step=st.integers(0, 2**40),
    score=figures,
    source_metric=figures,
    target_metric=figures,
    metrics=st.dictionaries(texts, figures, max_size=2),
    confusion=st.lists(st.lists(st.integers(0, 99), max_size=3), max_size=3),
)
outcomes = st.builds(
    Outcome,
    identity=st.builds(identity, key=texts, seed=st.integers(0, 2**40), task=texts, protocol=texts),
    status=st.sampled_from(["ok", "failed"]),
    target_labels=st.integers(0, 10**6),
    seconds=figures,
    error=texts,
    warnings=st.lists(texts, max_size=2).map(tuple),
    selected=st.lists(rules, max_size=3, unique_by=lambda row: row.selection).map(tuple),
    curves=curves,
    scatter=st.none() | st.fixed_dictionaries({"before": st.fixed_dictionaries({"x": points})}),
    folder=texts,
)


@settings(max_examples=40, deadline=None)
@given(outcomes)
def test_what_is_saved_reads_back_equal(tmp_path_factory: pytest.TempPathFactory, saved: Outcome) -> None:
    folder = tmp_path_factory.mktemp("store")
    Store(folder).save(saved)
    assert Store(folder).outcomes() == [saved]
    assert Store(folder).finished() == ({saved.identity.key} if saved.status == "ok" else set())


def test_nan_and_arrays_survive(tmp_path: Path) -> None:
    store = Store(tmp_path)
    cloud = {"before": {"x": np.eye(2), "domain": ["a", "b"], "label": np.arange(2)}}
    lost = outcome(values={"last": 0.5}, scores={"last": math.nan}, curves={"loss": [(1, math.nan)]}, scatter=cloud)
    store.save(lost)
    read = store.outcomes()[0]
    assert math.isnan(read.selected[0].score)
    assert math.isnan(read.curves["loss"][0][1])
    assert read.scatter == {"before": {"x": [[1.0, 0.0], [0.0, 1.0]], "domain": ["a", "b"], "label": [0, 1]}}


def test_numpy_numbers_are_stored_as_numbers(tmp_path: Path) -> None:
    row = Selected("last", np.int64(7), np.float32(0.5), np.float64(0.25), np.float64(0.75), {}, [[np.int64(1)]])  # type: ignore[arg-type,list-item]
    Store(tmp_path).save(Outcome(identity(seed=np.int64(3)), "ok", np.int64(4), np.float64(2), selected=(row,)))  # type: ignore[arg-type]
    read = Store(tmp_path).outcomes()[0]
    assert (read.identity.seed, read.target_labels, read.seconds) == (3, 4, 2.0)
    assert read.selected == (Selected("last", 7, 0.5, 0.25, 0.75, {}, [[1]]),)


def test_light_reading_leaves_out_the_heavy_parts(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save(outcome(values={"last": 0.5}, curves={"loss": [(1, 2.0)]}, scatter={"before": {}}))
    light = store.outcomes(details=False)[0]
    assert (light.curves, light.scatter, light.identity.config) == ({}, None, {})
    assert light.selected == store.outcomes()[0].selected


def test_saving_twice_keeps_the_first_and_a_failed_run_is_replaced(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save(outcome(status="failed", key="k"))
    assert store.finished() == set()
    store.save(outcome(key="k", values={"last": 0.5, "entropy": 0.6}))
    store.save(outcome(key="k", values={"last": 0.1}))
    store.save(outcome(status="failed", key="k"))
    assert store.finished() == {"k"}
    assert [(row.selection, row.target_metric) for row in store.outcomes()[0].selected] == [
        ("last", 0.5),
        ("entropy", 0.6),
    ]


def test_a_failed_save_leaves_nothing_of_the_run(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save(outcome(key="first", values={"last": 0.5}))
    twice = outcome(key="second", seed=1, values={"last": 0.5})
    doubled = Outcome(twice.identity, "ok", selected=(twice.selected[0], twice.selected[0]))
    with pytest.raises(StoreError):
        store.save(doubled)
    assert store.finished() == {"first"}


def test_expected_keys_make_older_rows_stale_but_not_later_ones(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for key, seed in (("old", 0), ("kept", 1)):
        store.save(outcome(key=key, seed=seed, values={"last": 0.5}))
    store.mark_expected(["kept", "planned"])
    assert store.missing() == {"planned"}
    store.save(outcome(key="later", recipe="cmd", values={"last": 0.5}))
    store.save(outcome(key="planned", seed=2, values={"last": 0.5}))
    assert store.missing() == set()
    assert {own.identity.key for own in store.outcomes()} == {"kept", "later", "planned"}
    assert [own.identity.key for own in store.outcomes(stale=True)] == ["old"]
    store.mark_expected(["old", "kept"])
    assert {own.identity.key for own in store.outcomes()} == {"old", "kept"}
    assert store.finished() == {"old", "kept", "later", "planned"}


def test_another_configuration_of_a_recipe_makes_the_earlier_one_stale(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for seed in (0, 1):
        store.save(outcome(key=f"old{seed}", seed=seed, values={"last": 0.5}, config={"weight": 1}))
    store.save(outcome(key="other", recipe="cmd", values={"last": 0.5}, config={"weight": 1}))
    assert len(store.outcomes()) == 3
    store.save(outcome(key="new", seed=0, values={"last": 0.5}, config={"weight": 2}))
    assert {own.identity.key for own in store.outcomes()} == {"new", "other"}
    assert {own.identity.key for own in store.outcomes(stale=True)} == {"old0", "old1"}


def test_the_suites_own_configuration_wins_over_a_later_one(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save(outcome(key="suite", values={"last": 0.5}, config={"weight": 1}))
    store.mark_expected(["suite"])
    store.save(outcome(key="trial", values={"last": 0.9}, config={"weight": 2}))
    assert [own.identity.key for own in store.outcomes()] == ["suite"]


@pytest.mark.parametrize("part", [{"engine": {"capture": "on"}}, {"method": {"plugins": ["x.py"]}}])
def test_settings_that_leave_results_alone_make_nothing_stale(tmp_path: Path, part: dict[str, object]) -> None:
    store = Store(tmp_path)
    store.save(outcome(key="one", seed=0, values={"last": 0.5}, config={name: {} for name in part}))
    store.save(outcome(key="two", seed=1, values={"last": 0.5}, config=part))
    assert len(store.outcomes()) == 2


def test_the_neutral_settings_are_those_of_the_engine() -> None:
    from dareps.recipe.settings import ENGINE_NEUTRAL

    assert NEUTRAL["engine"] == ENGINE_NEUTRAL


def test_a_newer_format_is_refused_untouched_with_its_writers_version(tmp_path: Path) -> None:
    Store(tmp_path)
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("PRAGMA user_version = 999")
        connection.execute("UPDATE meta SET value = '7.8.9' WHERE name = 'written_by'")
    connection.close()
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(StoreError, match=rf"dareps 7\.8\.9 \(format 999\).*{dareps.__version__}.*Upgrade dareps"):
        Store(tmp_path)
    assert (tmp_path / FILE).read_bytes() == before


def test_a_newer_format_without_a_known_table_is_refused_too(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("PRAGMA user_version = 2000")
    connection.close()
    with pytest.raises(StoreError, match="unknown version"):
        Store(tmp_path)


def test_a_file_that_is_no_database_is_refused_untouched(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("run,recipe\n" * 500)
    with pytest.raises(StoreError, match="not a results file"):
        Store(tmp_path)
    assert (tmp_path / FILE).read_text() == "run,recipe\n" * 500


def test_a_database_of_others_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("CREATE TABLE cats (name TEXT)")
    connection.close()
    with pytest.raises(StoreError, match="not written by dareps"):
        Store(tmp_path)


@pytest.mark.parametrize("page", range(8))
def test_a_damaged_page_is_one_clear_error(tmp_path: Path, page: int) -> None:
    store = Store(tmp_path)
    for seed in range(20):
        store.save(outcome(seed=seed, values={"last": 0.5}, folder="x" * 500))
    content = bytearray((tmp_path / FILE).read_bytes())
    start = max(4096 * page, 100)
    content[start : start + 40] = b"\xff" * 40
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(StoreError, match="damaged"):
        Store(tmp_path).outcomes()


def test_damaged_text_in_a_row_is_one_clear_error(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save(outcome(values={"last": 0.5}))
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("UPDATE runs SET curves = '{'")
    connection.close()
    with pytest.raises(StoreError, match="damaged"):
        store.outcomes()


def test_a_truncated_file_is_one_clear_error(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for seed in range(20):
        store.save(outcome(seed=seed, values={"last": 0.5}, folder="x" * 500))
    content = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(content[: len(content) // 2])
    with pytest.raises(StoreError, match="damaged"):
        Store(tmp_path)


def test_an_empty_file_counts_as_new(tmp_path: Path) -> None:
    (tmp_path / FILE).touch()
    assert Store(tmp_path).outcomes() == []


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="folder cannot be used"):
        Store(tmp_path / "file" / "runs")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_without_write_access_is_one_clear_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="may write to"):
        Store(tmp_path)


def test_a_folder_in_place_of_the_file_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    with pytest.raises(StoreError, match="cannot be opened"):
        Store(tmp_path)


def test_reading_where_nothing_is_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no results here"):
        Store(tmp_path / "none", create=False)
    assert not (tmp_path / "none").exists()


def test_many_stores_may_be_made_and_written_at_once(tmp_path: Path) -> None:
    gate = threading.Barrier(8)

    def work(seed: int) -> None:
        gate.wait()
        Store(tmp_path).save(outcome(seed=seed, values={"last": 0.5}))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert len(Store(tmp_path).finished()) == 8


def test_one_process_at_a_time_writes_to_a_folder(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from dareps.suite.store import Store\n"
        "with Store(Path(sys.argv[1])).exclusive():\n    print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StoreError, match=rf"pid {holder.pid}\b.*--out"), Store(tmp_path).exclusive():
            pytest.fail("two processes hold the folder")
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    with Store(tmp_path).exclusive():
        assert str(os.getpid()) in (tmp_path / ".lock").read_text()
    with Store(tmp_path).exclusive():
        pass


def test_a_full_disk_loses_nothing_that_was_saved(tmp_path: Path) -> None:
    limit = 200_000
    code = (
        "import sys; from pathlib import Path; from tests.suite_store._make import outcome\n"
        "from dareps.errors import StoreError; from dareps.suite.store import Store\n"
        "store = Store(Path(sys.argv[1]))\n"
        "for seed in range(1000):\n"
        "    try:\n        store.save(outcome(seed=seed, values={'last': .5}, folder='x' * 4000))\n"
        "    except StoreError as error:\n        print(error, file=sys.stderr); sys.exit(2)\n"
        "    print(f'toy-inductive-digit-dann-a:b-{seed}', flush=True)"
    )
    child = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert child.returncode == 2, child.stderr
    assert "Free some space" in child.stderr
    assert Store(tmp_path).finished() == set(child.stdout.split())
    assert len(Store(tmp_path).finished()) > 5
