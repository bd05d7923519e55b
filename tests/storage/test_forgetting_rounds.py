"""Forgetting and the volumes of the index: each is merged before much in it is gone, and goes with its messages."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from secure_chat.chat import effects as fx
from secure_chat.chat.accounts import Account
from secure_chat.chat.forgetting import Forgetting
from secure_chat.chat.history import Rights, SearchQuery
from secure_chat.chat.messages import InRoom
from secure_chat.chat.rooms import Role
from secure_chat.protocol.search import parse_terms
from secure_chat.storage import forgetting
from secure_chat.storage.consistency import altered_objects, compare_index
from secure_chat.storage.database import schema_scripts
from secure_chat.storage.history import HistoryReader
from secure_chat.storage.sqlite import SqliteStore
from secure_chat.storage.volumes import VOLUME_MESSAGES
from tests.storage.contract import ALICE, BOB, TEA, message
from tests.storage.forgetting_contract import step

CAROL = Account(ALICE.id + 1, "Carol", "carol", "hash")
NEXT = 2 * VOLUME_MESSAGES
"""The first message of a volume."""
FIRST, LAST = NEXT - 40, NEXT + 40
GONE_MESSAGES = 30
BEFORE_US = 10**9
VOLUMES = "SELECT number, gone, merging FROM index_volume ORDER BY number"


def rows(path: Path, sql: str) -> list[tuple[apsw.SQLiteValue, ...]]:
    """What the database says."""
    connection = apsw.Connection(str(path))
    found = list(connection.execute(sql))
    connection.close()
    return found


def volumes(path: Path) -> list[apsw.SQLiteValue]:
    """The numbers of those that there are."""
    return [row[0] for row in rows(path, "SELECT number FROM index_volume ORDER BY number")]


def is_sound(path: Path) -> bool:
    """Whether each volume has the words of its messages, and nothing is there that should not be."""
    with apsw.Connection(str(path)) as connection:
        index = compare_index(connection)
        altered = altered_objects(connection, len(schema_scripts()))
    return not (index.missing or index.stray or index.other_words or index.ahead or altered)


def found(path: Path, words: str) -> list[str | None]:
    """The ids of the messages that Carol finds, who says nothing."""
    query = SearchQuery(CAROL.id, parse_terms(words), 1_000)
    return [one.msgid for one in HistoryReader(path, "h", Rights.ROOM).search(query)]


def steps(store: SqliteStore, before_us: int, until: Forgetting | None = None) -> list[Forgetting]:
    """Steps up to the first one of this kind, or to the end; what they were about, without repetitions in a row."""
    done: list[Forgetting] = []
    while (what := store.to_forget(before_us, 0)) is not None and what is not until:
        step(store, what, before_us)
        if done[-1:] != [what]:
            done.append(what)
    return done


def erase(store: SqliteStore, account: Account) -> None:
    """Begin to."""
    store.stage([fx.ErasureBegun(account.id)])
    store.commit()


@pytest.fixture(autouse=True)
def few_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A volume is merged when so few messages of it are gone."""
    monkeypatch.setattr(forgetting, "GONE_MESSAGES", GONE_MESSAGES)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Two volumes of Alice's messages, a tenth of them Bob's; each was said at as many µs as its number is."""
    path = tmp_path / "chat.db"
    store = SqliteStore(path)
    store.stage([fx.AccountSet(ALICE), fx.AccountSet(BOB), fx.AccountSet(CAROL), fx.RoomSet(TEA)])
    store.stage([fx.MemberSet(TEA.id, CAROL.id, Role.MEMBER)])
    store.commit()
    store.close()
    sender = f"CASE value % 10 WHEN 0 THEN {BOB.id} ELSE {ALICE.id} END"
    rows(
        path,
        f"WITH RECURSIVE ids(value) AS (SELECT {FIRST} UNION ALL SELECT value + 1 FROM ids WHERE value < {LAST})"
        " INSERT INTO message (id, conversation_id, sequence, msgid, kind, sender_id, sender_user, text, time_us)"
        f" SELECT value, 1, value - {FIRST} + 1, 'm' || value, 'post', {sender}, 'al', 'kettle number' || value,"
        f" value FROM ids; UPDATE conversation SET next_sequence = {LAST - FIRST + 2}",
    )
    SqliteStore(path).close()
    assert volumes(path) == [1, 2]
    assert is_sound(path)
    return path


def test_messages_in_two_volumes_are_found(path: Path) -> None:
    """All of them, in order."""
    assert found(path, "kettle") == [f"m{number}" for number in range(FIRST, LAST + 1)]
    assert found(path, f"number{NEXT}") == [f"m{NEXT}"]
    assert found(path, f"kettle number{NEXT - 1}*") == [f"m{NEXT - 1}"]


def test_pruning_gives_way_to_merging(path: Path) -> None:
    """Whenever so many are gone of a volume; and an erasure comes before more is pruned."""
    store = SqliteStore(path)
    assert steps(store, BEFORE_US, until=Forgetting.INDEX) == [Forgetting.AGE]
    ((gone,),) = rows(path, "SELECT sum(gone) FROM index_volume")
    assert isinstance(gone, int)
    assert GONE_MESSAGES <= gone < 2 * GONE_MESSAGES
    step(store, Forgetting.INDEX, BEFORE_US)
    erase(store, BOB)
    # Not in the middle of a merge, which would begin from the start.
    assert steps(store, BEFORE_US, until=Forgetting.AGE)[:2] == [Forgetting.INDEX, Forgetting.ERASURE]
    assert steps(store, BEFORE_US)[-1] is Forgetting.FILES
    assert rows(path, "SELECT id, kind FROM message") == [(LAST, "erased")]
    assert volumes(path) == [2]
    assert is_sound(path)
    store.close()


def test_a_volume_goes_with_its_messages(path: Path) -> None:
    """What is said goes on, and so do searches."""
    store = SqliteStore(path)
    steps(store, NEXT + 10)
    assert volumes(path) == [2]
    assert rows(path, "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%words\\_1%' ESCAPE '\\'") == [(0,)]
    assert is_sound(path)
    assert found(path, "kettle") == [f"m{number}" for number in range(NEXT + 10, LAST + 1)]
    store.stage([message("new", InRoom(TEA.id), "kettle")])
    store.commit()
    assert found(path, "kettle")[-1] == "new"
    store.close()
    assert is_sound(path)


def test_a_volume_in_which_nothing_is_gone_is_not_touched(path: Path) -> None:
    """However much is forgotten in another one."""
    before = rows(path, "SELECT * FROM message_words_2_data")
    store = SqliteStore(path)
    steps(store, NEXT - 10)
    assert rows(path, VOLUMES) == [(1, 0, 0), (2, 0, 0)]
    assert rows(path, "SELECT * FROM message_words_2_data") == before
    assert found(path, "kettle")[0] == f"m{NEXT - 10}"
    store.close()
    assert is_sound(path)


def test_an_erasure_in_all_volumes(path: Path) -> None:
    """Much of what was said is Alice's: each volume is merged, in between too."""
    store = SqliteStore(path)
    erase(store, ALICE)
    done = steps(store, 0)
    assert done.count(Forgetting.INDEX) > 1
    assert done[-1] is Forgetting.FILES
    assert rows(path, VOLUMES) == [(1, 0, 0), (2, 0, 0)]
    assert found(path, "kettle") == [f"m{number}" for number in range(FIRST, LAST + 1) if number % 10 == 0]
    store.close()
    assert is_sound(path)


def test_what_goes_while_a_volume_is_merged_goes_with_the_next_merge(path: Path) -> None:
    """A message that is not in the index counts for nothing."""
    store = SqliteStore(path)
    erase(store, BOB)
    steps(store, 0, until=Forgetting.INDEX)
    step(store, Forgetting.INDEX, 0)
    assert rows(path, VOLUMES) == [(1, 4, 4), (2, 4, 0)]
    store.stage([message("late", InRoom(TEA.id), "kettle", sender=ALICE)])
    store.stage([fx.ErasureBegun(ALICE.id)])
    store.stage([fx.Forgot(Forgetting.ERASURE, 0, 0)])
    store.stage([fx.Forgot(Forgetting.ERASURE, 0, 0)])
    store.commit()
    assert rows(path, VOLUMES) == [(1, NEXT - FIRST, 4), (2, LAST - NEXT + 1, 0)]
    assert steps(store, 0)[-1] is Forgetting.FILES
    assert rows(path, VOLUMES) == [(1, 0, 0), (2, 0, 0)]
    assert found(path, "kettle") == []
    store.close()
    assert is_sound(path)
