"""The store in SQLite: the contract, its file, and a disk that fails."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from secure_chat.chat import effects as fx
from secure_chat.chat.codes import Code, Purpose
from secure_chat.chat.forgetting import Forgetting
from secure_chat.chat.messages import Between, InRoom
from secure_chat.chat.ports import AuditEntry, Store, StoreFailed
from secure_chat.chat.rooms import Role
from secure_chat.storage.database import APPLICATION_ID, DatabaseUnusable, schema_scripts
from secure_chat.storage.sqlite import SqliteStore
from tests.storage.contract import ALICE, BOB, TEA, message, missed_by
from tests.storage.failing_disk import Disk, failing_disk
from tests.storage.forgetting_contract import ForgettingContract

BETWEEN = Between(ALICE.id, BOB.id)


class TestSqlite(ForgettingContract):
    """SQLite does what any store has to do."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        """A new database; `reopen` adds to what is closed at the end."""
        self.path = tmp_path / "chat.db"
        self.open = [SqliteStore(self.path)]
        yield self.open[0]
        for store in self.open:
            store.close()

    def reopen(self, store: Store) -> Store:
        """A second connection sees what is committed."""
        self.open.append(SqliteStore(self.path))
        return self.open[-1]

    def test_member_intervals(self, store: Store) -> None:
        """What was said from JOIN to PART may be read: both included, and each stretch by itself."""
        self.begin(store)
        self.keep(store, message("a", InRoom(TEA.id)))
        self.keep(store, fx.MemberSet(TEA.id, BOB.id, Role.MEMBER), message("join", InRoom(TEA.id)))
        self.keep(store, message("b", InRoom(TEA.id)))
        self.keep(store, message("part", InRoom(TEA.id)), fx.MemberGone(TEA.id, BOB.id))
        self.keep(store, message("c", InRoom(TEA.id)))
        self.keep(store, fx.MemberSet(TEA.id, BOB.id, Role.MEMBER), message("join2", InRoom(TEA.id)))
        sql = "SELECT from_sequence, until_sequence FROM membership WHERE account_id = ? ORDER BY 1"
        with apsw.Connection(str(self.path)) as connection:
            assert list(connection.execute(sql, (BOB.id,))) == [(2, 4), (6, None)]

    def test_a_database_of_the_first_version_is_brought_up_to_date(self, tmp_path: Path) -> None:
        """With all that is in it; and then it does what a new one does."""
        path = tmp_path / "old.db"
        with apsw.Connection(str(path)) as old:
            old.execute(schema_scripts()[0])
            old.execute(f"PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version=1")
            old.execute("INSERT INTO account VALUES (1, 'Alice', 'alice', 'hash', 1, 0, 0, 0, 0, 5, 0)")
            old.execute("INSERT INTO room VALUES (7, '#Tea', '#tea', 8, 1, NULL, NULL, NULL, '', NULL, NULL)")
            old.execute("INSERT INTO conversation (room_id) VALUES (7)")
            old.execute("INSERT INTO membership VALUES (7, 1, 1, NULL, 4)")
            old.execute("INSERT INTO audit (time_us, actor, act, subject, detail) VALUES (5, 'a', 'b', 'c', 'd')")
        old.close()
        store = SqliteStore(path)
        code = Code(b"a" * 32, "0a", Purpose.RESET, "Alice", 5, 9, account_id=ALICE.id)
        self.keep(store, fx.CodeSet(code), message("a", InRoom(TEA.id)))
        store.close()
        again = SqliteStore(path)
        snapshot = again.load()
        assert list(snapshot.accounts) == [ALICE]
        assert [(room.id, room.name) for room in snapshot.rooms] == [(TEA.id, "#Tea")]
        assert list(snapshot.members) == [(TEA.id, ALICE.id, Role.FOUNDER)]
        assert (list(snapshot.codes), list(snapshot.devices)) == ([code], [])
        assert again.audited(9, 0) == [AuditEntry(5, "a", "b", "c", "d")]
        again.close()

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE audit SET actor = 'nobody'",
            "DELETE FROM audit",
            "INSERT OR REPLACE INTO audit SELECT id, 6, 'nobody', act, subject, detail FROM audit",
        ],
    )
    def test_the_audit_record_is_only_added_to(self, store: Store, change: str) -> None:
        """Whoever writes into the file."""
        self.keep(store, fx.Audited("root", "mute", "bob", "", 5), fx.Audited("root", "unmute", "bob", "", 6))
        with (
            apsw.Connection(str(self.path)) as other,
            pytest.raises(apsw.ConstraintError, match="the audit record can only be added to"),
        ):
            other.execute(change)
        assert {(entry.actor, entry.act) for entry in store.audited(9, 0)} == {("root", "mute"), ("root", "unmute")}

    def test_settings(self, store: Store) -> None:
        """Values of the program itself are kept at once."""
        sqlite = self.open[0]
        assert sqlite.setting("pepper") is None
        sqlite.keep_setting("pepper", "one")
        sqlite.keep_setting("pepper", "two")
        self.reopen(store)
        assert self.open[-1].setting("pepper") == "two"

    def test_closing_gives_up_what_was_not_committed(self, store: Store) -> None:
        """And leaves no WAL behind."""
        self.begin(store)
        store.stage([message("x", BETWEEN)])
        self.open.pop().close()
        assert missed_by(self.reopen(store), BOB) == []
        self.open.pop().close()
        assert [file.name for file in self.path.parent.iterdir()] == ["chat.db"]

    def test_only_the_owner_can_read(self, store: Store) -> None:
        """The database and what stands beside it."""
        self.begin(store)
        files = sorted(self.path.parent.iterdir())
        assert [file.name for file in files] == ["chat.db", "chat.db-shm", "chat.db-wal"]
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}

    def test_its_settings(self, store: Store) -> None:
        """Durable, and nothing deleted stays in the file."""
        connection = self.open[0]._connection
        for pragma, value in [
            ("journal_mode", "wal"),
            ("synchronous", 2),
            ("foreign_keys", 1),
            ("secure_delete", 1),
            ("wal_autocheckpoint", 0),
        ]:
            assert next(connection.execute(f"PRAGMA {pragma}")) == (value,)


def sequences(store: SqliteStore) -> list[int]:
    """Those of all messages, in the order of their conversations."""
    rows = store._connection.execute("SELECT sequence FROM message ORDER BY conversation_id, sequence")
    return [int(sequence) for (sequence,) in rows]


def test_more_conversations_than_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each goes on where it was."""
    monkeypatch.setattr("secure_chat.storage.appending.PLACES_LIMIT", 2)
    store = SqliteStore(tmp_path / "chat.db")
    people = [replace(ALICE, id=number, name=f"p{number}", folded=f"p{number}") for number in range(1, 6)]
    store.stage([fx.AccountSet(person) for person in people])
    for number in range(12):
        place = Between(people[number % 4].id, people[4].id)
        store.stage([message(f"m{number}", place, sender=people[number % 4])])
    store.commit()
    assert sequences(store) == [1, 2, 3] * 4
    store.close()


