"""What a device missed: found first, as ids, then read page by page. Any thread, on any connection."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import apsw

from secure_chat.chat.history import MissedQuery
from secure_chat.chat.positions import COUNTED_MESSAGES
from secure_chat.protocol.relay import Relayed
from secure_chat.storage.visibility import COLUMNS, CONVERSATIONS, FROM, NOT_IGNORED, SAID, VISIBLE, relayed_of

_HEAD = "SELECT coalesce(max(id), 0) FROM message"
_SINCE = "SELECT coalesce((SELECT time_us FROM message WHERE id <= ? ORDER BY id DESC LIMIT 1), 0)"
_TO_ONESELF = "m.sender_id IS m.recipient_id"
_OWN = f"(m.sender_id = :reader AND NOT {_TO_ONESELF})"
_HERE = "coalesce(m.sender_device, :device) = :device"
_NOT_SAID_HERE = f"NOT ({_OWN} AND ({_HERE} OR (c.room_id IS NULL AND NOT :own_private)))"
_NO_QUESTION = (
    "(substr(m.text, 1, 1) <> char(1)"
    " OR upper(substr(m.text || char(1), 1, 8)) IN (char(1) || 'ACTION ', char(1) || 'ACTION' || char(1)))"
)
"""CTCP other than ACTION asks a program that is there now; who answered it later would be a nuisance."""


@dataclass(frozen=True, slots=True)
class FoundMissed:
    """What there is: ids of messages, oldest first; how many older ones of which conversation are passed over (a
    number above COUNTED_MESSAGES means at least so many); and the last message that was looked at (0: none was).
    """

    ids: tuple[int, ...]
    passed_over: tuple[tuple[str, int], ...] = ()
    head_id: int = 0


@dataclass(frozen=True, slots=True)
class MissedPage:
    """A page of it: the messages, up to where all is given with them, and the ids that come later.

    For `passed_over` see FoundMissed.
    """

    messages: list[Relayed]
    through_id: int
    later_ids: tuple[int, ...]
    passed_over: tuple[tuple[str, int], ...]


def find_missed(connection: apsw.Connection, query: MissedQuery, counted: int = COUNTED_MESSAGES) -> FoundMissed:
    """Look for what the query asks for; of a conversation at most `counted` more are counted. Errors of SQLite pass
    through.
    """
    # The head first: what is committed while we look belongs to the next time.
    ((head_id,),) = connection.execute(_HEAD)
    ((since_us,),) = connection.execute(_SINCE, (query.after_id,))
    values: dict[str, Any] = {
        "reader": query.reader_id,
        "device": query.device,
        "own_private": query.own_private,
        "after": query.after_id,
        "head": head_id if query.until_id is None else min(head_id, query.until_id),
        "late": query.until_id is None,
        "since": since_us,
        "limit": query.limit + counted + 1,
    }
    # By time, for which there is an index: times do not go back from one message to the next.
    sql = (
        f"SELECT m.id{FROM} WHERE c.id = :conversation AND m.time_us >= :since AND m.id > :after AND m.id <= :head"
        f" AND {SAID} AND {VISIBLE[query.rights]} AND {NOT_IGNORED} AND {_NOT_SAID_HERE}"
        f" AND (:late OR {_NO_QUESTION})"
        " ORDER BY m.time_us DESC, m.id DESC LIMIT :limit"
    )
    ids: list[int] = []
    passed_over: list[tuple[str, int]] = []
    for conversation_id, name in _with_news(connection, values):
        found = [row[0] for row in connection.execute(sql, {**values, "conversation": conversation_id})]
        ids += found[: query.limit]
        if len(found) > query.limit:
            passed_over.append((name, len(found) - query.limit))
    return FoundMissed(tuple(sorted(ids)), tuple(passed_over), int(values["head"]))


def _with_news(connection: apsw.Connection, values: dict[str, object]) -> list[tuple[int, str]]:
    """The reader's conversations in which something was said since then, and how they are called."""
    sql = (
        "SELECT c.id, coalesce(room.name, other.name) FROM conversation AS c LEFT JOIN room ON room.id = c.room_id"
        " LEFT JOIN account AS other ON other.id = CASE WHEN c.low_id = :reader THEN c.high_id ELSE c.low_id END"
        f" WHERE c.id IN ({CONVERSATIONS}) AND EXISTS (SELECT 1 FROM message AS m WHERE m.conversation_id = c.id"
        " AND m.time_us >= :since AND m.id > :after)"
    )
    return [(int(row[0]), str(row[1])) for row in connection.execute(sql, values)]


def read_missed(connection: apsw.Connection, query: MissedQuery, ids: Sequence[int]) -> list[Relayed]:
    """The messages of these ids that are still there and to be seen, the oldest first."""
    sql = (
        f"SELECT {COLUMNS}, room.name{FROM} LEFT JOIN room ON room.id = c.room_id"
        f" WHERE m.id IN (SELECT value FROM json_each(:ids)) AND {SAID} AND {VISIBLE[query.rights]}"
        f" AND {NOT_IGNORED} ORDER BY m.id"
    )
    rows = connection.execute(sql, {"reader": query.reader_id, "ids": json.dumps(ids)})
    return [relayed_of(row[:-1], row[-1], query.host) for row in rows]
