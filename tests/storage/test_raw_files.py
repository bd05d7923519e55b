"""What was forgotten is in none of the store's files: not in a row, the index, a free page, or the WAL."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path

import apsw
import pytest
from msgspec import structs

from secure_chat.chat import effects as fx
from secure_chat.chat.messages import Between, InRoom
from secure_chat.chat.rooms import Role
from secure_chat.storage import sqlite
from secure_chat.storage.consistency import Index, compare_index, damages
from secure_chat.storage.sqlite import SqliteStore
from tests.e2e.waiting import wait_for
from tests.storage.contract import ALICE, BOB, TEA, message
from tests.storage.forgetting_contract import forget_all

MARK = "qzxw"
"""Words end in it: the index leaves out how a word begins like the one before, but not how it ends."""
pytestmark = pytest.mark.once
OTHER = "qyxw"
MESSAGES = 2_000
CHANCE = random.Random(5)
SEEDS = (0, 9, 10, 11, 12)
"""With these words were left before."""


def found(path: Path, mark: str = MARK) -> dict[str, int]:
    """How often the bytes are in each of the files."""
    files = [path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")]
    return {file.name: file.read_bytes().count(mark.encode()) for file in files if file.exists()}


def word(end: str, chance: random.Random = CHANCE) -> str:
    """A word that no other message has."""
    return "".join(chance.choices("abcdefghiklmnoprstuv", k=7)) + end


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    """Alice and Bob take turns in a room and in private; the mark is in what Alice says, and from where."""
    store = SqliteStore(tmp_path / "chat.db")
    store.stage([fx.AccountSet(ALICE), fx.AccountSet(BOB), fx.RoomSet(TEA)])
    store.stage([fx.MemberSet(TEA.id, ALICE.id, Role.FOUNDER), fx.MemberSet(TEA.id, BOB.id, Role.MEMBER)])
    for number in range(MESSAGES):
        sender, end = (ALICE, MARK) if number % 2 else (BOB, OTHER)
        where = InRoom(TEA.id) if number % 4 < 2 else Between(sender.id, ALICE.id + BOB.id - sender.id)
        text = " ".join(word(end) for _ in range(3 + number % 5 * 6))
        said = message(f"m{number}", where, text, sender=sender).message
        store.stage([fx.Append(structs.replace(said, device=f"laptop{end}"))])
        if number % 100 == 0:
            store.commit()
    store.commit()
    return store


def test_erased_messages(store: SqliteStore, tmp_path: Path) -> None:
    """While the database is in use, and afterwards; what others said is there."""
    path = tmp_path / "chat.db"
    assert found(path)["chat.db-wal"] > MESSAGES
    store.stage([fx.ErasureBegun(ALICE.id)])
    forget_all(store)
    assert sum(found(path).values()) == 0, found(path)
    store.close()
    assert found(path) == {"chat.db": 0}
    assert found(path, OTHER)["chat.db"] > MESSAGES
    with apsw.Connection(str(path)) as connection:
        assert compare_index(connection) == Index([], [], [], ahead=False)
        assert damages(connection) == []


@pytest.mark.parametrize("messages", [1_040, 1_290])
def test_erased_messages_of_an_index_that_is_being_joined(tmp_path: Path, messages: int) -> None:
    """Its pieces are joined a little each time: what was joined already has the words too."""
    store = SqliteStore(tmp_path / "chat.db")
    store.stage([fx.AccountSet(ALICE), fx.AccountSet(BOB), fx.RoomSet(TEA)])
    for number in range(messages):
        sender, end = (ALICE, MARK) if number % 40 == 0 else (BOB, OTHER)
        text = " ".join(word(end) for _ in range(30))
        store.stage([message(f"m{number}", InRoom(TEA.id), text, sender=sender)])
        store.commit()
    store.stage([fx.ErasureBegun(ALICE.id)])
    forget_all(store)
    assert sum(found(tmp_path / "chat.db").values()) == 0
    store.close()


def test_pruned_messages(store: SqliteStore, tmp_path: Path) -> None:
    """All of them are as old as another, and all go."""
    path = tmp_path / "chat.db"
    forget_all(store, before_us=100)
    assert sum(found(path).values()) == 0, found(path)
    assert sum(found(path, OTHER).values()) == 0
    store.close()


@pytest.mark.parametrize("seed", SEEDS)
def test_pruned_messages_beside_younger_ones(tmp_path: Path, seed: int) -> None:
    """SQLite moves the younger ones together, from page to page."""
    store, chance = SqliteStore(tmp_path / "chat.db"), random.Random(seed)
    store.stage([fx.AccountSet(ALICE), fx.AccountSet(BOB), fx.RoomSet(TEA)])
    share = chance.choice((0.05, 0.5, 0.9))
    for number in range(1_100):
        is_old = number < 1_100 * share
        text = " ".join(word(MARK if is_old else OTHER, chance) for _ in range(chance.randint(1, 3)))
        said = message(f"m{number}", InRoom(TEA.id), text).message
        time_us = 10 if is_old else 1_000
        store.stage([fx.Append(structs.replace(said, relayed=dataclasses.replace(said.relayed, time_us=time_us)))])
        if number % 50 == 0:
            store.commit()
    store.commit()
    forget_all(store, before_us=500)
    assert sum(found(tmp_path / "chat.db").values()) == 0
    store.close()


def test_posts_meanwhile_change_nothing(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index is made anew to its end though it grows; and again, when that has been done before."""
    monkeypatch.setattr(sqlite, "INDEXED_MESSAGES", 3)
    path = tmp_path / "chat.db"
    for account, other in ((ALICE, BOB), (BOB, ALICE)):
        store.stage([fx.ErasureBegun(account.id)])
        number = 0
        while (what := store.to_forget(0, 0)) is not None:
            number += 1
            if what.name == "FILES":
                wait_for(store.files_are_clean)
            elif number < 200:
                new = message(f"{other.name}{number}", InRoom(TEA.id), word("new"), sender=other)
                store.stage([new])
            store.stage([fx.Forgot(what, 0, 0)])
            store.commit()
        mark = MARK if account is ALICE else OTHER
        assert sum(found(path, mark).values()) == 0, found(path, mark)
    store.close()


def test_a_reader_holds_it_up(store: SqliteStore, tmp_path: Path) -> None:
    """While somebody reads the old state the files are not clean; afterwards they soon are."""
    path = tmp_path / "chat.db"
    reader = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    reader.execute("BEGIN")
    assert list(reader.execute("SELECT count(*) FROM message")) == [(MESSAGES,)]
    store.stage([fx.ErasureBegun(BOB.id)])
    while (what := store.to_forget(0, 0)) is not None and what.name != "FILES":
        store.stage([fx.Forgot(what, 0, 0)])
        store.commit()
    assert not store.files_are_clean()
    assert found(path, OTHER)["chat.db-wal"] > 0
    assert list(reader.execute("SELECT count(*) FROM message WHERE kind = 'erased'")) == [(0,)]
    assert not store.files_are_clean()
    reader.close()
    forget_all(store)
    assert sum(found(path, OTHER).values()) == 0
    store.close()
