"""Reading history beside the dispatcher: its thread, its faults, its limits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from threading import Event

import pytest
from msgspec.structs import replace

from secure_chat.chat.deliveries import ReadHistory
from secure_chat.chat.history import End, HistoryQuery, Rights, SearchQuery, TargetsQuery
from secure_chat.chat.messages import InRoom
from secure_chat.commands.history import HistoryRead
from secure_chat.commands.missed import MissedRead
from secure_chat.protocol.capabilities import Profile
from secure_chat.protocol.search import parse_terms
from secure_chat.server import history_pool
from secure_chat.server.history_pool import HistoryAnswerer, HistoryPool
from secure_chat.storage.history import HistoryReader
from tests.conversation.house import House

ANSWER_SECONDS = 10.0


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A server with a room in which 300 messages were said."""
    house = House(tmp_path / "chat.db")
    house.add_account("ann")
    ann = house.log_in("ann")
    house.say(ann, "JOIN #tea")
    for number in range(300):
        house.say(ann, f"PRIVMSG #tea :kettle number {number}")
    yield house
    house.stop()


def search(house: House) -> ReadHistory:
    """A question by Ann."""
    return ReadHistory(1, SearchQuery(house.hub.account_ids["ann"], parse_terms("kettle"), 100), Profile.NONE, True)


def test_a_search_that_takes_too_long_is_given_up(house: House) -> None:
    reader = HistoryReader(house.path, "chat.local", Rights.MEMBERSHIP, search_seconds=-1)
    answer = HistoryAnswerer(reader, "chat.local").answer(search(house))
    assert answer.refusal is not None
    assert answer.refusal.code == "TOO_SLOW"


def test_a_page_that_takes_too_long_is_given_up_too(house: House) -> None:
    """Others wait for the same thread."""
    reader = HistoryReader(house.path, "chat.local", Rights.MEMBERSHIP, search_seconds=-1)
    query = HistoryQuery(house.hub.account_ids["ann"], InRoom(house.hub.room_ids["#tea"]), "#tea", End.NEWEST, 300)
    answer = HistoryAnswerer(reader, "chat.local").answer(replace(search(house), question=query))
    assert answer.refusal is not None
    assert answer.refusal.code == "MESSAGE_ERROR"


def test_a_store_that_cannot_be_read_costs_the_answer_only(house: House, tmp_path: Path) -> None:
    reader = HistoryReader(tmp_path / "none.db", "chat.local", Rights.MEMBERSHIP)
    answerer = HistoryAnswerer(reader, "chat.local")
    me, room = house.hub.account_ids["ann"], house.hub.room_ids["#tea"]
    for question, code in (
        (HistoryQuery(me, InRoom(room), "#tea", End.NEWEST, 10), "MESSAGE_ERROR"),
        (TargetsQuery(me, 0, 10**13, 10), "MESSAGE_ERROR"),
        (search(house).question, "INTERNAL_ERROR"),
    ):
        answer = answerer.answer(replace(search(house), question=question))
        assert answer.refusal is not None
        assert answer.refusal.code == code
    # A file that is no database.
    (tmp_path / "none.db").write_text("x" * 4096)
    assert answerer.answer(search(house)).refusal is not None


def test_the_threads_answer_and_forget_who_has_gone(house: House) -> None:
    answers: Queue[HistoryRead | MissedRead] = Queue()
    reader = HistoryReader(house.path, "chat.local", Rights.MEMBERSHIP)
    pool = HistoryPool(reader, "chat.local", answers.put)
    try:
        for session_id in (1, 2):
            pool.ask(replace(search(house), session_id=session_id))
        assert {answers.get(timeout=ANSWER_SECONDS).job.session_id for _ in range(2)} == {1, 2}
        pool.forget(3)
        pool.ask(replace(search(house), session_id=4))
        assert b"kettle number 299" in answers.get(timeout=ANSWER_SECONDS).data
    finally:
        pool.close(ANSWER_SECONDS)
    pool.ask(search(house))
    assert answers.empty()


def test_who_asks_much_waits_longest(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen sessions of one account do not make everybody else wait for sixteen long searches."""
    monkeypatch.setattr(history_pool, "READERS", 1)
    begun, gate = Event(), Event()
    answers: Queue[int] = Queue()

    def read(answer: HistoryRead | MissedRead) -> None:
        begun.set()
        gate.wait(ANSWER_SECONDS)
        answers.put(answer.job.session_id)

    pool = HistoryPool(HistoryReader(house.path, "chat.local", Rights.MEMBERSHIP), "chat.local", read)
    try:
        pool.ask(search(house))
        assert begun.wait(ANSWER_SECONDS)
        for session_id in range(2, 7):
            pool.ask(replace(search(house), session_id=session_id))
        pool.ask(replace(search(house), session_id=7, question=TargetsQuery(1, 0, 10**13, 10)))
        pool.forget(4)
        gate.set()
        assert [answers.get(timeout=ANSWER_SECONDS) for _ in range(6)] == [1, 2, 7, 3, 5, 6]
    finally:
        gate.set()
        pool.close(ANSWER_SECONDS)
