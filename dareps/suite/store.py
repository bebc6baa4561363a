"""The results store of an output folder: one SQLite file, one transaction per finished run."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from dareps import __version__
from dareps.engine.outcome import Outcome, Selected, UnitScore
from dareps.errors import StoreError
from dareps.suite._locks import folder_held, run_held
from dareps.suite._rows import (
    FORMAT,
    FURTHER,
    FURTHER_COLUMNS,
    ORIGIN,
    RUN_COLUMNS,
    SCHEMA,
    SELECTED_COLUMNS,
    UNIT_COLUMNS,
    UNITS,
    further_values,
    origins_of,
    read_outcome,
    read_selected,
    read_unit,
    run_values,
    selected_values,
    unit_values,
)

FILE: Final = "results.sqlite"
_BUSY_SECONDS: Final = 30.0
_HEAVY: Final = {"config": "'{}' AS config", "curves": "'{}' AS curves", "scatter": "NULL AS scatter"}
_FAULTS: Final = (
    ("not a database", "this is not a results file", "Move it away, or choose another folder with --out."),
    ("malformed", "the results file is damaged", "Restore a copy, or move it away and run again."),
    ("locked", "another process keeps the results file busy", "Wait for it, or choose another folder with --out."),
    ("full", "no space is left for results", "Free some space and run the same command again."),
    ("disk i/o", "the results file cannot be written or read", "Free some space, check the disk, run again."),
    ("readonly", "the results file cannot be written", "Choose a folder that you may write to."),
    ("unable to open", "the results file cannot be opened", "Choose a folder that you may write to."),
)


class Store:
    """Finished runs of one output folder, kept in `results.sqlite`.

    Every method opens its own connection, so a store may be used from any thread or process and survives a fork.

    Args:
        folder: The output folder.
        create: Make the folder and file when missing; otherwise a missing file is an error.

    Raises:
        StoreError: The folder is not writable, the file is damaged, not a results file, or of a newer version.
    """

    def __init__(self, folder: Path, *, create: bool = True) -> None:
        self.folder, self.path = Path(folder), Path(folder) / FILE
        if not create and not self.path.is_file():
            fix = "Run dareps bench or dareps train first, or name the folder that they wrote."
            raise StoreError(str(self.path), "there are no results here", fix=fix)
        with _reported(self.path):
            self.folder.mkdir(parents=True, exist_ok=True)
        with self._connection() as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            self._refuse_newer(connection, version)
            connection.execute("PRAGMA journal_mode = WAL")
            if version == 0:
                self._create(connection)
            self._refuse_damaged(connection)

    def save(self, outcome: Outcome) -> None:
        """Keep a finished run, in one transaction.

        Saving again changes nothing once the run is there as `ok`; a failed one is replaced.

        Raises:
            StoreError: It cannot be written; what was saved before is untouched.
        """
        with self._writing() as connection:
            key = outcome.identity.key
            known = connection.execute("SELECT status FROM runs WHERE key = ?", (key,)).fetchone()
            if known is not None and known["status"] == "ok":
                return
            saved = connection.execute("SELECT COALESCE(MAX(saved), 0) + 1 FROM runs").fetchone()[0]
            connection.execute("DELETE FROM runs WHERE key = ?", (key,))
            connection.execute(_insert("runs", RUN_COLUMNS), run_values(outcome, saved))
            connection.executemany(_insert("selected", SELECTED_COLUMNS), selected_values(outcome))
            if outcome.pretrained is not None:
                note = (f"{ORIGIN}{key}", json.dumps(outcome.pretrained))
                connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", note)
            if outcome.others:
                connection.execute(FURTHER)
                connection.executemany(_insert("further", FURTHER_COLUMNS), further_values(outcome))
            if outcome.units:
                connection.execute(UNITS)
                connection.executemany(_insert("units", UNIT_COLUMNS), unit_values(outcome))

    def finished(self) -> set[str]:
        """Keys of the runs that ended well."""
        with self._connection() as connection:
            return {row["key"] for row in connection.execute("SELECT key FROM runs WHERE status = 'ok'")}

    def mark_expected(self, keys: Iterable[str]) -> None:
        """Say which keys belong to the suite as it stands now: all others saved until now are stale from here on.

        Give the keys of the whole suite, also when only a part of it is about to run.
        """
        with self._writing() as connection:
            connection.execute("DELETE FROM expected")
            connection.executemany("INSERT OR IGNORE INTO expected VALUES (?)", [(key,) for key in keys])
            connection.execute("INSERT OR REPLACE INTO meta SELECT 'expected_until', COALESCE(MAX(saved), 0) FROM runs")

    def note(self, name: str, value: str) -> None:
        """Keep a text under a name, in place of an earlier one."""
        with self._writing() as connection:
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def noted(self, name: str) -> str | None:
        """The text that was kept under a name."""
        with self._connection() as connection:
            row = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
            return None if row is None else str(row["value"])

    def missing(self) -> set[str]:
        """Expected keys of which no run was saved yet."""
        with self._connection() as connection:
            rows = connection.execute("SELECT key FROM expected WHERE key NOT IN (SELECT key FROM runs)")
            return {row["key"] for row in rows}

    def outcomes(self, *, stale: bool = False, details: bool = True) -> list[Outcome]:
        """Saved runs, ordered by dataset, split, recipe and seed.

        A run is stale when the suite no longer expects its key, or when its recipe was run on its split in another
        configuration since. Current and stale runs never come together.

        Args:
            stale: The stale runs instead of the current ones.
            details: Read configuration, curves and scatter as well; without, they are empty and reading is fast.
        """
        columns = ", ".join(name if details else _HEAVY.get(name, name) for name in RUN_COLUMNS)
        order = "dataset, protocol, task, source, target, recipe, seed, saved"
        with self._connection() as connection:
            # One transaction, so that a run saved meanwhile is seen by all queries or by none.
            connection.execute("BEGIN")
            current = _current(connection)
            selected, further, units = _selected(connection), _further(connection), _units(connection)
            origins = origins_of(connection) if details else {}
            rows = connection.execute(f"SELECT {columns} FROM runs ORDER BY {order}")
            return [
                read_outcome(
                    row, origins.get(key), tuple(selected.get(key, ())), further.get(key, {}), units.get(key, ())
                )
                for row in rows
                for key in [row["key"]]
                if (key in current) is not stale
            ]

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the folder for one suite alone; the lock goes with the process, however it ends.

        Raises:
            StoreError: Another process writes here.
        """
        with folder_held(self.folder, alone=True):
            yield

    @contextmanager
    def claimed(self, key: str) -> Iterator[None]:
        """Hold one run; other runs may be trained into the folder at the same time, but no suite.

        Raises:
            StoreError: Another process is training this run, or a suite has the folder.
        """
        with folder_held(self.folder, alone=False), run_held(self.folder, key):
            yield

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with (
            _reported(self.path),
            closing(sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)) as connection,
        ):
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA foreign_keys = ON")
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A write transaction: committed as a whole, or rolled back when the connection closes."""
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    def _create(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        # Another process may have made the tables between our look and our lock.
        if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
            if connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]:
                fix = "Move it away, or choose another folder with --out."
                raise StoreError(str(self.path), "this database was not written by dareps", fix=fix)
            for statement in SCHEMA:
                connection.execute(statement)
            connection.execute("INSERT INTO meta VALUES ('written_by', ?)", (__version__,))
            connection.execute(f"PRAGMA user_version = {FORMAT}")
        connection.execute("COMMIT")

    def _refuse_newer(self, connection: sqlite3.Connection, version: int) -> None:
        if version <= FORMAT:
            return
        try:
            row = connection.execute("SELECT value FROM meta WHERE name = 'written_by'").fetchone()
        except sqlite3.OperationalError:
            row = None
        writer = row["value"] if row else "of an unknown version"
        what = f"these results were written by dareps {writer} (format {version}); this is {__version__} ({FORMAT})"
        raise StoreError(str(self.path), what, fix="Upgrade dareps, or choose another folder with --out.")

    def _refuse_damaged(self, connection: sqlite3.Connection) -> None:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise sqlite3.DatabaseError(f"malformed: {found}")


def _current(connection: sqlite3.Connection) -> set[str]:
    """Keys of the runs that are not stale."""
    until = connection.execute("SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'expected_until'").fetchone()
    rows = connection.execute(
        "SELECT key, saved, setting, key IN expected AS wanted,"
        " json_array(dataset, protocol, task, source, target, recipe) AS place FROM runs"
    ).fetchall()
    rows = [row for row in rows if until is None or row["wanted"] or row["saved"] > until[0]]
    # Per recipe and split one configuration counts: the suite's own, else the one run last.
    ranked = sorted(rows, key=lambda row: (row["wanted"], row["saved"]))
    counts = {row["place"]: row["setting"] for row in ranked}
    return {row["key"] for row in rows if row["setting"] == counts[row["place"]]}


def _selected(connection: sqlite3.Connection) -> dict[str, list[Selected]]:
    found: dict[str, list[Selected]] = {}
    for row in connection.execute("SELECT * FROM selected ORDER BY key, place"):
        found.setdefault(row["key"], []).append(read_selected(row))
    return found


def _further(connection: sqlite3.Connection) -> dict[str, dict[str, list[Selected]]]:
    """Key -> task -> figures of further tasks, in the runs' own order."""
    found: dict[str, dict[str, list[Selected]]] = {}
    if _there(connection, "further"):
        for row in connection.execute("SELECT * FROM further ORDER BY key, number, place"):
            found.setdefault(row["key"], {}).setdefault(row["task"], []).append(read_selected(row))
    return found


