"""Forgetting in small steps, by the writer's connection: see `schema/0006_forgetting.sql` for what stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Any

import apsw

from secure_chat.chat import effects as fx
from secure_chat.chat.forgetting import POST_IDS_SECONDS, Forgetting
from secure_chat.chat.messages import Kind
from secure_chat.storage.chapters import SEARCHED_KINDS
from secure_chat.storage.renewing import is_stale, make_stale, renew

ERASED_ROWS = 50
BLANKED_ROWS = 15
BLANKED_AHEAD_ROWS = 300
"""So far ahead of the deletion words are blanked: more than the pages hold that SQLite arranges anew together."""
PRUNED_ROWS = 30
SCANNED_ROWS = 2_000
"""Rows in which a step looks for messages of the account: there is no index by sender."""
POST_ID_ROWS = 200
ALL_SEEN = 2**63 - 1
_LEFT = "SELECT 1 FROM setting WHERE key = 'forgetting'"
_KEEP_LEFT = "INSERT OR IGNORE INTO setting VALUES ('forgetting', 'files')"
_ERASING = "SELECT id, erasing_from FROM account WHERE erasing_from < ? LIMIT 1"
_ERASED = "SELECT 1 FROM account WHERE erasing_from = ? LIMIT 1"
_OLDEST = "SELECT id, time_us, kind FROM message ORDER BY id LIMIT 1"
_OLD = "SELECT id, conversation_id, sequence, time_us, kind FROM message ORDER BY id LIMIT ?"
_BLANK = (
    f"UPDATE message SET kind = '{Kind.ERASED}', text = printf('%*s', max(octet_length(text) - 2, 0), ''),"
    " sender_user = printf('%*s', octet_length(sender_user), ''), tags = printf('%*s', octet_length(tags), ''),"
    " sender_device = printf('%*s', octet_length(sender_device), '') WHERE id = ?"
)
"""As a tombstone, but about as long as it was: it stays where it is on its page."""
_POST_IDS_GONE = "SELECT 1 FROM post_id WHERE gone_us < ? LIMIT 1"
_MAKE_TOMBSTONE = (
    f"UPDATE message SET kind = '{Kind.ERASED}', sender_user = '', sender_device = NULL, recipient_id = NULL,"
    " subject_id = NULL, text = '', tags = NULL WHERE id = ?"
)
_UNLINK_POST_ID = (
    "UPDATE post_id SET message_id = NULL, gone_us = ?2, (msgid, time_us) ="
    " (SELECT msgid, time_us FROM message WHERE id = ?1) WHERE message_id = ?1"
)
_PERSONAL = ("login", "membership", "read_marker", "position")
"""Tables of which an erased account keeps no row."""


def to_forget(connection: apsw.Connection, before_us: int, now_us: int) -> Forgetting | None:
    """What the next step is about; None where nothing is left. Errors of SQLite pass through."""
    if connection.execute(_ERASING, (ALL_SEEN,)).fetchone() is not None:
        return Forgetting.ERASURE
    # Somebody may wait for the end of an erasure: what is too old has time until after that.
    is_awaited = connection.execute(_ERASED, (ALL_SEEN,)).fetchone() is not None
    if not is_awaited and _is_too_old(connection, before_us):
        return Forgetting.AGE
    if connection.execute(_POST_IDS_GONE, (_post_ids_before(now_us),)).fetchone() is not None:
        return Forgetting.POST_IDS
    if is_stale(connection):
        return Forgetting.INDEX
    return None if connection.execute(_LEFT).fetchone() is None else Forgetting.FILES


def begin_erasure(connection: apsw.Connection, effect: fx.ErasureBegun) -> None:
    """Mark the account, and delete what else is kept of it alone."""
    key = (effect.account_id,)
    for table in _PERSONAL:
        connection.execute(f"DELETE FROM {table} WHERE account_id = ?", key)
    first = "(SELECT coalesce(min(id), 0) FROM message)"
    connection.execute(f"UPDATE account SET erasing_from = {first} WHERE id = ?", key)
    connection.execute(_KEEP_LEFT)


def forget(connection: apsw.Connection, effect: fx.Forgot) -> None:
    """Do a step."""
    _STEPS[effect.what](connection, effect)


def _is_too_old(connection: apsw.Connection, before_us: int) -> bool:
    """Whether the oldest message is; the newest one of all is kept where nothing is left of it to forget."""
    row = connection.execute(_OLDEST).fetchone()
    if row is None or row[1] >= before_us:
        return False
    return bool(row[2] != Kind.ERASED or row[0] != _newest_id(connection))


def _newest_id(connection: apsw.Connection) -> int:
    (newest,) = next(connection.execute("SELECT max(id) FROM message"))
    return int(newest)


def _erase(connection: apsw.Connection, _effect: fx.Forgot) -> None:
    account_id, start = next(connection.execute(_ERASING, (ALL_SEEN,)))
    connection.execute(
        "DELETE FROM post_id WHERE account_id = ?1 AND id IN"
        " (SELECT id FROM post_id WHERE account_id = ?1 LIMIT ?2)",
        (account_id, POST_ID_ROWS),
    )
    if connection.changes():
        return
    end = start + SCANNED_ROWS
    sql = "SELECT id, kind FROM message WHERE id >= ? AND id < ? AND sender_id = ? ORDER BY id LIMIT ?"
    found = list(connection.execute(sql, (start, end, account_id, ERASED_ROWS)))
    _gone(connection, found)
    connection.executemany(_MAKE_TOMBSTONE, [(number,) for number, _kind in found])
    after = found[-1][0] + 1 if len(found) == ERASED_ROWS else end
    is_last = connection.execute("SELECT 1 FROM message WHERE id >= ? LIMIT 1", (after,)).fetchone() is None
    place = (ALL_SEEN if is_last else after, account_id)
    connection.execute("UPDATE account SET erasing_from = ? WHERE id = ?", place)


def _prune(connection: apsw.Connection, effect: fx.Forgot) -> None:
    """Blank old messages, and delete those before which it is done: where rows are deleted SQLite moves others, and
    leaves copies of them behind in parts of pages that are not used.
    """
    oldest = connection.execute(_OLD, (BLANKED_AHEAD_ROWS,))
    # In the order in which they were said, times never go back.
    old = list(takewhile(lambda row: row[3] < effect.before_us, oldest))
    unblanked = [(row[0], row[4]) for row in old if row[4] != Kind.ERASED][:BLANKED_ROWS]
    if unblanked:
        _gone(connection, unblanked)
        connection.executemany(_UNLINK_POST_ID, [(number, effect.now_us) for number, _kind in unblanked])
        connection.executemany(_BLANK, [(number,) for number, _kind in unblanked])
    else:
        _delete(connection, old[:PRUNED_ROWS])


def _delete(connection: apsw.Connection, oldest: Sequence[tuple[Any, ...]]) -> None:
    rows, newest = list(oldest), _newest_id(connection)
    if rows[-1][0] == newest:
        connection.execute(_MAKE_TOMBSTONE, (newest,))
        rows.pop()
    connection.executemany("DELETE FROM message WHERE id = ?", [(row[0],) for row in rows])
    first = "UPDATE conversation SET first_sequence = ?2 + 1 WHERE id = ?1"
    connection.executemany(first, {row[1]: (row[1], row[2]) for row in rows}.values())


def _gone(connection: apsw.Connection, messages: Sequence[tuple[Any, ...]]) -> None:
    """Of these, told by number and kind, no search tells any more; but their words are in the index until that is
    made anew.
    """
    connection.execute(_KEEP_LEFT)
    make_stale(connection, [number for number, kind in messages if kind in SEARCHED_KINDS])


def _forget_post_ids(connection: apsw.Connection, effect: fx.Forgot) -> None:
    connection.execute(
        "DELETE FROM post_id WHERE (account_id, id) IN"
        " (SELECT account_id, id FROM post_id WHERE gone_us < ? LIMIT ?)",
        (_post_ids_before(effect.now_us), POST_ID_ROWS),
    )


def _renew(connection: apsw.Connection, _effect: fx.Forgot) -> None:
    renew(connection)


def _end(connection: apsw.Connection, _effect: fx.Forgot) -> None:
    connection.execute("DELETE FROM setting WHERE key = 'forgetting'")
    connection.execute("UPDATE account SET erasing_from = NULL WHERE erasing_from = ?", (ALL_SEEN,))


def _post_ids_before(now_us: int) -> int:
    return now_us - POST_IDS_SECONDS * 1_000_000


_STEPS: dict[Forgetting, Callable[[apsw.Connection, fx.Forgot], None]] = {
    Forgetting.ERASURE: _erase,
    Forgetting.AGE: _prune,
    Forgetting.POST_IDS: _forget_post_ids,
    Forgetting.INDEX: _renew,
    Forgetting.FILES: _end,
}
