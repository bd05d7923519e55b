"""Whether a database holds together: SQLite's own view of it, its schema, the sequences, and the index of words.

All of it only reads (what is needed beside it is kept in `temp`), and errors of SQLite pass through. Each question
reads a whole table or more: for a database that nobody writes to, or a copy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import apsw

from secure_chat.storage.chapters import ENTRIES, SEARCHED
from secure_chat.storage.database import add_functions, schema_scripts
from secure_chat.storage.volumes import INDEX, VOLUME_MESSAGES, definition, shadows_of, table_of, volumes

SHOWN_DAMAGES = 5
_OBJECTS = "SELECT type || ' ' || name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
_HAS_VOLUMES = "SELECT 1 FROM pragma_table_info('index_volume')"
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
    f" AND id / {VOLUME_MESSAGES} NOT IN (SELECT number FROM index_volume)"
)
_MISSING = f"SELECT id FROM message WHERE {SEARCHED} AND {_HERE} EXCEPT SELECT rowid FROM {{table}}"
_AHEAD = "SELECT indexed_id > coalesce((SELECT max(id) FROM message), 0) FROM tick"
_STRAY = f"SELECT rowid FROM {{table}} EXCEPT SELECT id FROM message WHERE {SEARCHED} AND {_HERE}"
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
    found, tables = _objects(connection), [INDEX] if any(name == f"table {INDEX}" for name, _ in wanted) else []
    if connection.execute(_HAS_VOLUMES).fetchone() is not None:
        for volume in volumes(connection):
            tables.append(table_of(volume))
            wanted.add((f"table {tables[-1]}", _normal(definition(volume))))
    # How FTS5 makes tables of its own differs with its version.
    shadows = {f"table {shadow}": f"table {table}" for table in tables for shadow in shadows_of(table)}
    wanted = {(name, sql) for name, sql in wanted if name not in shadows} | {(name, "") for name in shadows}
    found = {(name, "" if name in shadows else sql) for name, sql in found}
    altered = {name for name, _sql in wanted ^ found}
    return sorted(name for name in altered if shadows.get(name) not in altered)


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
    missing = _numbers(connection, _WITHOUT_VOLUME)
    stray, other_words = [], []
    for volume in volumes(connection):
        here = {"table": table_of(volume), "first": volume * VOLUME_MESSAGES}
        missing += (lacking := _numbers(connection, _MISSING.format(**here)))
        stray += (strange := _numbers(connection, _STRAY.format(**here)))
        other = set(_with_other_words(connection, volume, _HERE.format(**here)))
        other_words += sorted(other - {*lacking, *strange})
    (ahead,) = next(connection.execute(_AHEAD))
    return Index(sorted(missing), stray, other_words, bool(ahead))


def _numbers(connection: apsw.Connection, sql: str) -> list[int]:
    return [int(row[0]) for row in connection.execute(sql)]


def _with_other_words(connection: apsw.Connection, volume: int, here: str) -> Iterator[int]:
    """Messages that a volume has with other words than they hold; perhaps some that only one of the two has."""
    connection.execute(definition(volume).replace(table_of(volume), "temp.wanted"))
    connection.execute(f"INSERT INTO temp.wanted (rowid, place, words) {ENTRIES} AND {here}")
    for name, table in (("found", f"main, {table_of(volume)}"), ("wanted", "temp, wanted")):
        connection.execute(f"CREATE VIRTUAL TABLE temp.{name}_words USING fts5vocab({table}, col)")
        connection.execute(f"CREATE VIRTUAL TABLE temp.{name}_at USING fts5vocab({table}, instance)")
    for term in _differing_terms(connection):
        yield from _differing_in(connection, term)
    for name in ("found_words", "found_at", "wanted_words", "wanted_at", "wanted"):
        connection.execute(f"DROP TABLE temp.{name}")


def _differing_terms(connection: apsw.Connection) -> Iterator[str]:
    """Words that are not in as many messages, or not as often, in both indexes."""
    terms: set[str] = set()
    for one, other in (("found", "wanted"), ("wanted", "found")):
        rows = connection.execute(f"{_COUNTS}{one}_words EXCEPT {_COUNTS}{other}_words")
        terms.update(row[0] for row in rows)
    return iter(terms)


def _differing_in(connection: apsw.Connection, term: str) -> Iterator[int]:
    for one, other in (("found", "wanted"), ("wanted", "found")):
        sql = f"{_PLACES.format(one)} EXCEPT {_PLACES.format(other)}"
        yield from (row[0] for row in connection.execute(sql, (term,)))
