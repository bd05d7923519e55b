"""The index for searching lies in chapters: each word in it begins with the number of the chapter it stands in.

A chapter holds CHAPTER_MESSAGES messages, by their numbers. So the list of a word is never longer than a chapter,
however common the word: FTS5 copies such a list at once, and meanwhile nobody is answered (50 ms for a word in each
of 300,000 messages). And a search for the newest messages looks into the newest chapters only.
"""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from secure_chat.chat.messages import Kind
from secure_chat.protocol.search import words_of

CHAPTER_MESSAGES = 4_096
JOINED_PAGES = 64
"""Pages of the index written anew each time something is put into it, to join pieces of it: by itself FTS5 writes
five times as many at once, and less often.
"""
SEARCHED = f"kind IN ('{Kind.POST}', '{Kind.NOTICE}')"
ENTRIES = (
    "SELECT id, indexed_place(id, conversation_id) AS place, indexed_words(id, text) AS words FROM message"
    f" WHERE {SEARCHED}"
)
"""What the index has to hold."""
_INDEX = f"INSERT INTO message_words (rowid, place, words) {ENTRIES} AND id > ?"
_INDEXED = "UPDATE tick SET indexed_id = (SELECT coalesce(max(id), 0) FROM message)"
_JOIN = f"INSERT INTO message_words (message_words, rank) VALUES ('merge', {JOINED_PAGES})"
_UNINDEXED = "SELECT count(*) FROM message WHERE id > (SELECT indexed_id FROM tick)"


def add_functions(connection: apsw.Connection) -> None:
    """Give `connection` the functions that ENTRIES uses."""
    for name, function in (("indexed_place", _indexed_place), ("indexed_words", _indexed_words)):
        connection.create_scalar_function(name, function, 2, deterministic=True)


def index_rest(connection: apsw.Connection) -> None:
    """Put into the index what is not in it yet."""
    (indexed_id,) = next(connection.execute("SELECT indexed_id FROM tick"))
    connection.execute(_INDEXED)
    connection.execute(_INDEX, (indexed_id,))
    connection.execute(_JOIN)


def count_unindexed(connection: apsw.Connection) -> int:
    """How many messages that is, those without words among them."""
    (count,) = next(connection.execute(_UNINDEXED))
    return int(count)


def chapter_of(message_id: int) -> int:
    """The number of the chapter that a message is in."""
    return message_id // CHAPTER_MESSAGES


def place_in(chapter: int, conversation_id: int) -> str:
    """A conversation, as the index knows it."""
    return f"{chapter:06x}c{conversation_id}"


def words_in(chapter: int, words: Sequence[str]) -> str:
    """Words that follow each other, as the index has them."""
    begin = f"{chapter:06x}"
    return begin + f" {begin}".join(words) if words else ""


def _indexed_place(*values: apsw.SQLiteValue) -> str:
    message_id, conversation_id = values
    assert isinstance(message_id, int)
    assert isinstance(conversation_id, int)
    return place_in(chapter_of(message_id), conversation_id)


def _indexed_words(*values: apsw.SQLiteValue) -> str:
    message_id, text = values
    assert isinstance(message_id, int)
    return words_in(chapter_of(message_id), words_of(str(text)))
