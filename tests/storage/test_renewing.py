"""Forgetting and the volumes of the index: those in which something is gone are made anew, the others stay."""

from __future__ import annotations

from collections.abc import Callable
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
from secure_chat.storage import renewing, sqlite
from secure_chat.storage.consistency import Index, altered_objects, compare_index, damages
from secure_chat.storage.database import open_database, schema_scripts
from secure_chat.storage.history import HistoryReader
from secure_chat.storage.reindexing import rebuild_index
from secure_chat.storage.sqlite import SqliteStore
from secure_chat.storage.volumes import VOLUME_MESSAGES
from tests.storage.contract import ALICE, BOB, TEA, message
from tests.storage.forgetting_contract import step

pytestmark = pytest.mark.once
CAROL = Account(ALICE.id + 1, "Carol", "carol", "hash")
NEXT = 2 * VOLUME_MESSAGES
"""The first message of a volume."""
FIRST, LAST = NEXT - 40, NEXT + 40
ALL = range(FIRST, LAST + 1)
BEFORE_US = 10**9


def rows(path: Path, sql: str) -> list[tuple[apsw.SQLiteValue, ...]]:
    """What the database says."""
    connection = apsw.Connection(str(path))
    found = list(connection.execute(sql))
    connection.close()
    return found


def tables(path: Path) -> list[tuple[apsw.SQLiteValue, ...]]:
    """Number, volume, state of each, and whether it is stale."""
    return rows(path, "SELECT number, volume, state, stale FROM index_table ORDER BY number")


def check(path: Path) -> None:
    """Each volume has the words of its messages, and nothing is there that should not be."""
    connection = apsw.Connection(str(path))
    assert damages(connection) == []
    assert altered_objects(connection, len(schema_scripts())) == []
    assert compare_index(connection) == Index([], [], [], ahead=False)
    connection.close()


def found(path: Path, words: str) -> list[str | None]:
    """The ids of the messages that Carol finds, who says nothing."""
    query = SearchQuery(CAROL.id, parse_terms(words), 1_000)
    return [one.msgid for one in HistoryReader(path, "h", Rights.ROOM).search(query)]


def ids(numbers: range) -> list[str]:
    """As they are found."""
    return [f"m{number}" for number in numbers]


def steps(
    store: SqliteStore,
    before_us: int = 0,
    until: Forgetting | None = None,
    between: Callable[[], object] = lambda: None,
) -> list[Forgetting]:
    """Steps up to the first one of this kind, or to the end; what they were about, without repetitions in a row."""
    done: list[Forgetting] = []
    while (what := store.to_forget(before_us, 0)) is not None and what is not until:
        step(store, what, before_us)
        between()
        if done[-1:] != [what]:
            done.append(what)
    return done


def reindex(path: Path) -> None:
    """Make the index anew, as `check --mend-index` does."""
    connection = open_database(path)
    rebuild_index(connection)
    connection.close()


def erase(store: SqliteStore, account: Account) -> None:
    """Begin to."""
    store.stage([fx.ErasureBegun(account.id)])
    store.commit()


