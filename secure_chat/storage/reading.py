"""Rows to values."""

from __future__ import annotations

import json
from typing import Any

import apsw

from secure_chat.chat.codes import Code, Purpose
from secure_chat.chat.messages import Between, Conversation, InRoom, Kind, PostId, StoredMessage
from secure_chat.chat.rooms import RoomModes, RoomRecord, Topic

_FIND_ROOM = "SELECT id FROM conversation WHERE room_id = ?"
_FIND_BETWEEN = "SELECT id FROM conversation WHERE low_id = ? AND high_id = ?"
_MESSAGE = (
    "SELECT conversation.room_id, message.sender_id, message.recipient_id, message.sequence, message.msgid,"
    " message.kind, message.sender_user, message.text, message.time_us, message.tags"
    " FROM message JOIN conversation ON conversation.id = message.conversation_id "
)


def conversation_keys(place: Conversation) -> tuple[int, ...]:
    """What a conversation is found by: its room, or its two accounts, the lower number first."""
    if isinstance(place, InRoom):
        return (place.room_id,)
    return tuple(sorted((place.sender_id, place.recipient_id)))


def find_conversation(connection: apsw.Connection, place: Conversation) -> int | None:
    """The row id of a conversation; None for one that has not begun."""
    keys = conversation_keys(place)
    row = connection.execute(_FIND_BETWEEN if len(keys) > 1 else _FIND_ROOM, keys).fetchone()
    return None if row is None else int(row[0])


def read_room(row: tuple[Any, ...]) -> RoomRecord:
    """A row of `room`."""
    room_id, name, folded, created_us, founder_id, topic, topic_by, topic_us, flags, key, limit = row
    return RoomRecord(
        room_id,
        name,
        folded,
        created_us,
        founder_id,
        None if topic is None else Topic(topic, topic_by, topic_us),
        RoomModes(frozenset(flags), key, limit),
    )


def read_code(row: tuple[Any, ...]) -> Code:
    """A row of `code`."""
    digest, number, purpose, by, made_us, expires_us, uses, left, name, account_id, room_id, revoked = row
    return Code(
        digest,
        number,
        Purpose(purpose),
        by,
        made_us,
        expires_us,
        uses,
        left,
        name,
        account_id,
        room_id,
        bool(revoked),
    )


def read_message(row: tuple[Any, ...]) -> StoredMessage:
    """A row of `_MESSAGE`."""
    room_id, sender_id, recipient_id, sequence, msgid, kind, user, text, time_us, tags = row
    where: Conversation = Between(sender_id, recipient_id) if room_id is None else InRoom(room_id)
    client_tags = json.loads(tags) if tags else {}
    return StoredMessage(where, sequence, msgid, Kind(kind), sender_id, user, text, time_us, client_tags)


def select_message(connection: apsw.Connection, message_id: int) -> StoredMessage:
    """The message of this row id."""
    return read_message(next(connection.execute(_MESSAGE + "WHERE message.id = ?", (message_id,))))


def select_posted(connection: apsw.Connection, account_id: int, post_id: PostId) -> StoredMessage | None:
    """What an account has posted with this id and this content; None where that is not known, or no longer kept."""
    sql = "SELECT message_id FROM post_id WHERE account_id = ? AND id = ? AND digest = ?"
    row = connection.execute(sql, (account_id, post_id.id, post_id.digest)).fetchone()
    return None if row is None or row[0] is None else select_message(connection, row[0])
