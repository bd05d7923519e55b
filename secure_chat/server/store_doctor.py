"""What is wrong with the database of a home. It is only read, and where nobody uses it not even locked."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import apsw

from secure_chat.findings import Finding, ok, problem, warning
from secure_chat.server.foundation import PEPPER_CHECK
from secure_chat.server.home import Home
from secure_chat.server.lock_holder import holder_of
from secure_chat.storage.database import APPLICATION_ID, schema_scripts

IN_USE_SECONDS = 2.0
"""No reader keeps a snapshot longer than this while a server writes (design: checkpoints)."""
STEPS_BETWEEN_LOOKS = 10_000
RESTORE = "Stop the server, keep a copy of the whole folder, and restore chat.db from a backup."


@dataclass(frozen=True, slots=True)
class Store:
    """What the database says: how many accounts there are, and the check value of their pepper."""

    accounts: int = 0
    pepper_check: str | None = None


def examine_store(home: Home) -> Generator[Finding, None, Store]:
    """The findings; gives what the database says through the value of the generator."""
    path = home.database
    if not path.exists():
        yield ok(f"There is no {path} yet: the first start makes it.")
        return Store()
    in_use = _is_in_use(home)
    try:
        with _open(home, in_use=in_use) as connection:
            if (finding := _judge_schema(connection, path)) is not None:
                yield finding
                return Store()
            store = _read(connection)
            found = list(_judge_contents(connection, path, in_use=in_use))
    except (apsw.Error, OSError) as error:
        found, store = [problem(f"{path} cannot be read: {error}.", RESTORE)], Store()
    if not in_use and _is_in_use(home):
        found = [
            warning("Somebody began to use the database meanwhile, so it was not examined.", "Run this again.")
        ]
    yield from found
    return store


def _is_in_use(home: Home) -> bool:
    """Whether a server or the tool has the database open, as far as files tell: then its WAL is there, too."""
    return _wal(home).exists() and holder_of(home) is not None


def _wal(home: Home) -> Path:
    return home.database.with_name(home.database.name + "-wal")


@contextmanager
def _open(home: Home, *, in_use: bool) -> Iterator[apsw.Connection]:
    """A connection that writes nothing. What a crash left in the WAL is looked at in a copy."""
    path, wal = home.database.resolve(), _wal(home)
    if in_use:
        yield from _connected(path, "mode=ro")
    elif wal.exists() and wal.stat().st_size:
        with tempfile.TemporaryDirectory(prefix="secure-chat-doctor-") as folder:
            for one in (path, wal):
                shutil.copy(one, folder)
            yield from _connected(Path(folder) / path.name, "mode=rw")
    else:
        yield from _connected(path, "mode=ro&immutable=1")


def _connected(path: Path, options: str) -> Iterator[apsw.Connection]:
    flags = apsw.SQLITE_OPEN_URI | (apsw.SQLITE_OPEN_READWRITE if "=rw" in options else apsw.SQLITE_OPEN_READONLY)
    connection = apsw.Connection(f"{path.as_uri()}?{options}", flags=flags)
    try:
        yield connection
    finally:
        connection.close(True)


def _judge_schema(connection: apsw.Connection, path: Path) -> Finding | None:
    """What keeps this program from reading the tables, if anything."""
    (application,) = next(connection.execute("PRAGMA application_id"))
    (version,) = next(connection.execute("PRAGMA user_version"))
    known = len(schema_scripts())
    if application != APPLICATION_ID:
        return problem(f"{path} is not a database of Secure Chat.", "Name the server's folder with --home.")
    if version > known:
        text = f"{path} was written by a newer Secure Chat (schema {version}, this program knows {known})."
        return problem(text, "Update the program, or restore a backup made with this version.")
    return None


def _read(connection: apsw.Connection) -> Store:
    (accounts,) = next(connection.execute("SELECT count(*) FROM account WHERE NOT removed"))
    row = connection.execute("SELECT value FROM setting WHERE key = ?", (PEPPER_CHECK,)).fetchone()
    return Store(accounts, row and row[0])


def _judge_contents(connection: apsw.Connection, path: Path, *, in_use: bool) -> Iterator[Finding]:
    (version,) = next(connection.execute("PRAGMA user_version"))
    known = len(schema_scripts())
    if version < known:
        yield ok(f"{path} has schema {version}; the next start brings it to {known}.")
    else:
        yield ok(f"{path} has the schema of this program ({version}).")
    if in_use:
        end = time.monotonic() + IN_USE_SECONDS
        connection.set_progress_handler(lambda: time.monotonic() > end, STEPS_BETWEEN_LOOKS)
    try:
        wrong = [str(text) for (text,) in connection.execute("PRAGMA integrity_check(5)") if text != "ok"]
        orphans = [f"{table} {row}" for table, row, *_ in connection.execute("PRAGMA foreign_key_check")]
    except apsw.InterruptError:
        text = f"{path} is too large to be examined whole while a server runs."
        yield warning(text, "Stop the server for it, or examine a backup.")
        return
    if wrong:
        yield problem(f"{path} is damaged: {'; '.join(wrong)}.", RESTORE)
    if orphans:
        yield problem(f"{path} has rows that belong to nothing: {', '.join(orphans[:5])}.", RESTORE)
    if not wrong and not orphans:
        yield ok(f"{path} is sound.")
