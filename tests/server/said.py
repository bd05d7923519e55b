"""A home in which something was said, written by the real store."""

from __future__ import annotations

from pathlib import Path

import apsw

from secure_chat.chat import effects as fx
from secure_chat.chat.messages import Between, Conversation, InRoom, Kind, NewMessage
from secure_chat.chat.rooms import RoomRecord
from secure_chat.protocol.relay import Relayed
from secure_chat.storage.database import add_functions
from secure_chat.storage.sqlite import SqliteStore

TEA = 77
ROOM_POSTS = 6


def say_something(home: Path) -> None:
    """#tea with ROOM_POSTS posts and a topic, and a private message."""
    store = SqliteStore(home / "chat.db")
    alice, bob, *_ = (account.id for account in store.load().accounts)
    store.stage([fx.RoomSet(RoomRecord(TEA, "#tea", "#tea", 1, alice))])
    for number in range(ROOM_POSTS):
        store.stage([append(InRoom(TEA), alice, f"kettle number{number}", f"m{number}")])
    store.stage([append(InRoom(TEA), alice, "a topic that is not searched", "topic", Kind.TOPIC)])
    store.stage([append(Between(alice, bob), alice, "only for you", "private")])
    store.commit()
    store.close()


def append(place: Conversation, sender: int, text: str, msgid: str, kind: Kind = Kind.POST) -> fx.Append:
    """A message to be stored."""
    line = Relayed("a!a@h", kind.command, ("#tea", text), 99, "a", msgid)
    return fx.Append(NewMessage(place, kind, sender, "a", line))


UNINDEX = (
    "INSERT INTO message_words_1 (message_words_1, rowid, place, words)"
    " SELECT 'delete', id, indexed_place(id, conversation_id), indexed_words(id, text) FROM message"
    " WHERE kind IN ('post', 'notice')"
)
"""Take messages out of the index (FTS5's documentation, "The 'delete' command")."""


def statements(home: Path, sql: str) -> None:
    """Do something to the database behind the program's back."""
    connection = apsw.Connection(str(home / "chat.db"))
    add_functions(connection)
    connection.execute(sql)
    connection.close()
