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
RETRY_SECONDS = 0.05
"""How long after an attempt to empty the WAL that a reader or the writer was in the way of the next one follows."""
CLOSE_SECONDS = 10.0

log = logging.getLogger("secure_chat.storage")


class Checkpointer:
    """A thread with a connection of its own (design: checkpoints). Errors are logged once and tried again."""

    def __init__(self, path: Path) -> None:
        """Start it for the database at `path`."""
        self._path = path
        self._ending = self._is_asked = False
        self._changed = threading.Condition()
        self._wanted = self._emptied = 0
        self._thread = threading.Thread(target=self._run, name="checkpointer", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it and close its connection; any thread."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        self._thread.join(CLOSE_SECONDS)

    def emptied_for(self, number: int) -> bool:
        """Whether the WAL was empty (of no bytes) at some time since this number was first given.

        It is seen to from then on, again and again while somebody reads. Any thread, never waits.
        """
        with self._changed:
            if self._wanted != number:
                self._wanted, self._is_asked = number, True
                self._changed.notify()
            return self._emptied == number

    def _run(self) -> None:
        connection = None
        pause_seconds = INTERVAL_SECONDS
        while self._goes_on(pause_seconds):
            pause_seconds = INTERVAL_SECONDS
            try:
                if connection is None:
                    connection = apsw.Connection(str(self._path))
                    connection.execute("PRAGMA wal_autocheckpoint=0")
                if self._wanted == self._emptied:
                    self._work(connection)
                elif not self._empty(connection):
                    pause_seconds = RETRY_SECONDS
            except apsw.Error as error:
                log.warning("checkpoint failed: %s", error)
        if connection is not None:
            connection.close(True)

    def _goes_on(self, pause_seconds: float) -> bool:
        """Wait so long, or until somebody asks for something; False at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._ending or self._is_asked, pause_seconds)
            self._is_asked = False
            return not self._ending

    def _empty(self, connection: apsw.Connection) -> bool:
        """Empty the WAL, if nobody is in the way."""
        wanted = self._wanted
        # Most of it without anybody waiting, so that the rest is short. No busy timeout: neither waits for readers.
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        (is_busy, *_) = next(connection.execute("PRAGMA wal_checkpoint(TRUNCATE)"))
        if not is_busy:
            self._emptied = wanted
        return not is_busy

    def _work(self, connection: apsw.Connection) -> None:
        row = connection.execute("PRAGMA wal_checkpoint(NOOP)").fetchone()
        assert row is not None
        pages = row[1]
        if pages > TRUNCATE_PAGES:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        elif pages > PASSIVE_PAGES and row[2] < pages:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
