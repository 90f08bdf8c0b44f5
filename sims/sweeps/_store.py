"""Where a sweep's parts wait until all are there: one SQLite file, written by one process.

``FILE.nc.cells`` holds a row for each part: the digest of its address (experiment, parameters, seeds), of its origin
(source files, versions), status, bytes or traceback, and a checksum over all of them. A row is written in a
transaction with a write-ahead log, so a process may die at any moment. ``FILE.nc.log`` has a line of JSON for every
event; its lock, which dies with the process, keeps a second writer away.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from sims.sweeps._parts import Outcome

__all__ = ["InUse", "Log", "Row", "Store", "StoreError", "difference", "identity_of", "lock"]

TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS texts (id BLOB PRIMARY KEY, text TEXT);
CREATE TABLE IF NOT EXISTS parts (address BLOB PRIMARY KEY, origin BLOB, status TEXT, layout BLOB, payload BLOB,
  error TEXT, seconds REAL, worker TEXT, checksum BLOB);
CREATE TABLE IF NOT EXISTS started (address BLOB PRIMARY KEY);
"""


class StoreError(OSError):
    """The disk is full, the file cannot be written, or another process writes it."""


class InUse(StoreError):
    """Another process writes it."""


class Row(NamedTuple):
    """A part as stored; `payload` is whole, or the row would not have been returned."""

    address: bytes
    origin: bytes
    status: str
    layout: bytes
    payload: bytes
    error: str
    seconds: float
    worker: str


def identity_of(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=8).digest()


def _checksum(row: Row) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for piece in (row.address, row.origin, row.status.encode(), row.layout, row.payload, row.error.encode()):
        digest.update(len(piece).to_bytes(8, "little"))
        digest.update(piece)
    return digest.digest()


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "replace")  # damaged text fails its checksum, not its reader


def _sound(values: tuple[Any, ...]) -> Row | None:
    """The row if its checksum is right."""
    *most, checksum = values
    kinds = (bytes, bytes, str, bytes, bytes, str, float, str)
    if len(most) != len(kinds) or any(not isinstance(v, kind) for v, kind in zip(most, kinds, strict=True)):
        return None
    row = Row(*most)
    return row if _checksum(row) == checksum else None


def difference(old: str, new: str) -> str:
    """Say what differs between two origins.

    Examples
    --------
    >>> difference('{"versions": {"numpy": "2.3"}, "files": {"a.py": "1"}}',
    ...            '{"versions": {"numpy": "2.4"}, "files": {"a.py": "2", "b.py": "1"}}')
    'numpy 2.3 -> 2.4; changed a.py; new b.py'
    """
    before, after = json.loads(old), json.loads(new)
    versions = [
        f"{name} {before['versions'].get(name)} -> {value}"
        for name, value in after["versions"].items()
        if before["versions"].get(name) != value
    ]
    words = []
    for word, names in (
        ("changed", [n for n in after["files"] if n in before["files"] and before["files"][n] != after["files"][n]]),
        ("new", [n for n in after["files"] if n not in before["files"]]),
        ("gone", [n for n in before["files"] if n not in after["files"]]),
    ):
        if names:
            words.append(f"{word} {', '.join(sorted(names))}")
    return "; ".join([*versions, *words]) or "format of the parts"


def lock(log: Path) -> int:
    """Lock the log for this process and return its descriptor; StoreError if another process holds it."""
    try:
        for _ in range(10):
            descriptor = os.open(log, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
            try:
                _lock_descriptor(descriptor)
            except BaseException:
                os.close(descriptor)
                raise
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), os.stat(log)):
                    return descriptor
            os.close(descriptor)  # somebody removed the file between the two calls
    except (BlockingIOError, PermissionError) as error:
        if isinstance(error, PermissionError) and os.name != "nt":
            raise StoreError(f"{log} cannot be written: {error}") from None
        raise InUse(f"another process is working on {log.with_suffix('')}; wait for it, or stop it") from None
    except OSError as error:
        raise StoreError(f"{log} cannot be written: {error}") from None
    raise StoreError(f"{log} is removed again and again by another process")