def say(store: SqliteStore, msgid: str, text: str = "kettle", sender: Account = ALICE) -> None:
    """In a tick of its own."""
    store.stage([message(msgid, InRoom(TEA.id), text, sender=sender)])
    store.commit()


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several for each volume."""
    monkeypatch.setattr(renewing, "COPIED_CHARACTERS", 100)
    monkeypatch.setattr(renewing, "DROPPED_PAGES", 1)


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
    assert tables(path) == [(1, 1, "used", 0), (2, 2, "used", 0)]
    check(path)
    return path


def test_messages_in_two_volumes_are_found(path: Path) -> None:
    """All of them, in order."""
    assert found(path, "kettle") == ids(ALL)
    assert found(path, f"number{NEXT}") == [f"m{NEXT}"]
    assert found(path, f"kettle number{NEXT - 1}*") == [f"m{NEXT - 1}"]


def test_a_volume_goes_with_its_messages(path: Path) -> None:
    """What is said goes on, and so do searches, all the time."""
    store = SqliteStore(path)
    assert steps(store, NEXT, between=lambda: check(path)) == [
        Forgetting.AGE,
        Forgetting.INDEX,
        Forgetting.FILES,
    ]
    assert tables(path) == [(2, 2, "used", 0)]
    assert found(path, "kettle") == ids(ALL)[40:]
    say(store, "new")
    assert found(path, "kettle")[-1] == "new"
    store.close()
    check(path)


def test_a_volume_in_which_nothing_is_gone_is_not_touched(path: Path) -> None:
    """However much is forgotten in another one: that is made anew."""
    before = rows(path, "SELECT * FROM message_words_2_data")
    store = SqliteStore(path)
    steps(store, NEXT - 10)
    assert tables(path) == [(2, 2, "used", 0), (3, 1, "used", 0)]
    assert rows(path, "SELECT * FROM message_words_2_data") == before
    assert found(path, "kettle") == ids(ALL)[30:]
    store.close()
    check(path)


def test_all_that_is_old_goes(path: Path) -> None:
    """Each volume; the newest message stays as a row, without words."""
    store = SqliteStore(path)
    steps(store, BEFORE_US)
    assert rows(path, "SELECT id, kind FROM message") == [(LAST, "erased")]
    assert [volume for _, volume, *_ in tables(path)] == [2]
    assert rows(path, "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%words\\_1%' ESCAPE '\\'") == [(0,)]
    check(path)
    say(store, "new")
    store.close()
    check(path)
    assert found(path, "kettle") == ["new"]


def test_an_erasure_in_all_volumes(path: Path) -> None:
    """Whatever was looked at in between, others' messages were found, and those that are gone were not."""
    store = SqliteStore(path)
    erase(store, ALICE)
    assert steps(store, until=Forgetting.INDEX) == [Forgetting.ERASURE]
    bobs = [f"m{number}" for number in ALL if number % 10 == 0]
    states: set[apsw.SQLiteValue] = set()

    def look() -> None:
        states.update(state for _, _, state, _ in tables(path))
        assert found(path, "kettle") == bobs
        check(path)

    assert steps(store, between=look) == [Forgetting.INDEX, Forgetting.FILES]
    assert states == {"used", "made", "old"}
    assert [(volume, state, stale) for _, volume, state, stale in tables(path)] == [(1, "used", 0), (2, "used", 0)]
    store.close()


def test_what_goes_meanwhile_goes_with_the_next_table(path: Path) -> None:
    """Where its words are in the new one already; else that need not be made anew."""
    store = SqliteStore(path)
    erase(store, BOB)
    steps(store, until=Forgetting.INDEX)
    for _ in range(3):
        step(store, Forgetting.INDEX, 0)
    ((made_to,),) = rows(path, "SELECT made_to FROM index_table WHERE state = 'made'")
    assert isinstance(made_to, int)
    assert FIRST < made_to < NEXT
    with apsw.Connection(str(path)) as connection:
        renewing.make_stale(connection, [made_to])
    assert tables(path)[-1] == (3, 1, "made", 0)
    erase(store, ALICE)
    step(store, Forgetting.ERASURE, 0)
    step(store, Forgetting.ERASURE, 0)
    assert tables(path) == [(1, 1, "used", 1), (2, 2, "used", 1), (3, 1, "made", 1)]
    assert steps(store) == [Forgetting.INDEX, Forgetting.FILES]
    assert found(path, "kettle") == []
    assert {(state, stale) for _, _, state, stale in tables(path)} == {("used", 0)}
    store.close()
    check(path)


def test_a_volume_whose_messages_go_while_it_is_made_anew(path: Path) -> None:
    """Neither table is left."""
    store = SqliteStore(path)
    steps(store, NEXT - 10, until=Forgetting.INDEX)
    step(store, Forgetting.INDEX, 0)
    assert tables(path)[-1] == (3, 1, "made", 0)
    steps(store, NEXT)
    assert tables(path) == [(2, 2, "used", 0)]
    assert found(path, "kettle") == ids(ALL)[40:]
    store.close()
    check(path)


