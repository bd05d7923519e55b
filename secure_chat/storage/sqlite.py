"""The store in SQLite: implements `chat.ports.Store`. Dispatcher thread only."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import apsw

from secure_chat.chat.accounts import Account
from secure_chat.chat.devices import Device
from secure_chat.chat.effects import Append, Durable, ErasureBegun, Forgot
from secure_chat.chat.forgetting import Forgetting
from secure_chat.chat.history import MissedQuery
from secure_chat.chat.messages import PostId, StoredMessage
from secure_chat.chat.ports import AlreadyPosted, AuditEntry, Conflict, PostIdReused, Snapshot, StoreFailed
from secure_chat.chat.positions import Position
from secure_chat.chat.rooms import Ban, Role
from secure_chat.protocol.relay import Relayed
from secure_chat.storage.appending import Appender
from secure_chat.storage.chapters import count_unindexed, index_rest
from secure_chat.storage.checkpointer import Checkpointer
from secure_chat.storage.database import DatabaseUnusable, open_database, wal_of
from secure_chat.storage.forgetting import to_forget
from secure_chat.storage.missed import find_missed, read_missed
from secure_chat.storage.reading import read_code, read_room, select_posted
from secure_chat.storage.writing import write

R = TypeVar("R")
INDEXED_MESSAGES = 256
"""So many are put into the index at once: FTS5 writes a piece of its own each time, and joins those later."""
INDEXED_CHARACTERS = 8_192
"""Fewer where they are long: a piece is no larger than that."""
FORGETTING_PAGES = 4_096
"""Pages in the WAL above which forgetting waits for the checkpointer, which is slower."""
_LAST = (
    "SELECT coalesce(max(time_us), 0), coalesce(max(id), 0)"
    " FROM (SELECT id, time_us FROM message ORDER BY id DESC LIMIT 1)"
)
_MARKERS = (
    "SELECT r.account_id, coalesce(c.room_id, CASE WHEN c.low_id = r.account_id THEN c.high_id ELSE c.low_id END),"
    " r.time_ms FROM read_marker AS r JOIN conversation AS c ON c.id = r.conversation_id"
)


class SqliteStore:
    """One connection, which writes; each tick one transaction, each command in it a savepoint."""

    def __init__(self, path: Path) -> None:
        """Open the database at `path`, made if it is not there. Raises DatabaseUnusable."""
        self._path = path
        self._had_wal = wal_of(path).exists()
        self._wal_pages = 0
        """In the WAL after the last commit."""
        self._connection = self._open()
        self._appender = Appender(self._connection)
        self._in_tick, self._waits_for_disk = False, True
        self._mark = 0
        self._unindexed = count_unindexed(self._connection)
        """Messages that are not in the index for searching yet, or a few more: those of refused commands count."""
        self._unindexed_characters = 0
        """Those of them that were said since the start."""
        self._forgotten = 1
        """Counts the steps of forgetting, so that an emptied WAL is not taken for one after a later step."""
        self._checkpointer: Checkpointer | None = None
        """Works from the first write on: a database that is refused after all is left as it is."""

    def _open(self) -> apsw.Connection:
        connection = open_database(self._path)
        connection.set_wal_hook(self._committed)
        return connection

    def _committed(self, connection: apsw.Connection, _name: str, pages: int) -> int:
        self._wal_pages = pages
        if self._checkpointer is not None:
            self._checkpointer.committed(connection, pages)
        return apsw.SQLITE_OK

    def load(self) -> Snapshot:
        """The durable state. Raises StoreFailed."""
        return self._guarded(self._load)

    def stage(self, effects: Sequence[Durable]) -> int:
        """See `Store.stage`."""
        return self._guarded(self._stage, effects)

    def commit(self) -> None:
        """See `Store.commit`."""
        if self._in_tick:
            self._guarded(self._commit)

    def recover(self) -> bool:
        """See `Store.recover`: closes and reopens the connection, and needs a checkpoint that succeeds."""
        failed_mark, self._in_tick = self._mark, False
        self._stop_checkpointer()
        with suppress(apsw.Error):  # what is broken may be broken here too; it is closed all the same
            self._connection.close(True)
        try:
            self._connection, self._waits_for_disk = self._open(), True
            self._appender = Appender(self._connection)
            (busy, _, _) = next(self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)"))
            (mark,) = next(self._connection.execute("SELECT mark FROM tick"))
            self._unindexed = count_unindexed(self._connection)
        except (apsw.Error, DatabaseUnusable) as error:
            raise _failed(error) from error
        if busy:
            text = "The database is in use by another program"
            raise StoreFailed(text)
        self._checkpointer = Checkpointer(self._path)
        self._mark = 0
        return bool(failed_mark) and mark == failed_mark

    def posted(self, account_id: int, post_id: PostId) -> StoredMessage | None:
        """See `Store.posted`."""
        return self._guarded(lambda: select_posted(self._flushed(), account_id, post_id))

    def missed(self, query: MissedQuery, at_most: int) -> list[Relayed] | None:
        """See `Store.missed`."""
        return self._guarded(self._missed, query, at_most)

    def logged_in_from(self, account_id: int, address: str, since_us: int) -> bool:
        """See `Store.logged_in_from`."""
        sql = "SELECT 1 FROM login WHERE account_id = ? AND address = ? AND time_us >= ?"
        values = (account_id, address, since_us)
        return self._guarded(lambda: self._connection.execute(sql, values).fetchone() is not None)

    def audited(self, limit: int, since_us: int) -> list[AuditEntry]:
        """See `Store.audited`."""
        sql = (
            "SELECT * FROM (SELECT id, time_us, actor, act, subject, detail FROM audit WHERE time_us >= ?"
            " ORDER BY id DESC LIMIT ?) ORDER BY id"
        )
        rows = self._guarded(lambda: list(self._connection.execute(sql, (since_us, limit))))
        return [AuditEntry(*row[1:]) for row in rows]

    def to_forget(self, before_us: int, now_us: int) -> Forgetting | None:
        """See `Store.to_forget`."""
        return self._guarded(lambda: to_forget(self._flushed(), before_us, now_us))

    def keeps_up(self) -> bool:
        """See `Store.keeps_up`."""
        pages = self._wal_pages
        return pages <= FORGETTING_PAGES or self._working_checkpointer().moved_for(self._forgotten, pages)

    def files_are_clean(self) -> bool:
        """See `Store.files_are_clean`."""
        return self._working_checkpointer().emptied_for(self._forgotten)

    def setting(self, key: str) -> str | None:
        """A value kept for the program itself, such as the pepper's check value. Raises StoreFailed."""
        sql = "SELECT value FROM setting WHERE key = ?"
        row = self._guarded(lambda: self._connection.execute(sql, (key,)).fetchone())
        return None if row is None else str(row[0])

    def keep_setting(self, key: str, value: str) -> None:
        """Keep such a value, at once. Raises StoreFailed."""
        sql = "INSERT INTO setting VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
        self._working_checkpointer()
        self._guarded(self._wait_for_disk, True)
        self._guarded(lambda: self._connection.execute(sql, (key, value)))

    def close(self) -> None:
        """Give up an unfinished tick and close; what was committed moves from the WAL into the database."""
        self._stop_checkpointer()
        if self._in_tick:
            self._connection.execute("ROLLBACK")
            self._in_tick = False
        if self._unindexed:
            with suppress(apsw.Error), self._connection:  # what is not in the index then is still found
                index_rest(self._connection)
        self._connection.close(True)

    def refuse(self) -> None:
        """Close, before anything was written, and leave database and WAL as they are."""
        if self._had_wal:
            self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        self._connection.close(True)

    def _working_checkpointer(self) -> Checkpointer:
        if self._checkpointer is None:
            self._checkpointer = Checkpointer(self._path)
        return self._checkpointer

    def _stop_checkpointer(self) -> None:
        if self._checkpointer is not None:
            self._checkpointer.close()

    def _load(self) -> Snapshot:
        run = self._connection.execute
        accounts = run(
            "SELECT id, name, folded, password, administrator, disabled, removed, epoch, muted_until_us,"
            " created_us FROM account"
        )
        members = run(
            "SELECT room_id, account_id, role FROM membership WHERE until_sequence IS NULL ORDER BY from_sequence"
        )
        return Snapshot(
            [
                Account(a, name, folded, password, bool(admin), bool(disabled), bool(removed), *rest)
                for a, name, folded, password, admin, disabled, removed, *rest in accounts
            ],
            [read_room(row) for row in run("SELECT * FROM room")],
            [(room_id, account_id, Role(role)) for room_id, account_id, role in members],
            [(row[0], Ban(*row[1:])) for row in run("SELECT room_id, mask, banned_by, time_us FROM ban")],
            [(row[0], row[1]) for row in run("SELECT room_id, account_id FROM room_invitation")],
            [(row[0], row[1], row[2]) for row in run("SELECT room_id, account_id, until_us FROM room_mute")],
            [read_code(row) for row in run("SELECT * FROM code")],
            [Device(*row) for row in run("SELECT digest, account_id, name, made_us, seen_us, address FROM device")],
            [(row[0], row[1]) for row in run("SELECT account_id, other_id FROM ignored")],
            [(row[0], row[1], row[2]) for row in run(_MARKERS)],
            [(row[0], row[1], Position(row[2], row[3])) for row in run("SELECT * FROM position")],
            *next(run(_LAST)),
        )

    def _missed(self, query: MissedQuery, at_most: int) -> list[Relayed] | None:
        # One more than may be says that there are too many: the tick does not count them.
        connection = self._flushed()
        ids = find_missed(connection, replace(query, limit=at_most + 1), counted=0).ids
        return None if len(ids) > at_most else read_missed(connection, query, ids)

    def _stage(self, effects: Sequence[Durable]) -> int:
        only = effects[0] if len(effects) == 1 else None
        # A step of forgetting does not wait for the disk, which may be busy for longer than the step takes.
        self._begin(may_be_lost=type(only) is Forgot)
        # A message by itself needs no savepoint, which would make SQLite copy each page that is changed: what there
        # is to refuse is its post id, and that before anything is written.
        return self._append(only) if type(only) is Append else self._stage_together(effects)

    def _stage_together(self, effects: Sequence[Durable]) -> int:
        run = self._flushed().execute
        run("SAVEPOINT command")
        try:
            message_id = self._write(effects)
            self._appender.flush()
        except Exception as error:
            if isinstance(error, apsw.Error) and not isinstance(error, apsw.ConstraintError):
                raise
            # Also where the error is a bug of ours: nothing of this command may stay in the tick.
            run("ROLLBACK TO command")
            run("RELEASE command")
            self._appender.forget()
            if isinstance(error, apsw.ConstraintError):
                text = "This is in conflict with what is stored; nothing was done"
                raise Conflict(text) from error
            raise
        run("RELEASE command")
        self._forgotten += any(isinstance(effect, Forgot | ErasureBegun) for effect in effects)
        return message_id

    def _flushed(self) -> apsw.Connection:
        """The connection, when all messages that were staged are written."""
        try:
            self._appender.flush()
        except apsw.Error:
            raise
        except Exception as error:
            # A bug of ours: it costs the tick, not the server.
            text = "A fault in the server; what was said was not kept"
            raise StoreFailed(text) from error
        return self._connection

    def _write(self, effects: Sequence[Durable]) -> int:
        """The number of the last message among them, 0 where there is none."""
        message_id = 0
        for effect in effects:
            if type(effect) is Append:
                message_id = self._append(effect)
            else:
                self._appender.flush()  # it may be about the place that they have taken
                write(self._connection, effect)
        return message_id

    def _append(self, effect: Append) -> int:
        message_id = self._appender.append(effect.message)
        self._unindexed += 1
        self._unindexed_characters += len(effect.message.text)
        return message_id

    def _begin(self, *, may_be_lost: bool) -> None:
        """Begin the tick's transaction, unless it has begun. What `may_be_lost` when power fails is done again:
        it is a transaction of its own before the rest of the tick, and does not wait for the disk.
        """
        if self._in_tick:
            if may_be_lost or self._waits_for_disk:
                return
            # Without a mark: where this fails nothing more of the tick is there, even if this is.
            self._connection.execute("COMMIT")
            self._in_tick = False
        self._working_checkpointer()
        self._wait_for_disk(not may_be_lost)
        self._connection.execute("BEGIN IMMEDIATE")
        self._in_tick = True

    def _wait_for_disk(self, waits: bool) -> None:
        """Whether the next transaction does (SQLite's documentation, "PRAGMA synchronous")."""
        if waits is not self._waits_for_disk:
            self._connection.execute(f"PRAGMA synchronous={'FULL' if waits else 'NORMAL'}")
            self._waits_for_disk = waits

    def _commit(self) -> None:
        # Before the commit: whether it failed is asked of the database by this mark.
        self._mark = secrets.randbits(62) + 1
        self._flushed().execute("UPDATE tick SET mark = ?", (self._mark,))
        if self._unindexed >= INDEXED_MESSAGES or self._unindexed_characters >= INDEXED_CHARACTERS:
            index_rest(self._connection)
            self._unindexed = self._unindexed_characters = 0
        self._connection.execute("COMMIT")
        # No longer asked about: a failure before the next commit is not one of this tick.
        self._in_tick, self._mark = False, 0

    def _guarded(self, function: Callable[..., R], *arguments: object) -> R:
        """Run against SQLite; its errors become ours at this seam."""
        try:
            return function(*arguments)
        except (AlreadyPosted, PostIdReused, Conflict):
            raise
        except apsw.Error as error:
            raise _failed(error) from error


def _failed(error: Exception) -> StoreFailed:
    text = "The server could not write to its disk"
    if isinstance(error, apsw.FullError):
        text = "The server's disk is full"
    return StoreFailed(text)
