"""The index lies in chapters and comes behind what is said: a search finds all of it, the newest first."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.chat import effects as fx
from secure_chat.chat.forgetting import Forgetting
from secure_chat.chat.history import Rights, SearchQuery
from secure_chat.chat.messages import InRoom
from secure_chat.chat.rooms import Role
from secure_chat.protocol.search import InvalidSearch, parse_terms
from secure_chat.storage.chapters import CHAPTER_MESSAGES, count_unindexed
from secure_chat.storage.history import HistoryReader
from secure_chat.storage.reindexing import rebuild_index
from secure_chat.storage.searching import search
from secure_chat.storage.sqlite import INDEXED_CHARACTERS, INDEXED_MESSAGES, SqliteStore
from tests.storage.contract import ALICE, BOB, TEA, message

IDS = (1, CHAPTER_MESSAGES - 1, CHAPTER_MESSAGES, 3 * CHAPTER_MESSAGES + 5, 3 * CHAPTER_MESSAGES + 6)
"""Of messages in three chapters; between them one is empty."""
WORDS = st.sampled_from(
    ("чай", "ёлка", "елка", "a", "ab", "abc", "b", "STRASSE", "straße", "за\u0301мок", "x_y", "1")
)
TEXTS = st.lists(st.one_of(WORDS, st.sampled_from((" ", ", ", '"', "*", "-"))), max_size=8).map("".join)


def begin(path: Path) -> SqliteStore:
    """Alice in a room in which nothing was said."""
    store = SqliteStore(path)
    store.stage([fx.AccountSet(ALICE), fx.AccountSet(BOB), fx.RoomSet(TEA)])
    store.stage([fx.MemberSet(TEA.id, ALICE.id, Role.FOUNDER)])
    store.commit()
    return store


def found(
    path: Path, words: str, limit: int = 1000, after_ms: int | None = None, before_ms: int | None = None
) -> list[str | None]:
    """The ids of the messages that Alice finds."""
    reader = HistoryReader(path, "h", Rights.MEMBERSHIP)
    query = SearchQuery(
        ALICE.id, parse_terms(words) if words else (), limit, after_ms=after_ms, before_ms=before_ms
    )
    return [one.msgid for one in reader.search(query)]


def unindexed(path: Path) -> int:
    """How many messages are not in the index."""
    connection = apsw.Connection(str(path))
    count = count_unindexed(connection)
    connection.close()
    return count


@pytest.fixture
def chapters(tmp_path: Path) -> Path:
    """A database with a message for each of IDS, said at so many ms."""
    path = tmp_path / "chat.db"
    begin(path).close()
    sql = (
        "INSERT INTO message (id, conversation_id, sequence, msgid, kind, sender_id, sender_user, text, time_us)"
        " VALUES (?1, 1, ?2, 'm' || ?2, 'post', ?3, 'al', 'kettle number' || ?2, ?1 * 1000)"
    )
    with apsw.Connection(str(path)) as connection:
        connection.executemany(sql, [(id_, number, ALICE.id) for number, id_ in enumerate(IDS, start=1)])
    return path


@pytest.mark.parametrize("indexed", [False, True])
def test_chapters(chapters: Path, *, indexed: bool) -> None:
    """All of them are looked into, as far as there may be something; what was said first comes first."""
    if indexed:
        SqliteStore(chapters).close()
    assert unindexed(chapters) == (0 if indexed else len(IDS))
    assert found(chapters, "kettle") == ["m1", "m2", "m3", "m4", "m5"]
    assert found(chapters, '"kettle numb"*', limit=3) == ["m3", "m4", "m5"]
    assert found(chapters, "number1") == ["m1"]
    assert found(chapters, "pot") == []
    for words in ("kettle", ""):
        assert found(chapters, words, after_ms=IDS[1], before_ms=IDS[3]) == ["m2", "m3", "m4"]
        assert found(chapters, words, after_ms=IDS[1] + 1, before_ms=IDS[3] - 1) == ["m3"]
        assert found(chapters, words, after_ms=IDS[2]) == ["m3", "m4", "m5"]
        assert found(chapters, words, after_ms=IDS[0] + 1, limit=2) == ["m2", "m3"]
        assert found(chapters, words, before_ms=IDS[2]) == ["m1", "m2", "m3"]
        assert found(chapters, words, before_ms=IDS[4], limit=2) == ["m4", "m5"]
        assert found(chapters, words, before_ms=0) == []
        assert found(chapters, words, after_ms=IDS[4] + 1) == []


def test_the_index_comes_behind_in_pieces(tmp_path: Path) -> None:
    """What is not in it yet is found; also after a kill, which leaves the rest to the next time."""
    path = tmp_path / "chat.db"
    store = begin(path)
    for number in range(INDEXED_MESSAGES + 2):
        assert unindexed(path) == number % INDEXED_MESSAGES
        store.stage([message(f"m{number}", InRoom(TEA.id), f"kettle number{number}")])
        store.commit()
    store.stage([message("lost", InRoom(TEA.id), "kettle number1")])
    assert unindexed(path) == 2
    again = SqliteStore(tmp_path / "copy.db")
    again.close()
    for name in ("chat.db", "chat.db-wal"):
        (tmp_path / name.replace("chat", "copy")).write_bytes((tmp_path / name).read_bytes())
    for copy in (path, tmp_path / "copy.db"):
        assert found(copy, "kettle", limit=3) == [f"m{INDEXED_MESSAGES + number}" for number in (-1, 0, 1)]
        assert found(copy, "number1") == ["m1"]
    again = SqliteStore(tmp_path / "copy.db")
    again.close()
    assert unindexed(tmp_path / "copy.db") == 0
    assert len(found(tmp_path / "copy.db", "kettle")) == INDEXED_MESSAGES + 2
    store.close()


def test_a_search_is_of_one_moment(tmp_path: Path) -> None:
    """What is erased while it goes on, from the index too, is found as it was; the next search does not find it."""
    path = tmp_path / "chat.db"
    store = begin(path)
    store.stage([fx.MemberSet(TEA.id, BOB.id, Role.MEMBER), message("m0", InRoom(TEA.id), "kettle")])
    store.commit()
    store.close()
    store = SqliteStore(path)
    reader = apsw.Connection(str(path))
    asked: list[str] = []

    def erase_in_between(_cursor: apsw.Cursor, sql: str, _values: object) -> bool:
        asked.append(sql)
        if "SELECT rowid FROM message_words_1" in sql:
            store.stage([fx.ErasureBegun(ALICE.id)])
            store.stage([fx.Forgot(Forgetting.ERASURE, 0, 0)])
            store.commit()
            while store.to_forget(0, 0) is Forgetting.INDEX:
                store.stage([fx.Forgot(Forgetting.INDEX, 0, 0)])
                store.commit()
        return True

    query = SearchQuery(BOB.id, parse_terms("kettle"), 9)
    reader.exec_trace = erase_in_between
    assert [one.msgid for one in search(reader, query, Rights.ROOM, "h")] == ["m0"]
    reader.exec_trace = None
    assert len(asked) > asked.index(next(sql for sql in asked if "message_words_1" in sql)) + 1
    assert search(reader, query, Rights.ROOM, "h") == []
    reader.close()
    store.close()


def test_long_messages_are_put_into_the_index_sooner(tmp_path: Path) -> None:
    """Half of what a piece may hold, and then the other half."""
    path, long = tmp_path / "chat.db", "word " * (INDEXED_CHARACTERS // 10)
    store = begin(path)
    for number, waiting in enumerate((1, 2, 0)):
        store.stage([message(f"m{number}", InRoom(TEA.id), long)])
        store.commit()
        assert unindexed(path) == waiting
    store.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For all the examples that there are tried."""
    path = tmp_path_factory.mktemp("shared") / "chat.db"
    begin(path).close()
    return path


