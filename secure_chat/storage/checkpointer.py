"""Moving the WAL into the database, beside the writer and never in its way."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from pathlib import Path

import apsw

from secure_chat.storage.database import BUSY_TIMEOUT_MS, wal_bytes

PASSIVE_PAGES = 1_000
"""Pages in the WAL above which they are moved."""
RESTART_PAGES = 16_384
"""Pages in the WAL above which it is begun anew while people talk: what is left then is moved by the writer itself,
between two of its transactions. (In a WAL that grows a commit takes two fifths longer than in one that was long
before: 1.5 and 1.1 ms, for 32 posts.)
"""
REST_PAGES = 256
"""So few are left for that: they are moved in some milliseconds. (All of 16,384 took 0.2 to 0.4 s.) Where more is
written all the time, it is as many more as the WAL is longer.
"""
FORCED_PAGES = 8 * RESTART_PAGES
"""Pages above which it is begun anew however many are left, and readers are waited for: else one of them that has
just begun is enough to be in the way."""
FORCED_MS = 200
"""For so long."""
FILE_BYTES = 64 * 2**20
"""A longer file is cut when nothing is written: to cut half a gigabyte takes 0.2 s, and the writer would wait."""
ROUNDS = 8
"""How often in succession what has come meanwhile is moved, until few pages are left."""
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
        self._pages = 0
        """In the WAL, when it was looked at last."""
        self._ending = self._is_asked = False
        self._due = 0.0
        """When it is next looked how long the WAL is (`time.monotonic`); at once, for what a crash has left."""
        self._leaves_rest = False
        """What is left is the writer's to move."""
        self._told_pages = 0
        """How long the WAL was when the writer last woke the thread; the writer's own."""
        self._changed = threading.Condition()
        self._wanted = self._emptied = 0
        self._to_move = self._moved = (0, 0)
        self._thread = threading.Thread(target=self._run, name="checkpointer", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it and close its connection; any thread."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        self._thread.join(CLOSE_SECONDS)

    def committed(self, connection: apsw.Connection, pages: int) -> None:
        """The writer has committed, and so many pages are in the WAL. The writer's thread."""
        if pages < self._told_pages:
            self._told_pages = 0  # it was begun anew
        if pages > self._told_pages + RESTART_PAGES:
            self._told_pages = pages
            with self._changed:
                self._due, self._is_asked = 0.0, True
                self._changed.notify()
        if self._leaves_rest:
            self._leaves_rest = False
            with suppress(apsw.Error):  # it is tried again
                _move_rest(connection, pages)

    def emptied_for(self, number: int) -> bool:
        """Whether the WAL was empty (of no bytes) at some time since this number was first given.

        It is seen to from then on, again and again while somebody reads. Any thread, never waits.
        """
        with self._changed:
            if self._wanted != number:
                self._wanted, self._is_asked = number, True
                self._changed.notify()
            return self._emptied == number

    def moved_for(self, number: int, pages: int) -> bool:
        """Whether so many pages, which were in the WAL when this number was first given, are in the database. The
        same terms.
        """
        with self._changed:
            if self._to_move[0] != number:
                self._to_move, self._is_asked = (number, pages), True
                self._changed.notify()
            return self._moved == self._to_move

    def _run(self) -> None:
        connection = None
        pause_seconds = 0.0
        while self._goes_on(pause_seconds):
            pause_seconds = INTERVAL_SECONDS
            try:
                if connection is None:
                    connection = apsw.Connection(str(self._path))
                    connection.execute("PRAGMA wal_autocheckpoint=0")
                    # Not at the end either: the writer closes last, and does that.
                    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
                if not self._do_asked(connection):
                    pause_seconds = RETRY_SECONDS
                # Not each time when it is asked: it is looked whether anything is new.
                if time.monotonic() >= self._due:
                    self._due = time.monotonic() + INTERVAL_SECONDS
                    self._work(connection)
            except apsw.Error as error:
                log.warning("checkpoint failed: %s", error)
        if connection is not None:
            with suppress(apsw.Error):
                connection.close(True)

    def _goes_on(self, pause_seconds: float) -> bool:
        """Wait so long, or until somebody asks for something; False at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._ending or self._is_asked, pause_seconds)
            self._is_asked = False
            return not self._ending

    def _do_asked(self, connection: apsw.Connection) -> bool:
        """What somebody waits for; False where a reader or the writer was in the way."""
        to_move = self._to_move
        if to_move != self._moved:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            (_, wanted), (pages, rest) = to_move, _pages(connection)
            if pages < wanted or pages - rest >= wanted:  # with fewer the WAL was begun anew
                self._moved = to_move
        return self._moved == to_move and (self._wanted == self._emptied or self._empty(connection))

    def _empty(self, connection: apsw.Connection) -> bool:
        """Empty the WAL, if nobody is in the way."""
        wanted = self._wanted
        # No busy timeout: neither waits for readers.
        _move_most(connection)
        (is_busy, *_) = next(connection.execute("PRAGMA wal_checkpoint(TRUNCATE)"))
        if not is_busy:
            self._emptied = wanted
        return not is_busy

    def _work(self, connection: apsw.Connection) -> None:
        pages, rest = _pages(connection)
        is_quiet, self._pages = pages == self._pages, pages
        if pages > RESTART_PAGES and not is_quiet:
            rest, is_held = _move_most(connection)
            few = REST_PAGES * (pages // RESTART_PAGES)
            self._leaves_rest = not is_held and (rest <= few or pages > FORCED_PAGES)
        elif pages > PASSIVE_PAGES and rest:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        elif is_quiet and wal_bytes(self._path) > FILE_BYTES:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _move_rest(connection: apsw.Connection, pages: int) -> None:
    """By the writer: its next transaction begins the WAL anew, where no reader is in the way then."""
    if pages <= FORCED_PAGES:
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        return
    connection.set_busy_timeout(FORCED_MS)
    try:
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)
    finally:
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)


def _move_most(connection: apsw.Connection) -> tuple[int, bool]:
    """Move what is in the WAL while nobody waits; how many pages are left, and whether a reader is in the way."""
    moved, rest, is_held = -1, 0, False
    for number in range(ROUNDS):
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        pages, rest = _pages(connection)
        # Of the writer's pages some more are moved each time.
        is_held, moved = rest > 0 and pages - rest == moved, pages - rest
        if is_held or (rest <= REST_PAGES and number):
            break
    return rest, is_held


def _pages(connection: apsw.Connection) -> tuple[int, int]:
    """How many pages are in the WAL, and how many of them are not in the database yet."""
    (_, pages, moved) = next(connection.execute("PRAGMA wal_checkpoint(NOOP)"))
    return int(pages), int(pages) - int(moved)
