from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import dareps
from dareps.errors import StoreError
from dareps.suite.store import FILE, Store

from ._make import outcome


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