class TestUnusable:
    """What cannot be our database is left as it is, and the text says why."""

    def refused(self, path: Path, text: str) -> None:
        """Opening it fails like this."""
        with pytest.raises(DatabaseUnusable, match=text):
            SqliteStore(path)

    def test_newer_schema(self, tmp_path: Path) -> None:
        """The text says which version, and what to do."""
        path = tmp_path / "chat.db"
        SqliteStore(path).close()
        with sqlite3.connect(path) as connection:
            connection.execute(f"PRAGMA user_version={len(schema_scripts()) + 1}")
        connection.close()
        self.refused(path, "newer Secure Chat .schema 10, this program knows 9.; update")

    def test_other_program(self, tmp_path: Path) -> None:
        """Its file is not touched."""
        path = tmp_path / "other.db"
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE theirs (x)")
        connection.close()
        before = path.read_bytes()
        self.refused(path, "another program")
        assert path.read_bytes() == before

    def test_no_database(self, tmp_path: Path) -> None:
        """Text in its place."""
        path = tmp_path / "chat.db"
        path.write_text("This is a poem.\n" * 100)
        self.refused(path, "not a sound SQLite database")
        assert path.read_text() == "This is a poem.\n" * 100

    def test_corrupt(self, tmp_path: Path) -> None:
        """A damaged page."""
        path = tmp_path / "chat.db"
        SqliteStore(path).close()
        data = bytearray(path.read_bytes())
        data[100:4096] = b"\xff" * 3996
        path.write_bytes(data)
        self.refused(path, "not a sound SQLite database")

    def test_no_folder(self, tmp_path: Path) -> None:
        """Nor a folder in its place."""
        self.refused(tmp_path / "nowhere" / "chat.db", "cannot be opened")
        (tmp_path / "folder").mkdir()
        self.refused(tmp_path / "folder", "cannot be opened")

    def test_locked(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """By another program that writes."""
        monkeypatch.setattr("secure_chat.storage.database.BUSY_TIMEOUT_MS", 10)
        path = tmp_path / "chat.db"
        other = apsw.Connection(str(path))
        other.execute("PRAGMA journal_mode=WAL")
        other.execute("BEGIN IMMEDIATE")
        self.refused(path, "locked by another program")
        other.close()


class TestFailingDisk:
    """A commit that fails has an unknown outcome: `recover` finds out (design: a failed commit)."""

    @pytest.fixture
    def disk(self) -> Iterator[Disk]:
        """The disk all is on."""
        with failing_disk() as disk:
            yield disk

    @pytest.fixture
    def store(self, disk: Disk, tmp_path: Path) -> Iterator[SqliteStore]:
        """A store with Alice, Bob and a first message."""
        store = SqliteStore(tmp_path / "chat.db")
        store.stage([fx.AccountSet(ALICE), fx.AccountSet(BOB), message("zero", BETWEEN)])
        store.commit()
        yield store
        disk.fails = ""
        store.close()

    def ids(self, store: SqliteStore) -> list[str]:
        """What is there."""
        return [str(stored.msgid) for stored in missed_by(store, BOB)]

    @pytest.mark.parametrize(
        ("fault", "times", "is_there"),
        [("write", 1, False), ("sync", 1, False), ("sync", 2, True), ("sync lock", 2, True)],
    )
    def test_recover_says_whether_the_tick_is_there(
        self, store: SqliteStore, disk: Disk, fault: str, times: int, is_there: bool
    ) -> None:
        """Whatever it says is so, and what comes next works."""
        store.stage([message("one", BETWEEN)])
        disk.fails, disk.times = fault, times
        with pytest.raises(StoreFailed, match="could not write to its disk"):
            store.commit()
        assert store.recover() == is_there
        assert self.ids(store) == (["zero", "one"] if is_there else ["zero"])
        store.stage([message("two", BETWEEN)])
        store.commit()
        assert self.ids(store)[-1] == "two"
        assert sequences(store) == [*range(1, 4 if is_there else 3)]

    def test_a_full_disk(self, store: SqliteStore, disk: Disk) -> None:
        """Has a text of its own."""
        store.stage([message("one", BETWEEN)])
        disk.fails = "full"
        with pytest.raises(StoreFailed, match="disk is full"):
            store.commit()
        assert not store.recover()
        assert self.ids(store) == ["zero"]

    def test_a_failure_before_the_commit(self, store: SqliteStore, disk: Disk) -> None:
        """The tick before is not taken for the one that failed."""
        store.stage([message("one", BETWEEN)])
        store._connection.close()
        with pytest.raises(StoreFailed):
            store.commit()
        assert not store.recover()
        assert self.ids(store) == ["zero"]

    def test_a_read_that_fails(self, store: SqliteStore, disk: Disk) -> None:
        """Is a failure of the store like any other."""
        store._connection.execute("PRAGMA cache_size=0")
        store._connection.execute("PRAGMA shrink_memory")
        disk.fails, disk.times = "read", 0
        with pytest.raises(StoreFailed):
            missed_by(store, BOB)
        with pytest.raises(StoreFailed):
            store.load()
        with pytest.raises(StoreFailed):
            store.recover()
        disk.fails = ""
        assert not store.recover()
        assert self.ids(store) == ["zero"]

    def test_a_recovery_that_fails_can_be_tried_again(self, store: SqliteStore, disk: Disk) -> None:
        """And the answer is as true then."""
        store.stage([message("one", BETWEEN)])
        disk.fails, disk.times = "sync open", 0
        with pytest.raises(StoreFailed):
            store.commit()
        for _ in range(2):
            with pytest.raises(StoreFailed):
                store.recover()
        disk.fails = ""
        assert store.recover()
        assert self.ids(store) == ["zero", "one"]

    def test_one_sync_for_a_tick(self, store: SqliteStore, disk: Disk) -> None:
        """However many commands it has; none without."""
        before = disk.wal_syncs
        for number in range(50):
            store.stage([message(f"m{number}", BETWEEN)])
        store.commit()
        assert disk.wal_syncs == before + 1
        store.commit()
        assert disk.wal_syncs == before + 1

    def test_forgetting_does_not_wait_for_the_disk(self, store: SqliteStore, disk: Disk) -> None:
        """A step that is lost is done again. Where something is said in the same tick, that is synced."""
        step = fx.Forgot(Forgetting.POST_IDS, 0, 0)
        before = disk.wal_syncs
        store.stage([step])
        store.commit()
        assert disk.wal_syncs == before
        ticks: list[list[fx.Durable]] = [[step, message("one", BETWEEN)], [message("two", BETWEEN), step]]
        for number, tick in enumerate(ticks):
            for effect in tick:
                store.stage([effect])
            store.commit()
            assert disk.wal_syncs == before + number + 1
        store.stage([step])
        store.commit()
        store.keep_setting("pepper", "value")
        assert disk.wal_syncs == before + 3
        assert self.ids(store) == ["zero", "one", "two"]

    def test_a_step_of_forgetting_that_is_kept_is_not_taken_for_the_tick(self, store: SqliteStore) -> None:
        """Its commit is on disk, but SQLite says that it failed: what was said in the same tick was not tried."""
        store.stage([fx.ErasureBegun(BOB.id)])
        store.commit()
        store.stage([fx.Forgot(Forgetting.ERASURE, 0, 0)])
        store._connection.set_wal_hook(lambda *_: apsw.SQLITE_IOERR)
        with pytest.raises(StoreFailed):
            store.stage([message("one", BETWEEN)])
        assert not store.recover()
        assert self.ids(store) == ["zero"]

    def test_a_step_of_forgetting_that_fails_takes_the_tick_with_it(self, store: SqliteStore, disk: Disk) -> None:
        """Nothing else of the tick was tried."""
        store.stage([fx.ErasureBegun(BOB.id)])
        store.commit()
        store.stage([fx.Forgot(Forgetting.ERASURE, 0, 0)])
        disk.fails = "write"
        with pytest.raises(StoreFailed):
            store.stage([message("one", BETWEEN)])
        assert not store.recover()
        assert self.ids(store) == ["zero"]
        assert store.to_forget(0, 0) is Forgetting.ERASURE
        for number in (1, 2):  # the first syncs the head of the new WAL, too
            before = disk.wal_syncs
            store.stage([message(f"after {number}", BETWEEN)])
            store.commit()
        assert disk.wal_syncs == before + 1
