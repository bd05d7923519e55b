"""The WAL neither grows without end while people talk, nor stays long when they are silent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import apsw
import pytest

from secure_chat.chat import effects as fx
from secure_chat.chat.forgetting import Forgetting
from secure_chat.storage import checkpointer, sqlite
from secure_chat.storage.checkpointer import Checkpointer
from secure_chat.storage.database import BUSY_TIMEOUT_MS, open_database
from secure_chat.storage.sqlite import SqliteStore
from tests.e2e.waiting import wait_for
from tests.storage.contract import ALICE

PAGES = 120
KIB = 1024
HEADER_BYTES = 24
"""Of each page in the WAL."""
pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """All limits are lower by so much, and it looks more often."""
    monkeypatch.setattr(checkpointer, "PASSIVE_PAGES", 20)
    monkeypatch.setattr(checkpointer, "RESTART_PAGES", PAGES)
    monkeypatch.setattr(checkpointer, "REST_PAGES", PAGES)
    monkeypatch.setattr(checkpointer, "FORCED_PAGES", 8 * PAGES)
    monkeypatch.setattr(checkpointer, "FILE_BYTES", 40 * KIB)
    monkeypatch.setattr(checkpointer, "INTERVAL_SECONDS", 0.005)


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[apsw.Connection]:
    """The one connection that writes; beside it `working` is at work."""
    connection = open_database(tmp_path / "chat.db")
    yield connection
    connection.close()


@pytest.fixture
def lengths() -> list[int]:
    """How many pages were in the WAL after each commit."""
    return []


@pytest.fixture
def working(writer: apsw.Connection, tmp_path: Path, lengths: list[int]) -> Iterator[Checkpointer]:
    """The checkpointer, which is told of each commit."""
    working = Checkpointer(tmp_path / "chat.db")

    def committed(connection: apsw.Connection, _name: str, pages: int) -> int:
        lengths.append(pages)
        working.committed(connection, pages)
        return apsw.SQLITE_OK

    writer.set_wal_hook(committed)
    yield working
    working.close()


def write(connection: apsw.Connection, key: int) -> None:
    """A tick of some pages."""
    with connection:
        connection.execute("REPLACE INTO setting VALUES (?, hex(randomblob(?)))", (f"key{key % 10}", 2 * KIB))


def wal_pages(path: Path) -> int:
    """What the file has room for."""
    return (path / "chat.db-wal").stat().st_size // (4 * KIB + HEADER_BYTES)


def test_what_a_crash_left_is_moved_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the WAL of a server that crashes again and again would grow without end."""
    monkeypatch.setattr(checkpointer, "INTERVAL_SECONDS", 3600)
    connection = open_database(tmp_path / "chat.db")
    for number in range(PAGES):
        write(connection, number)
    left = wal_pages(tmp_path)
    working = Checkpointer(tmp_path / "chat.db")
    wait_for(lambda: next(connection.execute("PRAGMA wal_checkpoint(NOOP)"))[2] == left)
    working.close()
    for number in range(10):
        write(connection, number)
    assert wal_pages(tmp_path) == left
    connection.close()


@pytest.mark.parametrize("forgets", [False, True])
def test_it_is_begun_anew_while_people_talk(
    writer: apsw.Connection, working: Checkpointer, tmp_path: Path, *, forgets: bool
) -> None:
    """There is never a moment without a write, nor one in which forgetting does not wait for it."""
    written = longest = 0
    while written < 20 * PAGES:
        write(writer, written)
        written += 1
        longest = max(longest, wal_pages(tmp_path))
        if forgets:
            working.moved_for(written, 1)
    assert PAGES < longest < 20 * PAGES
    assert writer.execute("SELECT count(*) FROM setting WHERE key LIKE 'key%'").fetchall() == [(10,)]