@given(texts=st.lists(TEXTS, min_size=1, max_size=4), words=TEXTS)
def test_in_the_index_or_not_the_same_is_found(shared: Path, texts: Iterable[str], words: str) -> None:
    """Words, phrases and prefixes, however they are written."""
    with apsw.Connection(str(shared)) as connection:
        connection.execute("DELETE FROM message")
        rebuild_index(connection)
    store = SqliteStore(shared)
    for number, text in enumerate(texts):
        store.stage([message(f"m{number}", InRoom(TEA.id), text)])
    store.commit()
    try:
        before = found(shared, words)
    except InvalidSearch:
        before = []
    else:
        assert unindexed(shared) > 0
        store.close()
        assert unindexed(shared) == 0
        assert found(shared, words) == before
    store.close()


def test_a_database_that_another_has_for_itself_is_waited_for(tmp_path: Path) -> None:
    """As the store, or another search, has it for a moment where writing fails."""
    path = tmp_path / "chat.db"
    store = begin(path)
    store.stage([message("m", InRoom(TEA.id), "hello")])
    store.commit()
    store.close()
    other = apsw.Connection(str(path))
    other.execute("PRAGMA locking_mode=EXCLUSIVE; PRAGMA schema_version").fetchall()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(found, path, "hello")
        with pytest.raises(TimeoutError):
            asked.result(timeout=0.3)
        other.close()
        assert asked.result() == ["m"]


def test_a_store_that_comes_back_meanwhile_is_not_in_the_way(tmp_path: Path) -> None:
    """Where the WAL's index cannot be made a reader wants the database for itself; the store may have it then."""
    path = tmp_path / "chat.db"
    store = begin(path)
    store.stage([message("m", InRoom(TEA.id), "hello")])
    store.commit()
    opened = []

    def fails_first(connection: apsw.Connection) -> None:
        opened.append(connection)
        if len(opened) == 1:
            raise apsw.CantOpenError

    apsw.connection_hooks.append(fails_first)
    try:
        assert found(path, "hello") == ["m"]
    finally:
        apsw.connection_hooks.remove(fails_first)
    assert len(opened) == 3
    store.close()
