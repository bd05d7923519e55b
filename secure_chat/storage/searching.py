"""Searching chapter by chapter, from the newest or from a time on, until enough is found. Any thread."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from math import inf
from typing import Any

import apsw

from secure_chat.chat.history import Rights, SearchQuery
from secure_chat.protocol.relay import Relayed
from secure_chat.protocol.search import Term, words_of
from secure_chat.storage.chapters import CHAPTER_MESSAGES, chapter_of, chapters_of, place_in, words_in
from secure_chat.storage.reading import find_conversation
from secure_chat.storage.visibility import (
    COLUMNS,
    CONVERSATIONS,
    JOINS,
    NOT_IGNORED,
    SAID,
    VISIBLE,
    check_place,
    relayed_of,
)
from secure_chat.storage.volumes import used_tables

_INDEXED = "SELECT indexed_id FROM tick"
_FIRST = "SELECT coalesce(min(id), 0) FROM message"
_BEGINS_US = "SELECT time_us FROM message WHERE id >= ? ORDER BY id LIMIT 1"
FEW_MESSAGES = 100
"""So many that have the words are looked at one by one; more are looked for together with the conversations."""
_WITH_WORDS = f"SELECT rowid FROM {{0}} WHERE {{0}} MATCH ? LIMIT {FEW_MESSAGES + 1}"
_HERE = "+c.id IN (SELECT value FROM json_each(:places))"


@dataclass(frozen=True, slots=True)
class _Some:
    """Where messages come from, which of them, and by what they are in the order in which they were said."""

    source: str
    match: str
    number: str = "m.id"


_UNINDEXED = _Some("message AS m NOT INDEXED", f"m.id > :indexed AND {SAID} AND {_HERE} AND has_terms(m.text)")
_FEW = _Some(
    "message AS m", f"m.id <= :indexed AND m.id IN (SELECT value FROM json_each(:ids)) AND {SAID} AND {_HERE}"
)
_IN_ONE = _Some("message AS m", f"m.conversation_id = :place AND {SAID}", "m.time_us {order}, m.id")
_ANYWHERE = _Some("message AS m NOT INDEXED", f"{SAID} AND {_HERE}")
"""The last two are without any words."""


def _many(table: str) -> _Some:
    match = f"w.rowid <= :indexed AND {table} MATCH :match AND {SAID}"
    return _Some(f"{table} AS w JOIN message AS m ON m.id = w.rowid", match, "w.rowid")


def search(connection: apsw.Connection, query: SearchQuery, rights: Rights, host: str) -> list[Relayed]:
    """What is found, oldest first. Raises NoSuchPlace; errors of SQLite pass through."""
    with connection:  # all of it as at one moment: messages and whole volumes may be going meanwhile
        places = _places(connection, query)
        rows = list(islice(_found(connection, query, rights, places), query.limit)) if places else []
    if query.after_ms is None:
        rows.reverse()
    return [relayed_of(row[:-1], row[-1], host) for row in rows]


def _found(
    connection: apsw.Connection, query: SearchQuery, rights: Rights, places: Sequence[int]
) -> Iterator[tuple[Any, ...]]:
    """What is found, from the end on that is asked for; those few that are not in the index yet are the newest."""
    (indexed_id,) = next(connection.execute(_INDEXED))
    values: dict[str, Any] = {
        "reader": query.reader_id,
        "sender": query.sender_id,
        "after": (query.after_ms or 0) * 1000,
        "before": ((query.before_ms or 0) + 1) * 1000,
        "limit": query.limit,
        "indexed": indexed_id,
        "places": json.dumps(places),
        "place": places[0],
    }

    def rows_of(some: _Some, **more: object) -> Iterator[tuple[Any, ...]]:
        return iter(connection.execute(_sql(some, query, rights), {**values, **more}))

    if not query.terms:
        yield from rows_of(_IN_ONE if len(places) == 1 else _ANYWHERE)
        return

    def has_terms(*said: apsw.SQLiteValue) -> bool:
        words = words_of(str(said[0]))
        return all(term.is_in(words) for term in query.terms)

    connection.create_scalar_function("has_terms", has_terms, 1, deterministic=True)
    if query.after_ms is None:
        yield from rows_of(_UNINDEXED)
    for table, chapter in _chapters(connection, query, indexed_id):
        words = f"words : ({' AND '.join(_quoted(chapter, term) for term in query.terms)})"
        ids = [row[0] for row in connection.execute(_WITH_WORDS.format(table), (words,))]
        if 0 < len(ids) <= FEW_MESSAGES:
            yield from rows_of(_FEW, ids=json.dumps(ids))
        elif ids:
            where = f"place : ({' OR '.join(place_in(chapter, number) for number in places)})"
            yield from rows_of(_many(table), match=f"{where} AND {words}")
    if query.after_ms is not None:
        yield from rows_of(_UNINDEXED)


def _sql(some: _Some, query: SearchQuery, rights: Rights) -> str:
    conditions = [some.match, VISIBLE[rights], NOT_IGNORED]
    if query.sender_id is not None:
        conditions.append("m.sender_id = :sender")
    if query.after_ms is not None:
        conditions.append("m.time_us >= :after")
    if query.before_ms is not None:
        conditions.append("m.time_us < :before")
    order = "DESC" if query.after_ms is None else "ASC"
    return (
        f"SELECT {COLUMNS}, room.name FROM {some.source}{JOINS} LEFT JOIN room ON room.id = c.room_id"
        f" WHERE {' AND '.join(conditions)} ORDER BY {some.number.format(order=order)} {order} LIMIT :limit"
    )


def _places(connection: apsw.Connection, query: SearchQuery) -> Sequence[int]:
    """The conversations to search: those that the reader has any right to."""
    if query.place is not None:
        check_place(connection, query.place, query.reader_id)
        conversation_id = find_conversation(connection, query.place)
        return [] if conversation_id is None else [conversation_id]
    return [int(row[0]) for row in connection.execute(CONVERSATIONS, {"reader": query.reader_id})]


def _chapters(connection: apsw.Connection, query: SearchQuery, last_id: int) -> Iterator[tuple[str, int]]:
    """Those that can hold what is looked for, in order, and their tables. (Times never go back from message to
    message.)
    """
    (first_id,) = next(connection.execute(_FIRST))
    there = range(chapter_of(first_id), chapter_of(last_id) + 1)
    tables = used_tables(connection).items()
    chapters = [(table, one) for volume, table in tables for one in chapters_of(volume) if one in there]
    for table, chapter in chapters if query.after_ms is not None else reversed(chapters):
        is_early = query.after_ms is not None and _begins_ms(connection, chapter + 1) < query.after_ms
        is_late = query.before_ms is not None and _begins_ms(connection, chapter) > query.before_ms
        if not is_early and not is_late:
            yield table, chapter


def _begins_ms(connection: apsw.Connection, chapter: int) -> float:
    """When the first message was said that is there from this chapter on."""
    row = connection.execute(_BEGINS_US, (chapter * CHAPTER_MESSAGES,)).fetchone()
    return inf if row is None else int(row[0]) // 1000


def _quoted(chapter: int, term: Term) -> str:
    """A term in the index's language; its words have nothing but letters, digits and accents."""
    return f'"{words_in(chapter, term.words)}"' + ("*" if term.prefix else "")
