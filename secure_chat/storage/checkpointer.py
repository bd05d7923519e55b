"""Moving the WAL into the database, beside the writer and never in its way."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import apsw

PASSIVE_PAGES = 1_000
"""Pages in the WAL above which they are moved."""
TRUNCATE_PAGES = 16_384
"""Pages in the WAL above which the file is cut too; a writer may have to wait for that."""
INTERVAL_SECONDS = 1.0
CLOSE_SECONDS = 10.0

log = logging.getLogger("secure_chat.storage")


class Checkpointer:
    """A thread with a connection of its own (design: checkpoints). Errors are logged once and tried again."""

    def __init__(self, path: Path) -> None:
        """Start it for the database at `path`."""
        self._path = path
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpointer", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it and close its connection; any thread."""
        self._ending.set()
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        connection = None
        while not self._ending.wait(INTERVAL_SECONDS):
            try:
                if connection is None:
                    connection = apsw.Connection(str(self._path))
                    connection.execute("PRAGMA wal_autocheckpoint=0")
                self._work(connection)
            except apsw.Error as error:
                log.warning("checkpoint failed: %s", error)
        if connection is not None:
            connection.close(True)

    def _work(self, connection: apsw.Connection) -> None:
        row = connection.execute("PRAGMA wal_checkpoint(NOOP)").fetchone()
        assert row is not None
        pages = row[1]
        if pages > TRUNCATE_PAGES:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        elif pages > PASSIVE_PAGES and row[2] < pages:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
