"""Reading history: a connection of its own for each question, so that none keeps a snapshot long. Any thread."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

from secure_chat.chat.history import End, HistoryQuery, MissedQuery, Point, Rights, SearchQuery, TargetsQuery
from secure_chat.chat.messages import InRoom
from secure_chat.chat.ports import StoreFailed
from secure_chat.protocol.relay import Relayed
from secure_chat.storage.missed import FoundMissed, MissedPage, find_missed, read_missed
from secure_chat.storage.reading import find_conversation
from secure_chat.storage.searching import search
from secure_chat.storage.visibility import (
    COLUMNS,
    CONVERSATIONS,
    FROM,
    NOT_IGNORED,
    SAID,
    SHOWN,
    VISIBLE,
    check_place,
    relayed_of,
)

BUSY_TIMEOUT_MS = 2_000
BUSY_SECONDS = BUSY_TIMEOUT_MS / 1000
RETRY_SECONDS = 0.01
"""How often it is tried meanwhile to open the database."""
ALONE_SECONDS = 0.5
"""What a reader may take at most where it keeps the store from coming back."""
PROGRESS_STEPS = 1_000
"""Steps of SQLite's machine after which a search looks at the clock."""


class TooSlow(Exception):
    """A search took too long."""


class NoSuchMessage(Exception):
    """The message that a point names is not in the conversation, or not to be seen."""


