"""The index for searching lies in volumes: a table of FTS5 for each VOLUME_MESSAGES messages, by their numbers.

A volume that has words of messages that are gone is made anew, in another table and a little at a time. (FTS5 could
take single messages out of a table, but what it does for that at once takes longer the more there is: 6 ms at the
end where a table has a million messages, 7 ms for a word that many of them have.) So forgetting writes a volume in
which something is gone once; one of whose messages none is left is taken apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import apsw

VOLUME_MESSAGES = 65_536
"""Fewer would be more tables: each makes it take 20 µs longer to open the database."""
TABLE = "message_words"
_MAKE = (
    "CREATE VIRTUAL TABLE {table} USING fts5("
    "place, words, content = '', columnsize = 0, prefix = '4', tokenize = 'ascii')"
)
_OURS = re.compile(rf"{TABLE}_\d+(_[a-z]+)?")
_NUMBERS = "typeof(number) = 'integer' AND typeof(volume) = 'integer'"
"""In a database that somebody changed there may be anything; `check` reads that, too."""
_JOIN_BY_ITSELF = "INSERT INTO {table} ({table}, rank) VALUES ('automerge', 0)"
_JOIN = "INSERT INTO {table} ({table}, rank) VALUES ('merge', ?)"


def volume_of(message_id: int) -> int:
    """The number of the volume that a message is in."""
    return message_id // VOLUME_MESSAGES


def table_of(number: int) -> str:
    """How the table of this number is called."""
    return f"{TABLE}_{number:d}"


def shadows_of(table: str) -> Sequence[str]:
    """The tables in which FTS5 keeps what is in that one."""
    return [f"{table}_{end}" for end in ("data", "idx", "config")]


def definition(table: str) -> str:
    """How a table of the index is made."""
    return _MAKE.format(table=table)


def used_tables(connection: apsw.Connection) -> Mapping[int, str]:
    """The volumes that there are, and in which table each is."""
    rows = connection.execute(
        f"SELECT volume, number FROM index_table WHERE {_NUMBERS} AND state = 'used' ORDER BY 1"
    )
    return {int(volume): table_of(number) for volume, number in rows}


def all_tables(connection: apsw.Connection) -> Sequence[str]:
    """Those that are made or taken apart, too."""
    return [
        table_of(number) for (number,) in connection.execute(f"SELECT number FROM index_table WHERE {_NUMBERS}")
    ]


def table_for(connection: apsw.Connection, volume: int) -> str:
    """The one in use for a volume, made where there is none; that takes 0.4 ms."""
    row = connection.execute(
        "SELECT number FROM index_table WHERE volume = ? AND state = 'used'", (volume,)
    ).fetchone()
    return begin_table(connection, volume) if row is None else table_of(row[0])


def begin_table(connection: apsw.Connection, volume: int, made_to: int | None = None) -> str:
    """Make an empty table for a volume: one to be used, or one that will be when it is made (`made_to`)."""
    sql = "INSERT INTO index_table (volume, state, made_to) VALUES (?, ?, ?)"
    connection.execute(sql, (volume, "used" if made_to is None else "made", made_to))
    table = table_of(connection.last_insert_rowid())
    connection.execute(definition(table))
    # Pieces of it are joined by the program, a little each time.
    connection.execute(_JOIN_BY_ITSELF.format(table=table))
    return table


def join_pieces(connection: apsw.Connection, table: str, pages: int) -> None:
    """Join what was put into a table bit by bit, where that is worth it; about so many pages of it are written
    (FTS5's documentation, "The 'merge' command").
    """
    connection.execute(_JOIN.format(table=table), (pages,))


def drop_tables(connection: apsw.Connection) -> None:
    """Leave no index at all, nor anything that has the name of one: what is listed may not be what is there."""
    names = [str(name) for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    for name in sorted(filter(_OURS.fullmatch, names)):  # a table comes before those that FTS5 keeps it in
        connection.execute(f"DROP TABLE IF EXISTS {name}")
    connection.execute("DELETE FROM index_table")
