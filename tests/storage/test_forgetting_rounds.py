"""Pruning stops after so many messages, and goes on when the index is rid of them."""

from __future__ import annotations

from pathlib import Path

import apsw

from secure_chat.chat import effects as fx
from secure_chat.chat.forgetting import Forgetting
from secure_chat.storage.forgetting import PRUNED_MESSAGES
from secure_chat.storage.sqlite import SqliteStore
from tests.e2e.waiting import wait_for
from tests.storage.contract import ALICE, BOB, TEA
from tests.storage.forgetting_contract import forget_all

NEXT = 2 * PRUNED_MESSAGES
FIRST, LAST = NEXT - 40, NEXT + 40
BEFORE_US = 10**9


def rows(path: Path, sql: str) -> list[tuple[apsw.SQLiteValue, ...]]:
    """What the database says."""
    connection = apsw.Connection(str(path))
    found = list(connection.execute(sql))
    connection.close()
    return found


def test_a_round_ends_with_merging(tmp_path: Path) -> None:
    """An erasure that is begun meanwhile ends first; then that is as before."""
    path = tmp_path / "chat.db"
    store = SqliteStore(path)
    store.stage([fx.AccountSet(ALICE), fx.AccountSet(BOB), fx.RoomSet(TEA)])
    store.commit()
    store.close()
    rows(
        path,
        f"WITH RECURSIVE ids(value) AS (SELECT {FIRST} UNION ALL SELECT value + 1 FROM ids WHERE value < {LAST})"
        " INSERT INTO message (id, conversation_id, sequence, msgid, kind, sender_id, sender_user, text, time_us)"
        f" SELECT value, 1, value - {FIRST} + 1, 'm' || value, 'post', {ALICE.id}, 'al', 'words', value"
        f" FROM ids; UPDATE conversation SET next_sequence = {LAST - FIRST + 2}",
    )
    store = SqliteStore(path)
    done: list[Forgetting] = []
    while (what := store.to_forget(BEFORE_US, 0)) is not Forgetting.INDEX or Forgetting.FILES not in done:
        assert what is not None
        if what is Forgetting.FILES:
            wait_for(store.files_are_clean)
        done.append(what)
        store.stage([fx.Forgot(what, BEFORE_US, 0)])
        store.commit()
        if len(done) == 2:
            store.stage([fx.ErasureBegun(BOB.id)])
            store.commit()
    erasing = [Forgetting.ERASURE, Forgetting.INDEX, Forgetting.FILES]
    assert list(dict.fromkeys(done[2:])) == [*erasing, Forgetting.AGE]
    assert rows(path, "SELECT min(id) FROM message") == [(NEXT,)]
    store.stage([fx.ErasureBegun(BOB.id)])
    store.commit()
    assert store.to_forget(BEFORE_US, 0) is Forgetting.ERASURE
    done = forget_all(store, before_us=BEFORE_US)
    # What is still to be deleted was blanked before, and is not in the index: after it the files are clean.
    assert list(dict.fromkeys(done)) == [*erasing, Forgetting.AGE]
    assert rows(path, "SELECT id, kind FROM message") == [(LAST, "erased")]
    assert rows(path, "SELECT count(*) FROM message_words") == [(0,)]
    store.close()
