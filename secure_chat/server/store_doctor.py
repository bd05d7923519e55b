"""What is wrong with the database of a home. It is only read, and where nobody uses it not even locked."""

from __future__ import annotations

import errno
import shutil
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import apsw

from secure_chat.findings import Finding, Level, ok, problem, warning
from secure_chat.server.foundation import PEPPER_CHECK
from secure_chat.server.home import Home
from secure_chat.server.lock_holder import holder_of
from secure_chat.server.store_check import RESTORE, judge_contents, judge_schema
from secure_chat.storage.consistency import damages, orphans
from secure_chat.storage.database import APPLICATION_ID, schema_scripts, wal_bytes, wal_of
from secure_chat.storage.offset_vfs import database_at
from secure_chat.storage.snapshot import copy_database

IN_USE_SECONDS = 2.0
"""So long at most a database in use is read where it is, and its WAL cannot be begun anew (design: checkpoints)."""
STEPS_BETWEEN_LOOKS = 10_000
UNUSED = "mode=ro&immutable=1"
"""How a database that nobody uses is opened: without locks, and without a file beside it."""


@dataclass(frozen=True, slots=True)
class Store:
    """What the database says: how many accounts there are, their pepper's check value, its schema's version."""

    accounts: int = 0
    pepper_check: str | None = None
    schema: int = 0


class NoRoom(OSError):
    """There is no room for a copy of the database."""


def examine_store(home: Home, *, thorough: bool = False) -> Generator[Finding, None, Store]:
    """The findings; gives what the database says through the value of the generator.

    `thorough`: everything is read and compared, of a database in use in a copy, and that can take minutes.
    """
    path = home.database
    if not path.exists():
        yield ok(f"There is no {path} yet: the first start makes it.")
        return Store()
    in_use = _is_in_use(home)
    try:
        with _open(home, in_use=in_use, thorough=thorough) as connection:
            if (finding := _judge_schema(connection, f"{path}")) is not None:
                yield finding
                return Store()
            store = _read(connection)
            found = list(_judge_whole(connection, f"{path}", limited=in_use and not thorough))
            if thorough and found[-1].level is Level.OK:
                found += judge_contents(connection, f"{path}", store.schema)
    except (NoRoom, apsw.FullError) as error:
        yield warning(f"{path} was not examined: {error}.", "Name a folder with more room: TMPDIR=FOLDER")
        return Store()
    except (apsw.Error, OSError) as error:
        found, store = [problem(f"{path} cannot be read: {error}.", RESTORE)], Store()
    if not in_use and _is_in_use(home):
        found = [
            warning("Somebody began to use the database meanwhile, so it was not examined.", "Run this again.")
        ]
    yield from found
    return store


def examine_copy(path: Path, shown: str, start: int = 0) -> tuple[Store, Finding | None]:
    """What the database in the file `path` says, from the byte `start` on, which nobody else uses, and its first
    problem; that calls it `shown`. Raises OSError where the file cannot be read.
    """
    store = Store()
    try:
        with database_at(start) as vfs, contextmanager(_connected)(path, UNUSED, vfs) as connection:
            if (finding := _judge_schema(connection, shown)) is not None:
                return store, finding
            store = _read(connection)
            found = [*_judge_whole(connection, shown, limited=False), judge_schema(connection, shown, store.schema)]
    except (apsw.IOError, apsw.CantOpenError) as error:
        # The disk with the copy; what is copied may be sound.
        raise OSError(errno.EIO, str(error), str(path)) from error
    except apsw.Error as error:
        found = [problem(f"{shown} cannot be read: {error}.", RESTORE)]
    return store, next((finding for finding in found if finding.level is Level.PROBLEM), None)


def _is_in_use(home: Home) -> bool:
    """Whether a server or the tool has the database open, as far as files tell: then its WAL is there, too."""
    return wal_of(home.database).exists() and holder_of(home) is not None


@contextmanager
def _open(home: Home, *, in_use: bool, thorough: bool) -> Iterator[apsw.Connection]:
    """A connection that writes nothing. What a crash left in the WAL is looked at in a copy, and so is what takes
    longer than a reader may keep its snapshot while a server writes.
    """
    path, wal = home.database.resolve(), wal_of(home.database)
    if in_use and not thorough:
        yield from _connected(path, "mode=ro")
    elif in_use or wal_bytes(home.database):
        with tempfile.TemporaryDirectory(prefix="secure-chat-doctor-") as folder:
            _require_room(path, Path(folder))
            if in_use:
                copy_database(path, Path(folder) / path.name)
            else:
                for one in (path, wal):
                    shutil.copy(one, folder)
            yield from _connected(Path(folder) / path.name, "mode=rw")
    else:
        yield from _connected(path, UNUSED)


def _require_room(path: Path, folder: Path) -> None:
    """For a copy, and as much again for what is made to be compared with it. Raises NoRoom."""
    needed, free = 2 * path.stat().st_size, shutil.disk_usage(folder).free
    if free < needed:
        text = f"a copy needs {needed // 2**20:,} MiB, and {free // 2**20:,} MiB are free in {folder.parent}"
        raise NoRoom(text)


def _connected(path: Path, options: str, vfs: str | None = None) -> Iterator[apsw.Connection]:
    flags = apsw.SQLITE_OPEN_URI | (apsw.SQLITE_OPEN_READWRITE if "=rw" in options else apsw.SQLITE_OPEN_READONLY)
    connection = apsw.Connection(f"{path.resolve().as_uri()}?{options}", flags=flags, vfs=vfs)
    try:
        # It may be anybody's: of a backup that was handed around.
        connection.execute("PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON")
        yield connection
    finally:
        connection.close(True)


def _judge_schema(connection: apsw.Connection, path: str) -> Finding | None:
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
    (version,) = next(connection.execute("PRAGMA user_version"))
    return Store(accounts, row and row[0], version)


def _judge_whole(connection: apsw.Connection, path: str, *, limited: bool) -> Iterator[Finding]:
    """Whether the database is whole, in SQLite's eyes; the last finding is the verdict."""
    (version,) = next(connection.execute("PRAGMA user_version"))
    known = len(schema_scripts())
    if version < known:
        yield ok(f"{path} has schema {version}; the next start brings it to {known}.")
    else:
        yield ok(f"{path} has the schema of this program ({version}).")
    if limited:
        end = time.monotonic() + IN_USE_SECONDS
        connection.set_progress_handler(lambda: time.monotonic() > end, STEPS_BETWEEN_LOOKS)
    try:
        wrong, lost = damages(connection), orphans(connection)
    except apsw.InterruptError:
        text = f"{path} is too large to be examined whole while a server runs."
        yield warning(text, "Examine a copy of it: secure-chat check does that.")
        return
    if wrong:
        yield problem(f"{path} is damaged: {'; '.join(wrong)}.", RESTORE)
    if lost:
        yield problem(f"{path} has rows that belong to nothing: {', '.join(lost[:5])}.", RESTORE)
    if not wrong and not lost:
        yield ok(f"{path} is sound.")
