"""Reading everything that was said in a room, or that an account may read, for its owner to have. Any thread."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import apsw

from secure_chat.chat.history import Rights
from secure_chat.chat.messages import Kind
from secure_chat.chat.ports import StoreFailed
from secure_chat.protocol.message import NO_TAGS
from secure_chat.storage.history import BUSY_TIMEOUT_MS
from secure_chat.storage.visibility import COLUMNS, SHOWN, VISIBLE

PAGE_IDS = 5_000
"""Rows of all conversations looked through at once: no reader keeps a snapshot for long (design: checkpoints), and
memory is bounded."""
# CROSS JOIN: messages in their order, whatever SQLite thinks of how many there are in a conversation.
_FROM = (
    " FROM message AS m CROSS JOIN conversation AS c ON c.id = m.conversation_id"
    " LEFT JOIN room ON room.id = c.room_id"
    " JOIN account AS sender ON sender.id = m.sender_id"
    " LEFT JOIN account AS recipient ON recipient.id = m.recipient_id"
    " LEFT JOIN account AS subject ON subject.id = m.subject_id"
)


@dataclass(frozen=True, slots=True)
class Exported:
    """A message. `room` is None in private, `recipient` in a room; `subject` is who was kicked.

    `time_us` is µs since 1970 UTC.
    """

    msgid: str
    time_us: int
    kind: Kind
    sender: str
    room: str | None
    recipient: str | None
    subject: str | None
    text: str
    client_tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ExportQuery:
    """Everything in the room; or, where none is named, everything that the account may read, by these rights."""

    room_id: int | None = None
    reader_id: int | None = None
    rights: Rights = Rights.MEMBERSHIP


def read_everything(path: Path, query: ExportQuery) -> Iterator[Exported]:
    """What was said up to now, in the order it was said, read a page at a time. Raises StoreFailed."""
    connection = None
    try:
        # Not opened read-only: where no server runs, that would leave an empty WAL behind.
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        connection.execute("PRAGMA query_only=ON")
        yield from _pages(connection, query)
    except apsw.Error as error:
        text = f"{path} cannot be read ({error})"
        raise StoreFailed(text) from error
    finally:
        if connection is not None:
            connection.close(True)


def _pages(connection: apsw.Connection, query: ExportQuery) -> Iterator[Exported]:
    whose = "c.room_id = :room" if query.room_id is not None else VISIBLE[query.rights]
    page = f"m.id >= :first AND m.id < :end AND {SHOWN}"
    sql = f"SELECT {COLUMNS}, room.name{_FROM} WHERE {page} AND {whose} ORDER BY m.id"
    ((first, last),) = connection.execute("SELECT coalesce(min(id), 0), coalesce(max(id), -1) FROM message")
    for start in range(first, last + 1, PAGE_IDS):
        values = {
            "first": start,
            "end": min(start + PAGE_IDS, last + 1),
            "room": query.room_id,
            "reader": query.reader_id,
        }
        for row in list(connection.execute(sql, values)):
            msgid, kind, sender, _user, recipient, subject, text, tags, time_us, room = row
            client_tags = json.loads(tags) if tags else NO_TAGS
            yield Exported(msgid, time_us, Kind(kind), sender, room, recipient, subject, text, client_tags)
