"""A copy of the database as it was at one moment, made beside whoever writes.

It is made by the process that wants it, not by the server: that spares the server's interpreter lock and its
dispatcher. SQLite's own locks let the server start, write, checkpoint and stop meanwhile. The copy is made within
one read transaction, or SQLite would begin anew with each commit of the server and never come to an end under load.

That reader keeps its snapshot for as long as pages are copied, about 0.2 s for 100 MB (measured: 0.3 s for 161 MB
on an SSD), so a database of up to 1 GB is within the 2 s of the design. A larger one takes longer: meanwhile
checkpoints move nothing that is newer than the snapshot, and the WAL grows by what is said; the first checkpoint
afterwards cuts it. Everything slow (examining, digests, encrypting) is done to the copy.
"""

from __future__ import annotations

import os
from pathlib import Path

import apsw

from secure_chat.storage.database import BUSY_TIMEOUT_MS

STEP_PAGES = 1_000
"""4 MiB: few enough to be on the disk soon, so that a commit of the server waits for little."""


def copy_database(source: Path, target: Path) -> None:
    """Copy the database at `source` to the new file `target` (0600): one plain file, without a WAL.

    Any process and thread; blocks while it copies. Nothing is written to `source`. The last step is not
    synced. Raises apsw.Error, OSError.
    """
    handle = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    reader = writer = None
    try:
        flags = apsw.SQLITE_OPEN_URI | apsw.SQLITE_OPEN_READONLY
        reader = apsw.Connection(f"{source.resolve().as_uri()}?mode=ro", flags=flags)
        reader.set_busy_timeout(BUSY_TIMEOUT_MS)
        writer = apsw.Connection(str(target))
        # Whoever is interrupted throws the copy away.
        writer.execute("PRAGMA synchronous=OFF; PRAGMA journal_mode=OFF")
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        with writer.backup("main", reader, "main") as copying:
            while not copying.done:
                copying.step(STEP_PAGES)
                # Else a commit of the server waits for all of it at the end.
                os.fdatasync(handle)
        reader.execute("COMMIT")
    finally:
        for connection in (reader, writer):
            if connection is not None:
                connection.close(True)
        # Only now: closing any descriptor of a file drops the locks that SQLite has on it in this process.
        os.close(handle)
