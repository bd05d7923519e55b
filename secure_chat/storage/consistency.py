"""Whether a database holds together: SQLite's own view of it, its schema, the sequences, and the index of words.

All of it only reads (what is needed beside it is kept in `temp`), and errors of SQLite pass through. Each question
reads a whole table or more: for a database that nobody writes to, or a copy.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass

import apsw

from secure_chat.storage.chapters import ENTRIES, SEARCHED
from secure_chat.storage.database import add_functions, schema_scripts
from secure_chat.storage.volumes import (
    TABLE,
    VOLUME_MESSAGES,
    all_tables,
    definition,
    shadows_of,
    used_tables,
)

SHOWN_DAMAGES = 5
SHADOWS = ("data", "idx", "docsize", "config")
"""How the tables end in which FTS5 may keep what is in one of its own."""
_OBJECTS = "SELECT type || ' ' || name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
_NAME = (
    "coalesce((SELECT name FROM room WHERE room.id = c.room_id),"
    " (SELECT name FROM account WHERE account.id = c.low_id) || ' and '"
    " || (SELECT name FROM account WHERE account.id = c.high_id), 'number ' || c.id)"
)
_GAPS = (
    "WITH place AS (SELECT conversation_id AS id, sequence, lag(sequence)"
    " OVER (PARTITION BY conversation_id ORDER BY sequence) AS previous FROM message)"
    f" SELECT {_NAME}, coalesce(previous + 1, {{first}}), sequence - 1 FROM place JOIN conversation AS c USING (id)"
    " WHERE sequence != coalesce(previous + 1, {first})"
    f" UNION ALL SELECT {_NAME}, coalesce(last + 1, {{first}}), next_sequence - 1 FROM conversation AS c LEFT JOIN"
    " (SELECT conversation_id AS id, max(sequence) AS last FROM message GROUP BY 1) USING (id)"
    " WHERE coalesce(last + 1, {first}) != next_sequence"
)
_PRUNES = "SELECT 1 FROM pragma_table_info('conversation') WHERE name = 'first_sequence'"
_HERE = f"id <= (SELECT indexed_id FROM tick) AND id >= {{first}} AND id < {{first}} + {VOLUME_MESSAGES}"
_WITHOUT_VOLUME = (
    f"SELECT id FROM message WHERE {SEARCHED} AND id <= (SELECT indexed_id FROM tick)"
    f" AND id / {VOLUME_MESSAGES} NOT IN (SELECT volume FROM index_table WHERE state = 'used')"
)
_PLACE_OF = (
    f"SELECT 'place : ' || indexed_place(id, conversation_id) FROM message WHERE {SEARCHED} AND {_HERE} AND id = ?"
)
_WILL_GO = (
    "SELECT 1 FROM index_table, tick WHERE ? <= indexed_id AND volume = ? AND state = 'used' AND stale"
    " AND indexed_id <= (SELECT max(id) FROM message)"
)
"""Whether a message that is gone is still to be taken out of the index."""
_AHEAD = "SELECT indexed_id > coalesce((SELECT max(id) FROM message), 0) FROM tick"
_COUNTS = "SELECT term, col, doc, cnt FROM temp."
_PLACES = "SELECT doc, col, offset FROM temp.{}_at WHERE term = ?1"


@dataclass(frozen=True, slots=True)
class Gap:
    """Sequences `first` to `last` of a conversation are not there. If `last` < `first` there are more than there
    should be: those from `last` + 1 to `first` - 1.
    """

    conversation: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Index:
    """How the index of words differs from the messages: numbers (message.id) of those that are not in it, of what
    is in it and is no message, and of messages that are there with other words. `ahead`: the next messages would
    be taken for some that are in it.
    """

    missing: list[int]
    stray: list[int]
    other_words: list[int]
    ahead: bool


def damages(connection: apsw.Connection) -> list[str]:
    """What SQLite finds damaged, in its words; the index of words included. At most SHOWN_DAMAGES."""
    found = connection.execute(f"PRAGMA integrity_check({SHOWN_DAMAGES})")
    return [str(text) for (text,) in found if text != "ok"]


def orphans(connection: apsw.Connection) -> list[str]:
    """Rows that refer to rows that are not there: table and row number of each."""
    return [f"{table} {row}" for table, row, *_ in connection.execute("PRAGMA foreign_key_check")]


def altered_objects(connection: apsw.Connection, version: int) -> list[str]:
    """Tables, indexes and triggers that are not as version `version` of the schema makes them: missing, changed,
    or added.
    """
    model = apsw.Connection(":memory:")
    try:
        add_functions(model)
        for script in schema_scripts()[:version]:
            model.execute(script)
        wanted = _objects(model)
    finally:
        model.close(True)
    found, tables = _objects(connection), []
    # What is in a table that somebody changed may be anything.
    if "table index_table" in {name for name, _sql in wanted & found}:
        tables = [*all_tables(connection)]
        wanted |= {(f"table {table}", _normal(definition(table))) for table in tables}
        wanted |= {(f"table {shadow}", "") for table in tables for shadow in shadows_of(table)}
    # How FTS5 makes tables of its own differs with its version.
    shadows = {f"table {table}_{end}": f"table {table}" for table in [TABLE, *tables] for end in SHADOWS}
    altered = {name for name, _sql in _without(shadows, wanted) ^ _without(shadows, found)}
    return sorted(name for name in altered if shadows.get(name) not in altered)


def _without(shadows: Container[str], objects: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    return {(name, "" if name in shadows else sql) for name, sql in objects}


def _objects(connection: apsw.Connection) -> set[tuple[str, str]]:
    """Kind and name of each, and how it was made."""
    return {(name, _normal(sql)) for name, sql in connection.execute(_OBJECTS)}


def _normal(sql: str) -> str:
    """How names are quoted differs with the version of SQLite."""
    return " ".join(sql.replace('"', "").split())


def gaps(connection: apsw.Connection) -> list[Gap]:
    """Where the sequences of conversations are not those from the first one that is kept to the last one given."""
    first = "first_sequence" if connection.execute(_PRUNES).fetchone() is not None else "1"
    return [Gap(*row) for row in connection.execute(_GAPS.format(first=first))]


def compare_index(connection: apsw.Connection) -> Index:
    """The index of words against the messages: an index of the same kind is made beside it, and compared.

    Takes about 2 s for 600,000 messages. `connection` needs nothing but to be readable.
    """
    add_functions(connection)
    connection.execute("PRAGMA temp_store=FILE")
    missing = [int(row[0]) for row in connection.execute(_WITHOUT_VOLUME)]
    stray: list[int] = []
    other_words: list[int] = []
    for volume, table in used_tables(connection).items():
        first = volume * VOLUME_MESSAGES
        has = f"SELECT 1 FROM {table} WHERE {table} MATCH ? AND rowid = ?"
        for number in sorted(set(_differing(connection, table, first))):
            place = connection.execute(_PLACE_OF.format(first=first), (number,)).fetchone()
            if place is not None:
                is_there = connection.execute(has, (*place, number)).fetchone() is not None
                (other_words if is_there else missing).append(number)
            elif connection.execute(_WILL_GO, (number, volume)).fetchone() is None:
                stray.append(number)
    (ahead,) = next(connection.execute(_AHEAD))
    return Index(sorted(missing), stray, other_words, bool(ahead))


def _differing(connection: apsw.Connection, table: str, first: int) -> Iterator[int]:
    """Numbers of messages of which a volume does not have what it should."""
    connection.execute(definition("temp.wanted"))
    connection.execute(f"INSERT INTO temp.wanted (rowid, place, words) {ENTRIES} AND {_HERE.format(first=first)}")
    for name, of in (("found", f"main, {table}"), ("wanted", "temp, wanted")):
        connection.execute(f"CREATE VIRTUAL TABLE temp.{name}_words USING fts5vocab({of}, col)")
        connection.execute(f"CREATE VIRTUAL TABLE temp.{name}_at USING fts5vocab({of}, instance)")
    for term in _differing_terms(connection):
        yield from _differing_in(connection, term)
    for name in ("found_words", "found_at", "wanted_words", "wanted_at", "wanted"):
        connection.execute(f"DROP TABLE temp.{name}")


def _differing_terms(connection: apsw.Connection) -> Iterator[str]:
    """All conversations, and words that are not in as many messages, or not as often, in both indexes."""
    terms: set[str] = set()
    for one, other in (("found", "wanted"), ("wanted", "found")):
        rows = connection.execute(f"{_COUNTS}{one}_words EXCEPT {_COUNTS}{other}_words")
        terms.update(row[0] for row in rows)
        terms.update(row[0] for row in connection.execute(f"SELECT term FROM temp.{one}_words WHERE col = 'place'"))
    return iter(terms)


def _differing_in(connection: apsw.Connection, term: str) -> Iterator[int]:
    for one, other in (("found", "wanted"), ("wanted", "found")):
        sql = f"{_PLACES.format(one)} EXCEPT {_PLACES.format(other)}"
        yield from (row[0] for row in connection.execute(sql, (term,)))
