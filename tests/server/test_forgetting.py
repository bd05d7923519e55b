"""When steps of forgetting are due, and what the tool that waits for an erasure is told."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from secure_chat.chat.forgetting import ROUND_SECONDS
from secure_chat.chat.settings import Settings
from secure_chat.server import forgetting
from secure_chat.server.happenings import Asked
from secure_chat.storage import forgetting as storage_forgetting
from secure_chat.storage.sqlite import SqliteStore
from tests.conversation.house import House
from tests.conversation.wire import Client
from tests.e2e.waiting import wait_for
from tests.storage.failing_disk import Disk, failing_disk

ROUND_US = ROUND_SECONDS * 1_000_000


@pytest.fixture
def disk() -> Iterator[Disk]:
    """The disk that the server's database is on."""
    with failing_disk() as disk:
        yield disk


@pytest.fixture
def house(disk: Disk, tmp_path: Path) -> Iterator[House]:
    """A server with two accounts."""
    house = House(tmp_path / "chat.db")
    for name in ("alice", "bob"):
        house.add_account(name)
    yield house
    disk.fails = ""
    house.stop()


@pytest.fixture
def alice(house: House) -> Client:
    """She has said something."""
    alice = house.log_in("alice", ["echo-message"])
    house.say(alice, *(f"PRIVMSG bob :{number}" for number in range(30)))
    return alice


def begin(house: House) -> list[dict[str, Any]]:
    """Begin to erase what Alice said; where the answer will be."""
    answers: list[dict[str, Any]] = []
    house.work([Asked("user remove", {"name": "alice", "messages": "erase"}, answers.append)])
    return answers


def due_in_us(house: House) -> int:
    """How long until the next step."""
    due_us = house.engine.next_due_us()
    assert due_us is not None
    return max(0, due_us - house.now_us)


def test_nothing_is_due_before_a_server_runs(tmp_path: Path) -> None:
    """The command-line tool does not prune what it was not asked to."""
    rounds = forgetting.ForgettingRounds()
    assert rounds.due_us is None
    rounds.begin()
    assert rounds.due_us == 0


def test_a_round_a_day(house: House) -> None:
    """When nothing is left; steps follow each other quickly when idle, and slowly while people talk."""
    house.work([])
    assert 0 < due_in_us(house) <= ROUND_US
    begin(house)
    assert due_in_us(house) == 0
    house.work([])
    assert due_in_us(house) == forgetting.IDLE_PAUSE_US
    house.now_us += forgetting.IDLE_PAUSE_US
    house.ask("user list")
    assert due_in_us(house) == forgetting.BUSY_PAUSE_US


def old_reader(house: House) -> apsw.Connection:
    """Somebody who keeps the state as it is, with all that was said, until it is closed."""
    reader = apsw.Connection(str(house.path), flags=apsw.SQLITE_OPEN_READONLY)
    reader.execute("BEGIN")
    assert next(reader.execute("SELECT count(*) FROM message")) == (30,)
    return reader


@pytest.mark.usefixtures("alice")
def test_the_tool_does_not_wait_for_ever(house: House) -> None:
    """While a reader keeps the old state it is told that it goes on; who asks again is told of the end."""
    reader = old_reader(house)
    answers = begin(house)
    for _ in range(20):
        house.pass_time(0.1)
    assert answers == []
    house.pass_time(forgetting.WAIT_US / 1e6)
    assert answers == [{"name": "alice", "erasing": "goes on"}]
    again = begin(house)
    house.pass_time(0.1)
    assert again == []
    reader.close()
    wait_for(lambda: house.pass_time(0.1) or again)  # type: ignore[func-returns-value]
    assert again == [{"name": "alice", "erasing": "ended"}]
    assert 0 < due_in_us(house) <= ROUND_US


@pytest.mark.usefixtures("alice")
def test_a_clock_put_back_holds_up_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the next step nor who waits for the end waits until it is again as late as it was."""
    monkeypatch.setattr(storage_forgetting, "SCANNED_ROWS", 5)  # so that some steps follow each other
    reader = old_reader(house)
    answers = begin(house)
    house.work([])
    house.now_us -= 3_600_000_000
    house.work([])
    assert due_in_us(house) == forgetting.IDLE_PAUSE_US
    assert answers == [{"name": "alice", "erasing": "goes on"}]
    reader.close()
    again = begin(house)
    wait_for(lambda: house.pass_time(0.1) or again)  # type: ignore[func-returns-value]
    assert 0 < due_in_us(house) <= ROUND_US
    house.now_us -= ROUND_US
    house.work([])
    assert 0 < due_in_us(house) <= ROUND_US


@pytest.mark.usefixtures("alice")
def test_a_disk_that_fails_meanwhile(house: House, disk: Disk) -> None:
    """Where it could not even begin, nothing was done; later it goes on a minute after, or when asked again."""
    disk.fails = "write"
    (answer,) = begin(house)
    assert "could not write" in answer["error"]
    assert house.hub.account_named("alice") is not None
    answers = begin(house)
    disk.fails, disk.times = "write", 1
    house.pass_time(0.1)
    assert "could not write" in answers[0]["held_up"]
    assert answers[0]["erasing"] == "goes on"
    assert "error" not in answers[0]  # she is removed
    assert house.hub.account_named("alice") is None
    assert due_in_us(house) == forgetting.FAILED_PAUSE_US
    again = begin(house)
    wait_for(lambda: house.pass_time(0.1) or again)  # type: ignore[func-returns-value]
    assert again == [{"name": "alice", "erasing": "ended"}]


@pytest.mark.usefixtures("alice")
def test_a_bug_is_told_and_not_repeated_at_once(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The log must not be filled with it."""
    answers = begin(house)
    with monkeypatch.context() as broken:
        broken.setattr(SqliteStore, "to_forget", lambda *_: 1 / 0)
        house.pass_time(0.1)
        assert "fault in the server" in answers[0]["held_up"]
        assert due_in_us(house) == forgetting.FAILED_PAUSE_US
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    again = begin(house)
    wait_for(lambda: house.pass_time(0.1) or again)  # type: ignore[func-returns-value]
    assert again == [{"name": "alice", "erasing": "ended"}]


def test_a_round_ends_though_something_becomes_too_old_all_the_time(tmp_path: Path) -> None:
    """With each step here: that is for the next round, or the index would be made anew without end."""
    house = House(tmp_path / "old.db", Settings(lobby="", grace_seconds=0, keep_days=1))
    for name in ("alice", "bob"):
        house.add_account(name)
    alice = house.log_in("alice")
    for number in range(60):
        house.now_us += 1_000_000
        house.say(alice, f"PRIVMSG bob :{number}")
    house.stop()
    house.now_us += ROUND_US - 50_500_000  # ten are too old
    house.start()
    wait_for(lambda: house.pass_time(1) or due_in_us(house) > forgetting.BUSY_PAUSE_US)  # type: ignore[func-returns-value]
    assert ROUND_US - 1_000_000 < due_in_us(house) <= ROUND_US
    with apsw.Connection(str(house.path)) as connection:
        assert connection.execute("SELECT text FROM message ORDER BY id LIMIT 1").fetchall() == [("10",)]
    house.pass_time(ROUND_SECONDS)
    wait_for(lambda: house.pass_time(1) or due_in_us(house) > forgetting.BUSY_PAUSE_US)  # type: ignore[func-returns-value]
    with apsw.Connection(str(house.path)) as connection:
        assert connection.execute("SELECT text FROM message").fetchall() == [("",)]
    house.stop()
