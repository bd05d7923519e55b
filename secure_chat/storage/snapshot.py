"""A copy of the database as it was at one moment, made beside whoever writes.

It is made by the process that wants it, not by the server: that spares the server's interpreter lock and its
dispatcher. SQLite's own locks let the server start, write, checkpoint and stop meanwhile. The copy is made within
one read transaction, or SQLite would begin anew with each commit of the server and never come to an end under load.

That reader keeps its snapshot for as long as pages are copied: meanwhile checkpoints move nothing that is newer,
and the WAL grows by what is said; the first checkpoint afterwards begins it anew. The copy is written in small
steps with pauses between them, for the disk is shared: without the pauses one of a hundred commits of the server
waited for 5 to 10 ms; a WAL that is some MB longer costs less. (`scripts/bench backup` prints what comes of it.)
Where so much is said that the WAL has become long, there are no more pauses: then it is best to be done soon.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import apsw

from secure_chat.storage.database import BUSY_TIMEOUT_MS, wal_bytes
from secure_chat.storage.offset_vfs import database_at

STEP_PAGES = 64
"""256 KiB: few enough to be on the disk soon, so that a commit of the server waits for little."""
PAUSE_SECONDS = 0.005
"""The least pause after a step. It is as long as the step was where the disk is slower than that."""
LONG_WAL_BYTES = 128 * 2**20
"""About twice what the WAL's file has before it is begun anew where no reader is in the way."""


def copy_database(source: Path, target: Path, start: int = 0) -> None:
    """Copy the database at `source` into the file `target`, from the byte `start` to its end: as one plain file,
    without a WAL. A new file is made with 0600.

    Any process and thread; blocks while it copies: with the pauses some 30 s for each GB, without them 7 s. Nothing
    is written to `source`. Raises apsw.Error, OSError.
    """
    handle = os.open(target, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    reader = writer = None
    with database_at(start) as vfs:
        try:
            flags = apsw.SQLITE_OPEN_URI | apsw.SQLITE_OPEN_READONLY
            reader = apsw.Connection(f"{source.resolve().as_uri()}?mode=ro", flags=flags)
            reader.set_busy_timeout(BUSY_TIMEOUT_MS)
            # Resolved: where a folder is a symbolic link a VFS of one's own says that this is an error.
            writer = apsw.Connection(str(target.resolve()), vfs=vfs)
            _copy(reader, writer, handle, source)
        finally:
            for connection in (reader, writer):
                if connection is not None:
                    connection.close(True)
            # Only now: closing any descriptor of a file drops the locks that SQLite has on it in this process.
            os.close(handle)


def _copy(reader: apsw.Connection, writer: apsw.Connection, handle: int, source: Path) -> None:
    # Whoever is interrupted throws the copy away.
    writer.execute("PRAGMA synchronous=OFF; PRAGMA journal_mode=OFF")
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    with writer.backup("main", reader, "main") as copying:
        while not copying.done:
            begun = time.monotonic()
            copying.step(STEP_PAGES)
            # Else a commit of the server waits for all of it at the end.
            os.fdatasync(handle)
            if not copying.done and wal_bytes(source) < LONG_WAL_BYTES:
                time.sleep(max(PAUSE_SECONDS, time.monotonic() - begun))
    reader.execute("COMMIT")
