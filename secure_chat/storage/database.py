"""Opening a SQLite database as this program needs it, and bringing its schema up to date."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import apsw

from secure_chat.errors import StorageError
from secure_chat.protocol.search import normalised
from secure_chat.storage import chapters

APPLICATION_ID = 0x53434854
BUSY_TIMEOUT_MS = 5_000
CACHE_KIB = 16_384


class DatabaseUnusable(StorageError):
    """The file cannot be used as our database; the text says why and what to do."""


def open_database(path: Path) -> apsw.Connection:
    """A connection to the database at `path`, made if it is not there, with today's schema.

    WAL, `synchronous=FULL`, no automatic checkpoint (design: store). Raises DatabaseUnusable. The connection is
    for one thread at a time.
    """
    connection = None
    try:
        if not path.is_dir():
            # Before SQLite makes it: what it makes beside it gets the same mode.
            path.touch(mode=0o600)
            path.chmod(0o600)
        has_wal = wal_of(path).exists()
        connection = apsw.Connection(str(path))
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        # What is refused is left as it is: closing would move the WAL into the database.
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, int(has_wal))
        add_functions(connection)
        _check_ours(connection, path)
        _configure(connection)
        _migrate(connection)
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
    except (apsw.Error, OSError, DatabaseUnusable) as error:
        if connection is not None:
            connection.close(True)
        if isinstance(error, DatabaseUnusable):
            raise
        raise DatabaseUnusable(explain(error, path)) from error
    return connection


def wal_of(path: Path) -> Path:
    """Where the WAL of the database at `path` is."""
    return path.with_name(f"{path.name}-wal")


def wal_bytes(path: Path) -> int:
    """How long the WAL of the database at `path` is, 0 where there is none. Raises OSError."""
    try:
        return wal_of(path).stat().st_size
    except FileNotFoundError:
        return 0


def add_functions(connection: apsw.Connection) -> None:
    """Give `connection` the functions of ours that the schema's scripts use."""
    connection.create_scalar_function(
        "normalised", lambda *values: normalised(str(values[0])), 1, deterministic=True
    )
    chapters.add_functions(connection)


def schema_scripts() -> list[str]:
    """The numbered migrations, in order: script n brings version n-1 to n."""
    folder = resources.files("secure_chat.storage") / "schema"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [(folder / name).read_text() for name in names]


def _check_ours(connection: apsw.Connection, path: Path) -> None:
    (application_id,) = next(connection.execute("PRAGMA application_id"))
    (tables,) = next(connection.execute("SELECT count(*) FROM sqlite_schema"))
    if application_id != APPLICATION_ID and tables:
        text = f"{path} is a database of another program; name another home with --home"
        raise DatabaseUnusable(text)
    (version,), known = next(connection.execute("PRAGMA user_version")), len(schema_scripts())
    if version > known:
        text = (
            f"{path} was written by a newer Secure Chat (schema {version}, this program knows {known}); "
            "update the program, or restore a backup made with this version"
        )
        raise DatabaseUnusable(text)


def _configure(connection: apsw.Connection) -> None:
    (mode,) = next(connection.execute("PRAGMA journal_mode=WAL"))
    if mode != "wal":
        text = f"The file system does not allow SQLite's WAL mode (it gave {mode}); put the home on a local disk"
        raise DatabaseUnusable(text)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA secure_delete=ON")
    # Files that SQLite needs for a moment would lie elsewhere, and are not wiped.
    connection.execute("PRAGMA temp_store=MEMORY")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
    connection.execute("PRAGMA trusted_schema=OFF")


def _migrate(connection: apsw.Connection) -> None:
    scripts = schema_scripts()
    (version,) = next(connection.execute("PRAGMA user_version"))
    for number, script in enumerate(scripts[version:], start=version + 1):
        with connection:
            connection.execute(script)
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version={number}")
            if number == len(scripts):
                chapters.index_rest(connection)  # a script may have emptied the index


def explain(error: BaseException | None, path: Path) -> str:
    """Why the database at `path` cannot be used, where `error` was met, and what to do."""
    match error:
        case apsw.NotADBError() | apsw.CorruptError():
            return (
                f"{path} is not a sound SQLite database ({error}); nothing was changed. "
                "Move it away and restore a backup"
            )
        case apsw.BusyError() | apsw.LockedError():
            return f"{path} is locked by another program; end it and try again"
        case apsw.CantOpenError() | apsw.PermissionsError() | apsw.ReadOnlyError() | OSError():
            return f"{path} cannot be opened for writing ({error}); check the owner and the modes of the folder"
        case apsw.FullError():
            return f"The disk that holds {path} is full; make room and start again"
        case _:
            return f"{path} cannot be used: {error}"