def _units(connection: sqlite3.Connection) -> dict[str, list[UnitScore]]:
    """Key -> figures of each task on each domain, in the runs' own order."""
    found: dict[str, list[UnitScore]] = {}
    if _there(connection, "units"):
        for row in connection.execute("SELECT * FROM units ORDER BY key, place"):
            found.setdefault(row["key"], []).append(read_unit(row))
    return found


def _there(connection: sqlite3.Connection, table: str) -> bool:
    """Whether a table is there that older results lack."""
    return bool(connection.execute("SELECT COUNT(*) FROM sqlite_master WHERE name = ?", (table,)).fetchone()[0])


def _insert(table: str, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    """Turn faults of the file system, of SQLite and of stored text into `StoreError`."""
    try:
        yield
    except OSError as error:
        what = f"this folder cannot be used ({error.strerror or error})"
        raise StoreError(str(path), what, fix="Choose a folder that you may write to.") from error
    except sqlite3.Error as error:
        raise _store_error(path, str(error)) from error
    except (json.JSONDecodeError, zlib.error) as error:
        raise _store_error(path, f"malformed: {error}") from error


def _store_error(path: Path, message: str) -> StoreError:
    for sign, what, fix in _FAULTS:
        if sign in message.lower():
            return StoreError(str(path), f"{what} ({message})", fix=fix)
    return StoreError(str(path), f"the results file cannot be used ({message})", fix="Move it away and run again.")