def _lock_descriptor(descriptor: int) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        windows: Any = msvcrt
        windows.locking(descriptor, windows.LK_NBLCK, 1)
    else:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class Store:
    """The parts of one output; ``Store(None)`` keeps them in memory."""

    def __init__(self, path: Path | None, *, readonly: bool = False) -> None:
        self.path = path
        self.damaged: list[str] = []
        self._known: set[bytes] = set()
        self._text = lru_cache(maxsize=10_000)(self._read_text)
        try:
            self._connection = self._open(readonly)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
            if code not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR):
                raise StoreError(f"{path} cannot be opened: {error}") from None
            if readonly:
                raise StoreError(f"{path} is damaged: {error}") from None
            self._rescue(str(error))

    def _open(self, readonly: bool = False) -> sqlite3.Connection:
        if self.path is None:
            connection = sqlite3.connect(":memory:", isolation_level=None)
        else:
            mode = "ro" if readonly else "rwc"
            name = self.path.resolve().as_uri()
            connection = sqlite3.connect(f"{name}?mode={mode}", uri=True, isolation_level=None, timeout=10)
        connection.text_factory = _decoded
        try:
            if not readonly:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.execute("PRAGMA cell_size_check = ON")
                connection.executescript(TABLES)
                (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
                if found != "ok":
                    raise sqlite3.DatabaseError(" ".join(str(found).split()))
            connection.execute("SELECT count(*) FROM meta").fetchall()
        except BaseException:
            connection.close()
            raise
        return connection

    def close(self) -> None:
        """Close the file, which folds the write-ahead log into it."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()

    # Damage

    def _rescue(self, reason: str) -> None:
        """Put the damaged file aside and copy from it every row that is sound."""
        assert self.path is not None
        number = 1
        while (aside := self.path.with_name(f"{self.path.name}.damaged-{number}")).exists():
            number += 1
        for ending in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.replace(f"{self.path}{ending}", f"{aside}{ending}")
        self._connection = self._open()
        self._known.clear()
        self._text.cache_clear()
        kept = 0
        with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(aside)) as old:
            old.text_factory = _decoded
            for name, value in _readable(old, "meta", 2):
                if isinstance(name, str) and isinstance(value, str):
                    self._execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))
            self._execute("BEGIN")
            for identity, text in _readable(old, "texts", 2):
                if isinstance(text, str) and identity_of(text) == identity:
                    self._execute("INSERT OR REPLACE INTO texts VALUES (?, ?)", (identity, text))
            for values in _readable(old, "parts", 9):
                if _sound(values) is not None:
                    self._execute("INSERT OR REPLACE INTO parts VALUES (?,?,?,?,?,?,?,?,?)", values)
                    kept += 1
            self._execute("COMMIT")
        self.damaged.append(
            f"{self.path.name} was damaged ({reason}): {kept} parts are sound, the file is {aside.name}"
        )

    def _execute(self, statement: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
            raise StoreError(f"{self.path} cannot be written: {error}") from None

    # What it holds

    def meta(self, name: str) -> str | None:
        """A fact about the whole file."""
        rows = self._execute("SELECT value FROM meta WHERE name = ?", (name,))
        return str(rows[0][0]) if rows else None

    def set_meta(self, name: str, value: str) -> None:
        """Note a fact about the whole file."""
        self._execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def _read_text(self, identity: bytes) -> str | None:
        rows = self._execute("SELECT text FROM texts WHERE id = ?", (identity,))
        return rows[0][0] if rows and isinstance(rows[0][0], str) and identity_of(rows[0][0]) == identity else None

    def text(self, identity: bytes) -> str | None:
        """A layout or an origin; None if it is lost."""
        return self._text(identity)

    def keep_text(self, text: str) -> bytes:
        """Keep a layout or an origin once and return its name."""
        identity = identity_of(text)
        if identity not in self._known:
            self._execute("INSERT OR REPLACE INTO texts VALUES (?, ?)", (identity, text))
            self._known.add(identity)
            self._text.cache_clear()  # it may remember that the text was lost
        return identity

    def row(self, address: bytes) -> Row | str | None:
        """The part at an address, None if there is none, or what is wrong with it."""
        try:
            found = self._connection.execute("SELECT * FROM parts WHERE address = ?", (address,)).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"{self.path} cannot be read: {error}") from None
        if not found:
            return None
        row = _sound(found[0])
        if row is None or row.address != address:
            return "its checksum is wrong"
        return "its layout is lost" if row.status == "done" and self.text(row.layout) is None else row

    def save(self, address_of: dict[int, bytes], origin: bytes, outcomes: list[Outcome]) -> None:
        """Write what has been computed, in one transaction."""
        self._execute("BEGIN IMMEDIATE")
        for outcome in outcomes:
            layout = self.keep_text(outcome.layout) if outcome.layout else b""
            address = address_of[outcome.number]
            row = Row(
                address,
                origin,
                outcome.status,
                layout,
                outcome.payload,
                outcome.error,
                float(outcome.seconds),
                outcome.worker,
            )
            self._execute("INSERT OR REPLACE INTO parts VALUES (?,?,?,?,?,?,?,?,?)", (*row, _checksum(row)))
            self._execute("DELETE FROM started WHERE address = ?", (address,))
        self._execute("COMMIT")

    def mark_started(self, addresses: list[bytes]) -> None:
        """Note which parts are being computed, to treat them with care if this process does not survive it."""
        self._execute("BEGIN IMMEDIATE")
        self._connection.executemany("INSERT OR REPLACE INTO started VALUES (?)", [(a,) for a in addresses])
        self._execute("COMMIT")

    def abandon(self) -> None:
        """After an interrupt: undo a half-done transaction."""
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def is_empty(self) -> bool:
        """Whether no part has been stored yet."""
        return not self._execute("SELECT 1 FROM parts LIMIT 1")

    def glance(self, address: bytes) -> tuple[bytes, str, bytes] | None:
        """Origin, status and layout of a part, without its bytes."""
        rows = self._execute("SELECT origin, status, layout FROM parts WHERE address = ?", (address,))
        return rows[0] if rows else None

    def take_started(self) -> set[bytes]:
        """The parts that were being computed when the last process ended, and forget them."""
        found = {row[0] for row in self._execute("SELECT address FROM started")}
        self._execute("DELETE FROM started")
        return found


def _readable(connection: sqlite3.Connection, table: str, width: int) -> Iterator[tuple[Any, ...]]:
    """Every row of a table that can be read, whatever is broken between them."""
    number, failures = 0, 0
    while failures < 10_000:
        try:
            found = connection.execute(
                f"SELECT rowid, * FROM {table} WHERE rowid > ? ORDER BY rowid LIMIT 1", (number,)
            ).fetchone()
        except (sqlite3.Error, UnicodeDecodeError, OverflowError):
            failures += 1
            number += 1
            continue
        if found is None or found[0] <= number:
            return
        number = found[0]
        if len(found) == width + 1:
            yield found[1:]


class Log:
    """Lines of JSON beside the output; a full disk does not stop a run for their sake."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def write(self, event: str, **facts: Any) -> None:
        """Append an event."""
        if self._descriptor is not None:
            line = json.dumps({"time": round(time.time(), 3), "event": event, **facts}, default=str) + "\n"
            with contextlib.suppress(OSError):
                os.write(self._descriptor, line.encode())

    def close(self) -> None:
        """Release the lock."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