@dataclass(frozen=True, slots=True)
class HistoryReader:
    """Reads the database at `path`. `host` stands in every source."""

    path: Path
    host: str
    rights: Rights
    search_seconds: float = 2.0

    def messages(self, query: HistoryQuery) -> list[Relayed]:
        """What the query asks for, oldest first. Raises NoSuchPlace, NoSuchMessage, TooSlow, StoreFailed."""
        with self._connected() as connection:
            return self._messages(connection, query)

    def targets(self, query: TargetsQuery) -> list[tuple[str, int]]:
        """Names of conversations, and the time in µs of the last message there that the reader may see. Raises
        TooSlow, StoreFailed.
        """
        with self._connected() as connection:
            return [(str(name), int(time_us)) for name, time_us in self._targets(connection, query)]

    def search(self, query: SearchQuery) -> list[Relayed]:
        """What is found, oldest first. Raises NoSuchPlace, TooSlow, StoreFailed."""
        with self._connected() as connection:
            return search(connection, query, self.rights, self.host)

    def missed(self, query: MissedQuery, ids: Sequence[int] | None, limit: int) -> MissedPage:
        """The first `limit` of what the query asks for, or of those that were found before (`ids`). Raises TooSlow,
        StoreFailed.
        """
        with self._connected() as connection:
            found = find_missed(connection, query) if ids is None else FoundMissed(tuple(ids))
            messages = read_missed(connection, query, found.ids[:limit])
        later = found.ids[limit:]
        through = found.ids[limit - 1] if later else max((found.head_id, *found.ids))
        return MissedPage(messages, through, later, found.passed_over)

    @contextmanager
    def _connected(self) -> Iterator[apsw.Connection]:
        """A connection for one question, which has a limited time: others wait for the same thread."""
        connection = None
        try:
            connection, is_alone = _open(str(self.path))
            seconds = min(self.search_seconds, ALONE_SECONDS) if is_alone else self.search_seconds
            ends_at = time.monotonic() + seconds
            connection.set_progress_handler(lambda: time.monotonic() > ends_at, PROGRESS_STEPS)
            yield connection
        except apsw.InterruptError:
            raise TooSlow from None
        except apsw.Error as error:
            raise _failed(error) from error
        finally:
            if connection is not None:
                with suppress(apsw.Error):  # what is read is read
                    connection.close(True)

    def _messages(self, connection: apsw.Connection, query: HistoryQuery) -> list[Relayed]:
        check_place(connection, query.place, query.reader_id)
        conversation_id = find_conversation(connection, query.place)
        if conversation_id is None:
            if query.after is not None and query.after.msgid:
                raise NoSuchMessage
            return []
        values = {"reader": query.reader_id, "conversation": conversation_id}
        after = self._sequence(connection, values, query.after, earlier=True)
        before = self._sequence(connection, values, query.before, earlier=False)
        newest = query.end is End.NEWEST
        if query.end is End.OLDEST and after is not None and before is not None and after > before:
            # Asked anew: a time as the first point is another sequence than as the second.
            after = self._sequence(connection, values, query.before, earlier=True)
            before = self._sequence(connection, values, query.after, earlier=False)
            newest = True
        if query.end is End.MIDDLE:
            assert after is not None
            half = query.limit // 2
            older = self._page(connection, values, query, (None, after + 1, half + 1), newest=True)
            newer = self._page(connection, values, query, (after, None, query.limit - len(older)), newest=False)
            rows = [*older, *newer]
        else:
            rows = self._page(connection, values, query, (after, before, query.limit), newest=newest)
        room = query.target if isinstance(query.place, InRoom) else None
        return [relayed_of(row, room, self.host) for row in rows]

    def _sequence(
        self, connection: apsw.Connection, values: dict[str, Any], point: Point | None, *, earlier: bool
    ) -> int | None:
        """The sequence a point stands for: of a time, the last up to it (`earlier`) or the first from it on."""
        if point is None:
            return None
        if point.msgid:
            sql = f"SELECT m.sequence{FROM} WHERE c.id = :conversation AND m.msgid = :msgid"
            sql += f" AND {VISIBLE[self.rights]}"
            row = connection.execute(sql, {**values, "msgid": point.msgid}).fetchone()
            if row is None:
                raise NoSuchMessage
            return int(row[0])
        # Times are told in whole ms: one ms belongs together.
        if earlier:
            sql = "SELECT coalesce(max(sequence), 0) FROM message WHERE conversation_id = ? AND time_us < ?"
            time_us = (point.time_ms + 1) * 1000
        else:
            sql = (
                "SELECT coalesce(min(sequence), (SELECT next_sequence FROM conversation WHERE id = ?1))"
                " FROM message WHERE conversation_id = ?1 AND time_us >= ?2"
            )
            time_us = point.time_ms * 1000
        row = connection.execute(sql, (values["conversation"], time_us)).fetchone()
        assert row is not None
        return int(row[0])

    def _page(
        self,
        connection: apsw.Connection,
        values: dict[str, Any],
        query: HistoryQuery,
        bounds: tuple[int | None, int | None, int],
        *,
        newest: bool,
    ) -> list[tuple[Any, ...]]:
        after, before, limit = bounds
        if limit <= 0:
            return []
        conditions = ["c.id = :conversation", VISIBLE[self.rights], NOT_IGNORED]
        if after is not None:
            conditions.append("m.sequence > :after")
        if before is not None:
            conditions.append("m.sequence < :before")
        conditions.append(SHOWN if query.events else SAID)
        order = "DESC" if newest else "ASC"
        sql = f"SELECT {COLUMNS}{FROM} WHERE {' AND '.join(conditions)} ORDER BY m.sequence {order} LIMIT :limit"
        rows = list(connection.execute(sql, {**values, "after": after, "before": before, "limit": limit}))
        return rows[::-1] if newest else rows

    def _targets(self, connection: apsw.Connection, query: TargetsQuery) -> list[tuple[Any, ...]]:
        newest = query.end is End.NEWEST
        sql = (
            "SELECT name, time_us FROM (SELECT coalesce(room.name, other.name) AS name,"
            f" (SELECT m.time_us FROM message AS m WHERE m.conversation_id = c.id AND {SAID} AND {NOT_IGNORED}"
            f" AND {VISIBLE[self.rights]} ORDER BY m.sequence DESC LIMIT 1) AS time_us FROM conversation AS c"
            " LEFT JOIN room ON room.id = c.room_id LEFT JOIN account AS other"
            " ON other.id = CASE WHEN c.low_id = :reader THEN c.high_id ELSE c.low_id END"
            f" WHERE c.id IN ({CONVERSATIONS}))"
            " WHERE time_us >= :after AND time_us < :before"
            f" ORDER BY time_us {'DESC' if newest else 'ASC'} LIMIT :limit"
        )
        values = {
            "reader": query.reader_id,
            "after": (query.after_ms + 1) * 1000,
            "before": query.before_ms * 1000,
            "limit": query.limit,
        }
        found = list(connection.execute(sql, values))
        return found[::-1] if newest else found


def _open(path: str) -> tuple[apsw.Connection, bool]:
    """A connection that only reads, also where nothing can be written; and whether nobody else can use the database
    meanwhile, the store among them.
    """
    ends_at = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            with suppress(apsw.CantOpenError, apsw.IOError, apsw.ReadOnlyError):
                return _prepared(apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)), False
            # While writing fails the store has closed the database, and the WAL's index cannot be made beside it.
            # Who has the database for itself keeps that in memory.
            connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE)
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            return _prepared(connection, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA query_only=ON"), True
        except apsw.BusyError:
            # Another reader has it, or the store is back: then it can be opened as always.
            if time.monotonic() > ends_at:
                raise
            time.sleep(RETRY_SECONDS)


def _prepared(connection: apsw.Connection, sql: str = "") -> apsw.Connection:
    """The connection after these statements, when it can read; closed where it cannot."""
    try:
        connection.execute(f"{sql}; PRAGMA schema_version").fetchall()
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    except apsw.Error:
        connection.close(True)
        raise
    return connection


def _failed(error: apsw.Error) -> StoreFailed:
    return StoreFailed(f"reading failed: {type(error).__name__}")