def test_what_is_said_meanwhile_is_in_the_new_table(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it comes into the index before the new table is used, or later."""
    monkeypatch.setattr(sqlite, "INDEXED_MESSAGES", 3)
    store, said = SqliteStore(path), 0
    erase(store, BOB)

    def speak() -> None:
        nonlocal said
        if said < 25:
            said += 1
            say(store, f"new{said}")

    steps(store, between=speak)
    assert said == 25
    expected = [f"m{number}" for number in ALL if number % 10] + [f"new{number}" for number in range(1, 26)]
    assert found(path, "kettle") == expected
    store.close()
    check(path)
    assert found(path, "kettle") == expected


def test_what_is_not_in_the_index_makes_nothing_stale(path: Path) -> None:
    """It will not come into it."""
    store = SqliteStore(path)
    say(store, "late", sender=CAROL)
    erase(store, CAROL)
    assert steps(store) == [Forgetting.ERASURE, Forgetting.FILES]
    assert tables(path) == [(1, 1, "used", 0), (2, 2, "used", 0)]
    store.close()
    check(path)


def test_what_was_never_in_the_index_makes_nothing_stale(path: Path) -> None:
    """Nothing of it is there: joins, say."""
    rows(path, f"UPDATE message SET kind = 'join' WHERE sender_id = {BOB.id}")
    reindex(path)
    before = tables(path)
    store = SqliteStore(path)
    erase(store, BOB)
    assert steps(store) == [Forgetting.ERASURE, Forgetting.FILES]
    assert tables(path) == before
    store.close()
    check(path)


def test_what_is_not_in_the_index_is_not_copied(path: Path) -> None:
    """It may be gone before it would come into it, and nobody would take it out again."""
    store = SqliteStore(path)
    erase(store, BOB)
    steps(store, until=Forgetting.INDEX)
    say(store, "late", sender=CAROL)
    while rows(path, f"SELECT 1 FROM index_table WHERE made_to > {LAST}") == []:
        step(store, Forgetting.INDEX, 0)
    erase(store, CAROL)
    steps(store)
    store.close()
    check(path)


def test_an_erasure_comes_before_what_is_too_old(path: Path) -> None:
    """Also one that is begun while old messages are forgotten: somebody waits for it."""
    store = SqliteStore(path)
    step(store, Forgetting.AGE, BEFORE_US)
    erase(store, BOB)
    erasing = [Forgetting.ERASURE, Forgetting.INDEX, Forgetting.FILES]
    assert steps(store, BEFORE_US) == [*erasing, Forgetting.AGE, Forgetting.INDEX, Forgetting.FILES]
    store.close()
    check(path)


def test_what_is_put_in_bit_by_bit_is_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each message once, a little each time, and never by FTS5 itself: that does much at once."""
    monkeypatch.setattr(sqlite, "INDEXED_MESSAGES", 2)
    path = tmp_path / "chat.db"
    store, bounds = SqliteStore(path), []
    store.stage([fx.AccountSet(ALICE), fx.RoomSet(TEA)])

    def note(_cursor: apsw.Cursor, sql: str, bindings: object) -> bool:
        if sql.startswith("INSERT INTO message_words_1 (rowid"):
            bounds.append(bindings)
        return True

    store._connection.exec_trace = note
    for number in range(100):
        say(store, f"m{number}", f"kettle number{number}")
    assert bounds == [(first, VOLUME_MESSAGES - 1) for first in range(1, 100, 2)]
    ((pieces,),) = rows(path, "SELECT count(DISTINCT segid) FROM message_words_1_idx")
    assert isinstance(pieces, int)
    assert pieces < 12
    assert rows(path, "SELECT v FROM message_words_1_config WHERE k = 'automerge'") == [(0,)]
    store.close()
    check(path)


def test_a_table_is_taken_apart_in_steps(path: Path) -> None:
    """A page in each, here."""
    rows(path, f"UPDATE message SET text = hex(randomblob(200)) WHERE id < {NEXT}")
    reindex(path)
    ((pages,),) = rows(path, "SELECT count(*) - 2 FROM message_words_1_data")
    store, seen = SqliteStore(path), []
    steps(store, NEXT, between=lambda: seen.append(tables(path)[0][2]))
    assert isinstance(pages, int)
    assert pages > 1
    assert seen.count("old") == pages + 2  # the list of what is where, and then the rest
    store.close()


def test_long_messages_are_copied_one_by_one(path: Path) -> None:
    """A step is no longer for them."""
    rows(path, f"UPDATE message SET text = printf('%.*c', 450, 'x') WHERE id < {NEXT}")
    with apsw.Connection(str(path)) as connection:
        renewing.make_stale(connection, [FIRST])
    store, copied = SqliteStore(path), []
    steps(store, between=lambda: copied.extend(rows(path, "SELECT made_to FROM index_table WHERE state = 'made'")))
    numbers = [number for (number,) in dict.fromkeys(copied)]
    assert numbers == [VOLUME_MESSAGES, *range(FIRST + 1, NEXT + 1)]
    store.close()


def test_the_index_can_be_made_anew_at_any_time(path: Path) -> None:
    """With a table that is made, and one that is taken apart."""
    for state, account in (("made", BOB), ("old", ALICE)):
        store = SqliteStore(path)
        erase(store, account)
        while state not in {one[2] for one in tables(path)}:
            what = store.to_forget(0, 0)
            assert what is not None
            step(store, what, 0)
        store.close()
        reindex(path)
        check(path)
        assert {one[2:] for one in tables(path)} == {("used", 0)}
