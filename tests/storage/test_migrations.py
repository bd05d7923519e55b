"""Databases of every released version of the schema, with data in them, work with this program."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from secure_chat.chat.codes import Code, Purpose
from secure_chat.chat.devices import Device
from secure_chat.chat.history import End, HistoryQuery, Rights, SearchQuery
from secure_chat.chat.messages import Between, InRoom, PostId
from secure_chat.chat.ports import AlreadyPosted, AuditEntry
from secure_chat.chat.positions import Position
from secure_chat.chat.rooms import Ban, Role, RoomModes, RoomRecord, Topic
from secure_chat.protocol.search import parse_terms
from secure_chat.storage.chapters import count_unindexed
from secure_chat.storage.consistency import Index, compare_index
from secure_chat.storage.database import APPLICATION_ID, add_functions, schema_scripts
from secure_chat.storage.history import HistoryReader
from secure_chat.storage.sqlite import SqliteStore
from tests.storage.contract import ALICE, BOB, TEA, message, missed_by

pytestmark = pytest.mark.once
VERSIONS = range(1, len(schema_scripts()) + 1)
GONE = ALICE.id + 2
"""An account that was removed."""
SAID = ("Ещё один чайник", "a kettle", "in the room")
SAY, TAGS = "INSERT INTO message VALUES", '{"+m":"x"}'
DATA: dict[int, tuple[str, ...]] = {
    1: (
        f"INSERT INTO account VALUES ({ALICE.id}, 'Alice', 'alice', 'hash', 1, 0, 0, 0, 0, 5, 0)",
        f"INSERT INTO account VALUES ({BOB.id}, 'Bob', 'bob', 'hash', 0, 0, 0, 0, 0, 6, 2)",
        f"INSERT INTO account VALUES ({GONE}, 'Gone', 'gone', '', 0, 0, 1, 3, 7, 6, 0)",
        f"INSERT INTO login VALUES ({BOB.id}, '::1', 44)",
        f"INSERT INTO room VALUES (7, '#Tea', '#tea', 8, {ALICE.id}, 'hot', 'Bob', 9, 'nt', 'key', 12)",
        f"INSERT INTO conversation VALUES (1, 7, NULL, NULL, 4), (2, NULL, {ALICE.id}, {BOB.id}, 3)",
        f"INSERT INTO membership VALUES (7, {ALICE.id}, 1, NULL, 4)",
        f"INSERT INTO membership VALUES (7, {BOB.id}, 1, 1, 0), (7, {BOB.id}, 3, NULL, 1)",
        "INSERT INTO ban VALUES (7, 'x!*@*', 'Alice', 10)",
        f"INSERT INTO room_invitation VALUES (7, {GONE})",
        f"{SAY} (1, 1, 1, 'm1', 'post', {ALICE.id}, 'al', NULL, NULL, '{SAID[0]}', NULL, 1000000)",
        f"{SAY} (2, 2, 1, 'm2', 'post', {ALICE.id}, 'al', {BOB.id}, NULL, '{SAID[1]}', '{TAGS}', 2000000)",
        f"{SAY} (3, 2, 2, 'm3', 'notice', {ALICE.id}, 'al', {BOB.id}, NULL, 'second', NULL, 3000000)",
        f"{SAY} (4, 1, 2, 'm4', 'kick', {ALICE.id}, 'al', NULL, {BOB.id}, 'why', NULL, 4000000)",
        f"{SAY} (5, 1, 3, 'm5', 'post', {BOB.id}, 'bo', NULL, NULL, '{SAID[2]}', NULL, 5000000)",
        f"INSERT INTO post_id VALUES ({ALICE.id}, 'p1', x'01', 1)",
        "INSERT INTO audit (time_us, actor, act, subject, detail) VALUES (5, 'a', 'b', 'c', 'd')",
    ),
    2: (
        "INSERT INTO code VALUES (x'61', '0a', 'invitation', 'Alice', 5, 9, 3, 2, 'Zoë', NULL, 7, 0)",
        f"INSERT INTO device VALUES (x'6c', {BOB.id}, 'Laptop', 'laptop', 5, 6, '::1')",
        f"INSERT INTO ignored VALUES ({ALICE.id}, {GONE})",
        f"INSERT INTO room_mute VALUES (7, {BOB.id}, 55)",
    ),
    3: (f"INSERT INTO read_marker VALUES ({BOB.id}, 2, 2000)",),
    6: (f"INSERT INTO post_id VALUES ({ALICE.id}, 'p0', x'02', NULL, 'm0', 77, 88)",),
    7: (f"INSERT INTO position VALUES ({BOB.id}, 'laptop', 4, 9)",),
}
"""What is put into a database when it has this version; what later versions make of it is theirs."""


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> int:
    """Each version of the schema that there was."""
    return int(request.param)


@pytest.fixture
def store(version: int, tmp_path: Path) -> Iterator[SqliteStore]:
    """A database that was made with that version and filled, opened by this program."""
    path = tmp_path / "chat.db"
    connection = apsw.Connection(str(path))
    add_functions(connection)
    connection.execute("PRAGMA foreign_keys=ON; PRAGMA synchronous=OFF")
    for number, script in enumerate(schema_scripts()[:version], start=1):
        connection.execute(script)
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={number}")
        for statement in DATA.get(number, ()):
            connection.execute(statement)
    connection.close()
    store = SqliteStore(path)
    yield store
    store.close()


def test_the_state_is_there(store: SqliteStore, version: int) -> None:
    """All that the hub begins with."""
    snapshot = store.load()
    accounts = {account.id: account for account in snapshot.accounts}
    assert accounts[ALICE.id] == ALICE
    assert accounts[BOB.id] == BOB
    assert (accounts[GONE].removed, accounts[GONE].epoch, accounts[GONE].muted_until_us) == (True, 3, 7)
    modes = RoomModes(frozenset("nt"), "key", 12)
    assert list(snapshot.rooms) == [RoomRecord(7, "#Tea", "#tea", 8, ALICE.id, Topic("hot", "Bob", 9), modes)]
    assert list(snapshot.members) == [(7, ALICE.id, Role(4)), (7, BOB.id, Role(1))]
    assert list(snapshot.bans) == [(7, Ban("x!*@*", "Alice", 10))]
    assert list(snapshot.invitations) == [(7, GONE)]
    assert (snapshot.last_id, snapshot.last_us) == (5, 5_000_000)
    # Where nothing waited for an account, and before the first private message that did.
    positions = {account_id: at.message_id for account_id, device, at in snapshot.positions if device == ""}
    assert positions == {ALICE.id: 5, BOB.id: 2, GONE: 5}
    assert store.logged_in_from(BOB.id, "::1", 44)
    assert store.audited(9, 0) == [AuditEntry(5, "a", "b", "c", "d")]
    if version >= 2:
        assert list(snapshot.codes) == [Code(b"a", "0a", Purpose.INVITATION, "Alice", 5, 9, 3, 2, "Zoë", None, 7)]
        assert list(snapshot.devices) == [Device(b"l", BOB.id, "Laptop", 5, 6, "::1")]
        assert list(snapshot.ignores) == [(ALICE.id, GONE)]
        assert list(snapshot.room_mutes) == [(7, BOB.id, 55)]
    if version >= 3:
        assert list(snapshot.markers) == [(BOB.id, ALICE.id, 2000)]
    if version >= 7:
        assert (BOB.id, "laptop", Position(4, 9)) in snapshot.positions


def test_what_was_said_is_there(store: SqliteStore, tmp_path: Path) -> None:
    """In the history, by its rights, and to the search."""
    reader = HistoryReader(tmp_path / "chat.db", "h", Rights.MEMBERSHIP)
    room = reader.messages(HistoryQuery(ALICE.id, InRoom(7), "#Tea", End.NEWEST, 9, events=True))
    assert [one.params for one in room] == [("#Tea", SAID[0]), ("#Tea", "Bob", "why"), ("#Tea", SAID[2])]
    mine = reader.messages(HistoryQuery(BOB.id, InRoom(7), "#Tea", End.NEWEST, 9, events=True))
    assert [one.params[-1] for one in mine] == [SAID[0], SAID[2]]
    private = reader.messages(HistoryQuery(BOB.id, Between(BOB.id, ALICE.id), "Alice", End.NEWEST, 9))
    assert [(one.msgid, one.params[-1], dict(one.client_tags)) for one in private] == [
        ("m2", SAID[1], {"+m": "x"}),
        ("m3", "second", {}),
    ]
    assert [one.msgid for one in missed_by(store, BOB, after_id=2)] == ["m3"]
    for words, msgid in (("еще чайник", "m1"), ("kettle", "m2")):
        found = reader.search(SearchQuery(ALICE.id, parse_terms(words), 9))
        assert [one.msgid for one in found] == [msgid]


def test_the_index_is_whole(store: SqliteStore, version: int, tmp_path: Path) -> None:
    """Not only what comes later is put into it: that would be everything at once, with the first that is said."""
    if version < VERSIONS[-1]:
        connection = apsw.Connection(str(tmp_path / "chat.db"))
        assert count_unindexed(connection) == 0
        assert compare_index(connection) == Index([], [], [], ahead=False)
        connection.close()
    assert store.to_forget(0, 0) is None


def test_it_goes_on(store: SqliteStore, version: int) -> None:
    """Posts that are repeated are known, new ones get the next sequences."""
    with pytest.raises(AlreadyPosted) as known:
        store.stage([message("x", InRoom(TEA.id), SAID[0], PostId("p1", b"\x01"))])
    assert (known.value.first.msgid, known.value.first.text) == ("m1", SAID[0])
    if version >= 6:
        with pytest.raises(AlreadyPosted) as pruned:
            store.stage([message("x", InRoom(TEA.id), "gone", PostId("p0", b"\x02"))])
        assert (pruned.value.first.msgid, pruned.value.first.time_us) == ("m0", 77)
    store.stage([message("y", Between(ALICE.id, BOB.id), post_id=PostId("p2", b"d"))])
    store.commit()
    assert missed_by(store, BOB)[-1].msgid == "y"
    with pytest.raises(AlreadyPosted) as again:
        store.stage([message("z", Between(ALICE.id, BOB.id), post_id=PostId("p2", b"d"))])
    assert again.value.first.sequence == 3
