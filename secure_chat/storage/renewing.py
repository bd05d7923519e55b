"""Making volumes of the index anew that have words of messages that are gone; in steps, by the writer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, takewhile

import apsw

from secure_chat.storage.chapters import index_between
from secure_chat.storage.volumes import VOLUME_MESSAGES, begin_table, table_of, volume_of

COPIED_ROWS = 32
"""Messages of which a step puts the words into the new table: 0.6 ms, at most 3."""
COPIED_CHARACTERS = 1_500
"""Fewer messages where they are long."""
JOINED_PAGES = 16
"""So many that pieces are joined as fast as they come, also where no word is there twice: 16 of a kind FTS5 joins
all at once (60 ms, seen with 16 pages and four times the characters).
"""
DROPPED_PAGES = 32
"""Pages of an old table that a step gives free."""
DROPPED_ROWS = 500
"""The same of the list that says what is on which page."""
STRUCTURE_ID, NO_STRUCTURE = 10, bytes(7)
"""Where FTS5 keeps which pages it has, and what is there if it has none (its source: FTS5_STRUCTURE_ROWID)."""
_NEXT = (
    "SELECT number, volume, state, made_to FROM index_table WHERE stale OR state <> 'used'"
    " ORDER BY state = 'old' DESC, state = 'made' DESC, volume LIMIT 1"
)
_LEFT = "SELECT 1 FROM message WHERE id >= ? AND id < ? LIMIT 1"
_ROWS = (
    "SELECT id, length(text) FROM message WHERE id >= ? AND id < ? AND id <= (SELECT indexed_id FROM tick)"
    f" ORDER BY id LIMIT {COPIED_ROWS}"
)


def is_stale(connection: apsw.Connection) -> bool:
    """Whether there is anything to do. Errors of SQLite pass through, here and below."""
    return connection.execute(_NEXT).fetchone() is not None


def make_stale(connection: apsw.Connection, ids: Sequence[int]) -> None:
    """These messages are gone; of those that are not in the index yet there is nothing to do."""
    (indexed_id,) = next(connection.execute("SELECT indexed_id FROM tick"))
    assert isinstance(indexed_id, int)
    for volume in {volume_of(number) for number in ids if number <= indexed_id}:
        connection.execute(
            "UPDATE index_table SET stale = 1 WHERE volume = ? AND state <> 'old' AND coalesce(made_to > ?, 1)",
            (volume, min(number for number in ids if volume_of(number) == volume)),
        )


def renew(connection: apsw.Connection) -> None:
    """The next step, where `is_stale`."""
    number, volume, state, made_to = next(connection.execute(_NEXT))
    if state == "old":
        _take_apart(connection, number)
    elif state == "made":
        _copy(connection, number, volume, made_to)
    elif _is_left(connection, volume):
        begin_table(connection, volume, made_to=_bounds(volume)[0])
    else:
        _give_up(connection, volume)


def _copy(connection: apsw.Connection, number: int, volume: int, made_to: int) -> None:
    rows = list(connection.execute(_ROWS, (made_to, _bounds(volume)[1])))
    if not rows:
        _give_up(connection, volume)
        state = "used" if _is_left(connection, volume) else "old"
        sql = "UPDATE index_table SET state = ?, made_to = NULL WHERE number = ?"
        connection.execute(sql, (state, number))
        return
    lengths = accumulate(length for _, length in rows)
    few = max(1, sum(1 for _ in takewhile(lambda length: length <= COPIED_CHARACTERS, lengths)))
    last = rows[few - 1][0]
    index_between(connection, table_of(number), made_to, last, joined_pages=JOINED_PAGES)
    connection.execute("UPDATE index_table SET made_to = ? WHERE number = ?", (last + 1, number))


def _give_up(connection: apsw.Connection, volume: int) -> None:
    sql = "UPDATE index_table SET state = 'old' WHERE volume = ? AND state = 'used'"
    connection.execute(sql, (volume,))


def _take_apart(connection: apsw.Connection, number: int) -> None:
    """Give some of its pages free: all at once takes 20 ms. Nothing reads it any more, but SQLite's own check must
    not find it damaged meanwhile.
    """
    data = f"{table_of(number)}_data"
    connection.execute(f"UPDATE {data} SET block = ? WHERE id = ?", (NO_STRUCTURE, STRUCTURE_ID))
    some = f"SELECT id FROM {data} WHERE id > {STRUCTURE_ID} LIMIT {DROPPED_PAGES}"
    connection.execute(f"DELETE FROM {data} WHERE id IN ({some})")
    if not connection.changes():
        some = f"SELECT segid, term FROM {table_of(number)}_idx LIMIT {DROPPED_ROWS}"
        connection.execute(f"DELETE FROM {table_of(number)}_idx WHERE (segid, term) IN ({some})")
    if not connection.changes():
        connection.execute(f"DROP TABLE {table_of(number)}")
        connection.execute("DELETE FROM index_table WHERE number = ?", (number,))


def _is_left(connection: apsw.Connection, volume: int) -> bool:
    """Whether there is any message of it."""
    return connection.execute(_LEFT, _bounds(volume)).fetchone() is not None


def _bounds(volume: int) -> tuple[int, int]:
    """Its first message, and the first one of the next."""
    return volume * VOLUME_MESSAGES, (volume + 1) * VOLUME_MESSAGES