@pytest.mark.usefixtures("working")
def test_it_is_looked_at_as_soon_as_it_is_long(
    writer: apsw.Connection, lengths: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Much can be written between one look and the next; also after it was begun anew."""
    monkeypatch.setattr(checkpointer, "INTERVAL_SECONDS", 3600)
    for _ in range(3):
        before = len(lengths)
        wait_for(partial(_begun_anew, writer, lengths))
        assert max(lengths[before:]) > PAGES


def _begun_anew(writer: apsw.Connection, lengths: list[int]) -> bool:
    """Whether it was, while so much is written."""
    before = len(lengths)
    for number in range(PAGES // 10):
        write(writer, number)
    return any(later < earlier for earlier, later in pairwise(lengths[before:]))


def test_where_it_is_much_too_long_a_reader_is_waited_for(
    writer: apsw.Connection, working: Checkpointer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would never be begun anew where there is always one that has just begun."""
    monkeypatch.setattr(checkpointer, "FORCED_PAGES", 0)
    monkeypatch.setattr(checkpointer, "FORCED_MS", 60_000)
    working.close()  # from now on nothing is moved but by the writer
    write(writer, 1)
    reader, other = (apsw.Connection(str(tmp_path / "chat.db")) for _ in range(2))
    reader.execute("BEGIN; SELECT count(*) FROM setting").fetchall()

    def end() -> None:
        wait_for(partial(_is_locked, other))
        reader.close()

    ending = threading.Thread(target=end)
    ending.start()
    working._leaves_rest = True
    write(writer, 2)
    ending.join()
    other.close()
    assert writer.execute("PRAGMA busy_timeout").fetchall() == [(BUSY_TIMEOUT_MS,)]


def _is_locked(connection: apsw.Connection) -> bool:
    """Whether somebody keeps everybody from writing."""
    try:
        connection.execute("BEGIN IMMEDIATE; ROLLBACK")
    except apsw.BusyError:
        return True
    return False


@pytest.mark.usefixtures("working")
def test_nobody_waits_for_a_reader(
    writer: apsw.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it is in the way, as a backup is, the WAL grows; afterwards it is begun anew."""
    monkeypatch.setattr(checkpointer, "FORCED_PAGES", PAGES)
    monkeypatch.setattr(checkpointer, "FORCED_MS", 3_600_000)
    reader = apsw.Connection(str(tmp_path / "chat.db"))
    reader.execute("BEGIN; SELECT count(*) FROM setting").fetchall()
    looks = 0
    look = checkpointer._pages

    def counted(connection: apsw.Connection) -> tuple[int, int]:
        nonlocal looks
        looks += 1
        return look(connection)

    def looked(times: int) -> bool:
        return looks >= times

    monkeypatch.setattr(checkpointer, "_pages", counted)
    for _ in range(10):
        for number in range(PAGES):
            write(writer, number)
        wait_for(partial(looked, looks + 3))  # it does not wait for the reader, and the writer for it
    grown = wal_pages(tmp_path)
    assert grown > 10 * PAGES
    reader.close()
    for number in range(10 * PAGES):
        write(writer, number)
    assert wal_pages(tmp_path) < 2 * grown


@pytest.mark.usefixtures("working")
def test_the_file_is_cut_when_nothing_is_written(writer: apsw.Connection, tmp_path: Path) -> None:
    for number in range(PAGES):
        write(writer, number)
    wait_for(lambda: wal_pages(tmp_path) == 0)
    write(writer, 1)
    assert wal_pages(tmp_path) > 0


def test_what_comes_later_need_not_be_moved(
    writer: apsw.Connection, working: Checkpointer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody reads all the time, and there is always something new: forgetting goes on all the same."""
    monkeypatch.setattr(checkpointer, "RETRY_SECONDS", 0.005)
    for number in range(30):
        write(writer, number)
    reader = apsw.Connection(str(tmp_path / "chat.db"))
    reader.execute("BEGIN; SELECT count(*) FROM setting").fetchall()
    pages, _ = checkpointer._pages(writer)
    wait_for(lambda: write(writer, 1) or working.moved_for(1, pages))  # type: ignore[func-returns-value]
    reader.close()


def test_forgetting_waits_until_what_it_wrote_is_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And while somebody reads: it does not make the WAL grow meanwhile."""
    monkeypatch.setattr(checkpointer, "INTERVAL_SECONDS", 3600)
    monkeypatch.setattr(sqlite, "FORGETTING_PAGES", 1)
    store = SqliteStore(tmp_path / "chat.db")
    assert store.keeps_up()
    store.stage([fx.AccountSet(ALICE)])
    store.commit()
    reader = apsw.Connection(str(tmp_path / "chat.db"))
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM account").fetchall()
    for _ in range(2):
        store.stage([fx.Forgot(Forgetting.POST_IDS, 0, 0)])
        store.commit()
    assert not store.keeps_up()
    reader.execute("COMMIT")
    wait_for(store.keeps_up)
    store.close()
    reader.close()
