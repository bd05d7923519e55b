"""Who may read which message, as SQL, and what of a message is read. (In all of it `m` is the message, `c` its
conversation, `:reader` the account.)
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import apsw

from secure_chat.chat.history import Rights
from secure_chat.chat.messages import Conversation, InRoom, Kind
from secure_chat.protocol.message import NO_TAGS
from secure_chat.protocol.relay import Relayed

_WAS_MEMBER = (
    "EXISTS (SELECT 1 FROM membership AS s WHERE s.room_id = c.room_id AND s.account_id = :reader"
    " AND m.sequence >= s.from_sequence AND m.sequence <= coalesce(s.until_sequence, m.sequence))"
)
_IS_MEMBER = (
    "EXISTS (SELECT 1 FROM membership AS s WHERE s.room_id = c.room_id AND s.account_id = :reader"
    " AND s.until_sequence IS NULL)"
)
_PRIVATE = "CASE WHEN c.room_id IS NULL THEN :reader IN (c.low_id, c.high_id) ELSE"
VISIBLE = {
    Rights.MEMBERSHIP: f"({_PRIVATE} {_WAS_MEMBER} END)",
    Rights.ROOM: f"({_PRIVATE} {_IS_MEMBER} OR {_WAS_MEMBER} END)",
}
"""The one rule of who may read which message (design: store): every read of history asks it."""
SHOWN = f"m.kind <> '{Kind.ERASED}'"
SAID = f"m.kind IN ('{Kind.POST}', '{Kind.NOTICE}')"
NOT_IGNORED = (
    f"(NOT {SAID} OR NOT EXISTS (SELECT 1 FROM ignored WHERE account_id = :reader AND other_id = m.sender_id))"
)
"""What somebody says who is ignored is not seen; coming and going is, as it is live."""
COLUMNS = "m.msgid, m.kind, sender.name, m.sender_user, recipient.name, subject.name, m.text, m.tags, m.time_us"
JOINS = (
    " JOIN conversation AS c ON c.id = m.conversation_id"
    " JOIN account AS sender ON sender.id = m.sender_id"
    " LEFT JOIN account AS recipient ON recipient.id = m.recipient_id"
    " LEFT JOIN account AS subject ON subject.id = m.subject_id"
)
FROM = f" FROM message AS m{JOINS}"
CONVERSATIONS = (
    "SELECT id FROM conversation WHERE room_id IN (SELECT room_id FROM membership WHERE account_id = :reader)"
    " UNION SELECT id FROM conversation WHERE low_id = :reader"
    " UNION SELECT id FROM conversation WHERE high_id = :reader"
)
"""The conversations that an account has, or had, any part in."""


class NoSuchPlace(Exception):
    """The reader was never in that room, and does not learn that there is one."""


def check_place(connection: apsw.Connection, place: Conversation, reader_id: int) -> None:
    """Raises NoSuchPlace for a room that the reader was never in: not even its conversation is looked at."""
    if isinstance(place, InRoom):
        sql = "SELECT 1 FROM membership WHERE room_id = ? AND account_id = ? LIMIT 1"
        if connection.execute(sql, (place.room_id, reader_id)).fetchone() is None:
            raise NoSuchPlace


def relayed_of(row: Sequence[Any], room: str | None, host: str) -> Relayed:
    """A row of COLUMNS as it is told again; `room` is the room's name, None in private."""
    msgid, kind, sender, user, recipient, subject, text, tags, time_us = row
    shown = room if room is not None else recipient
    event = Kind(kind)
    return Relayed(
        f"{sender}!{user}@{host}",
        event.command,
        event.params_of(shown, subject or "", text),
        time_us,
        sender,
        msgid,
        json.loads(tags) if tags else NO_TAGS,
        extended=(shown, sender, sender) if event is Kind.JOIN else None,
    ).said_before()
