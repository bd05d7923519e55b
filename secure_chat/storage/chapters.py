"""The volumes of the index for searching lie in chapters: each word begins with the chapter that it stands in.

A chapter holds CHAPTER_MESSAGES messages, by their numbers. So the list of a word is never longer than a chapter,
however common the word: FTS5 copies such a list at once, and meanwhile nobody is answered (50 ms for a word in each
of 300,000 messages). And a search for the newest messages looks into the newest chapters only.
"""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from secure_chat.chat.messages import Kind
from secure_chat.protocol.search import words_of
from secure_chat.storage.volumes import VOLUME_MESSAGES, join_pieces, table_for

CHAPTER_MESSAGES = 4_096
VOLUME_CHAPTERS = VOLUME_MESSAGES // CHAPTER_MESSAGES
"""Each word begins with the number of its chapter in the volume, one digit to the base 16."""
assert VOLUME_CHAPTERS <= 16
JOINED_PAGES = 64
"""Pages of the index written anew each time something is put into it, to join pieces of it: by itself FTS5 writes
five times as many at once, and less often.
"""
SEARCHED_KINDS = (Kind.POST, Kind.NOTICE)
SEARCHED = f"kind IN ('{Kind.POST}', '{Kind.NOTICE}')"
ENTRIES = (
    "SELECT id, indexed_place(id, conversation_id) AS place, indexed_words(id, text) AS words FROM message"
    f" WHERE {SEARCHED}"
)
"""What the index has to hold."""
_VOLUMES = (
    f"SELECT DISTINCT id / {VOLUME_MESSAGES} FROM message WHERE id > (SELECT indexed_id FROM tick) ORDER BY 1"
)
_INDEXED = "UPDATE tick SET indexed_id = (SELECT coalesce(max(id), 0) FROM message)"
_UNINDEXED = "SELECT count(*) FROM message WHERE id > (SELECT indexed_id FROM tick)"


def add_functions(connection: apsw.Connection) -> None:
    """Give `connection` the functions that ENTRIES uses."""
    for name, function in (("indexed_place", _indexed_place), ("indexed_words", _indexed_words)):
        connection.create_scalar_function(name, function, 2, deterministic=True)


def index_rest(connection: apsw.Connection) -> None:
    """Put into the index what is not in it yet."""
    (indexed_id,) = next(connection.execute("SELECT indexed_id FROM tick"))
    assert isinstance(indexed_id, int)
    for (volume,) in list(connection.execute(_VOLUMES)):
        assert isinstance(volume, int)
        first, last = max(indexed_id + 1, volume * VOLUME_MESSAGES), (volume + 1) * VOLUME_MESSAGES - 1
        index_between(connection, table_for(connection, volume), first, last, JOINED_PAGES)
    connection.execute(_INDEXED)


def index_between(connection: apsw.Connection, table: str, first: int, last: int, joined_pages: int) -> None:
    """Put the messages of a volume from number `first` to `last` into a table of it, and join pieces of that."""
    sql = f"INSERT INTO {table} (rowid, place, words) {ENTRIES} AND id >= ? AND id <= ?"
    connection.execute(sql, (first, last))
    join_pieces(connection, table, joined_pages)


def count_unindexed(connection: apsw.Connection) -> int:
    """How many messages that is, those without words among them."""
    (count,) = next(connection.execute(_UNINDEXED))
    return int(count)


def chapter_of(message_id: int) -> int:
    """The number of the chapter that a message is in."""
    return message_id // CHAPTER_MESSAGES


def chapters_of(volume: int) -> range:
    """The chapters that a volume has room for."""
    return range(volume * VOLUME_CHAPTERS, (volume + 1) * VOLUME_CHAPTERS)


def place_in(chapter: int, conversation_id: int) -> str:
    """A conversation, as the chapter's volume knows it."""
    return f"{_begin(chapter)}c{conversation_id}"


def words_in(chapter: int, words: Sequence[str]) -> str:
    """Words that follow each other, as the chapter's volume has them."""
    begin = _begin(chapter)
    return begin + f" {begin}".join(words) if words else ""


def _begin(chapter: int) -> str:
    return f"{chapter % VOLUME_CHAPTERS:x}"


def _indexed_place(*values: apsw.SQLiteValue) -> str:
    message_id, conversation_id = values
    assert isinstance(message_id, int)
    assert isinstance(conversation_id, int)
    return place_in(chapter_of(message_id), conversation_id)


def _indexed_words(*values: apsw.SQLiteValue) -> str:
    message_id, text = values
    assert isinstance(message_id, int)
    return words_in(chapter_of(message_id), words_of(str(text)))
