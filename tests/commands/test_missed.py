"""Replays that no script can bring about: many pages, and what is said while they are on their way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from secure_chat.chat.deliveries import ReadMissed
from secure_chat.chat.positions import COUNTED_MESSAGES, LAST_PAGE_MESSAGES, POSITIONS_LIMIT, WRITE_SECONDS
from secure_chat.commands.missed import FAILURES_LIMIT, PAGE_MESSAGES, MissedRead
from secure_chat.net import operations as op
from secure_chat.server.happenings import Happening
from tests.conversation.house import House, password_of
from tests.conversation.wire import Client
from tests.storage.failing_disk import Disk, failing_disk


@pytest.fixture
def disk() -> Iterator[Disk]:
    """The disk that the house is on."""
    with failing_disk() as disk:
        yield disk


@pytest.fixture
def house(tmp_path: Path, disk: Disk) -> Iterator[House]:
    """A server with two accounts, of which Bob was never there."""
    del disk
    house = House(tmp_path / "chat.db")
    house.add_account("alice")
    house.add_account("bob")
    yield house
    house.stop()


@pytest.fixture
def alice(house: House) -> Client:
    """Alice, who talks."""
    return house.log_in("alice")


def say(house: House, alice: Client, first: int, last: int, target: str = "bob") -> None:
    """Numbers, to Bob, or to the room he is in."""
    house.say(alice, *(f"PRIVMSG {target} {number}" for number in range(first, last)))


def come(house: House) -> tuple[Client, list[Happening]]:
    """Bob comes; and what his worker and the reader are to do next."""
    bob = house.connect("bob")
    lines = f"PASS bob:{password_of('bob')}\r\nNICK bob\r\nUSER b 0 * :Bob\r\n".encode()
    reports = step(house, house.received(bob, lines))
    (checked,) = reports
    return bob, step(house, [checked])


def step(house: House, happenings: list[Happening]) -> list[Happening]:
    """One tick; what comes of it is carried out, and what that brings is given back."""
    return [report for outcome in house.engine.tick(happenings) for report in house.release(outcome)]


def later(house: House) -> list[Happening]:
    """A second later nothing happens but what is due then."""
    house.now_us += 1_000_000
    return []


def numbers(client: Client) -> list[int]:
    """What the client was told, in order."""
    client.read()
    return [int(seen.params[1].rpartition(" ")[2]) for seen in client.all if seen.command == "PRIVMSG"]


def test_a_long_replay_comes_in_pages(house: House, alice: Client) -> None:
    """In order, each once, the next page when the last was taken."""
    house.hub.settings = replace(house.settings, replay_messages=1_000)
    count = 2 * PAGE_MESSAGES + 1
    say(house, alice, 0, count)
    bob, reports = come(house)
    pages = 0
    while reports:
        pages += sum(isinstance(report, MissedRead) for report in reports)
        reports = step(house, reports)
        assert len(reports) <= 1
    assert pages == 3
    assert numbers(bob) == list(range(count))


def test_how_many_more_there_are_is_counted_up_to_a_limit(house: House, alice: Client) -> None:
    """To count a year's messages would take long."""
    say(house, alice, 0, 102 + COUNTED_MESSAGES)
    bob, reports = come(house)
    house.work(reports)
    assert [seen.params[1] for seen in bob.all if seen.command == "NOTICE"] == [
        "More than 1000 messages with alice were missed before these; a client that can ask for history shows them"
    ]
    assert numbers(bob) == list(range(2 + COUNTED_MESSAGES, 102 + COUNTED_MESSAGES))


@pytest.mark.parametrize("target", ["bob", "#tea"])
@pytest.mark.parametrize("late", [1, LAST_PAGE_MESSAGES, LAST_PAGE_MESSAGES + 1, 3 * PAGE_MESSAGES])
def test_what_is_said_meanwhile_comes_behind(house: House, alice: Client, late: int, target: str) -> None:
    """However much that is; then comes what is said live. Nothing is left out, nothing comes twice."""
    house.say(alice, "JOIN #tea")
    earlier = house.log_in("bob")
    house.say(earlier, "JOIN #tea", "QUIT")
    say(house, alice, 0, 5, target)
    bob, reports = come(house)
    (drained,) = reports
    assert isinstance(drained, op.Drained)
    (read,) = step(house, [drained])
    assert isinstance(read, MissedRead)
    say(house, alice, 5, 5 + late, target)
    assert numbers(bob) == []
    house.work([read])
    assert numbers(bob) == list(range(5 + late))
    say(house, alice, 5 + late, 6 + late, target)
    assert numbers(bob) == list(range(6 + late))
    texts = [seen.params[1] for seen in bob.all if seen.command == "PRIVMSG"]
    assert texts[4] == "[2026-01-01 00:00 UTC] 4"
    assert texts[5:] == [str(number) for number in range(5, 6 + late)]
    house.prove(bob)
    position = house.hub.positions[house.hub.account_ids["bob"]]["~b~e3b0c442"]
    assert position.message_id == house.hub.last_id


def test_what_is_said_in_the_tick_of_the_last_page(house: House, alice: Client) -> None:
    """Before it and after it in the same tick: in order, each once."""
    say(house, alice, 0, 2)
    bob, (drained,) = come(house)
    (read,) = step(house, [drained])
    before, after = (house.received(alice, f"PRIVMSG bob {n}\r\n".encode()) for n in (2, 3))
    house.work([*before, read, *after])
    assert numbers(bob) == [0, 1, 2, 3]


def test_a_page_that_cannot_be_read(house: House, alice: Client) -> None:
    """It is tried again each second for some time. Then the session ends rather than going on without it; the next
    one gets it.
    """
    say(house, alice, 0, 2)
    bob, (drained,) = come(house)
    (read,) = step(house, [drained])
    assert isinstance(read, MissedRead)
    for _ in range(FAILURES_LIMIT):
        (drained,) = step(house, [MissedRead(read.job, failed=True)]) or step(house, later(house))
        (read,) = step(house, [drained])
        assert isinstance(read, MissedRead)
    house.work([MissedRead(read.job, failed=True)])
    assert bob.unread[-1].text == "ERROR :The server could not read what you missed; connect again to get it"
    bob, reports = come(house)
    house.work(reports)
    assert numbers(bob) == [0, 1]


def test_a_page_in_a_tick_that_is_lost(house: House, alice: Client, disk: Disk) -> None:
    """It comes again once the store works; only once, though the reader is asked from two sides."""
    say(house, alice, 0, 2)
    bob, (drained,) = come(house)
    (read,) = step(house, [drained])
    disk.fails = "write"
    house.work([*house.received(alice, b"PRIVMSG bob 2\r\n"), read, drained])
    disk.fails = ""
    house.pass_time(2)
    say(house, alice, 3, 4)
    assert numbers(bob) == [0, 1, 3]


def test_a_page_while_the_store_is_down(house: House, alice: Client, disk: Disk) -> None:
    """It is read again when the store works."""
    say(house, alice, 0, 2)
    bob, (drained,) = come(house)
    (read,) = step(house, [drained])
    disk.fails, disk.times = "write open", 0
    house.work(house.received(alice, b"PRIVMSG bob 2\r\n"))
    house.work([read, drained])
    assert numbers(bob) == []
    disk.fails = ""
    house.pass_time(2)
    house.pass_time(2)
    assert numbers(bob) == [0, 1]


def test_an_answer_for_who_is_gone(house: House, alice: Client) -> None:
    """Nothing follows from it; nor from a proof of somebody who is not there."""
    say(house, alice, 0, 2)
    bob, (drained,) = come(house)
    (read,) = step(house, [drained])
    assert isinstance(read, MissedRead)
    assert isinstance(read.job, ReadMissed)
    house.vanish(bob)
    assert house.engine.tick([read, drained, op.Proven(bob.id, 5)]) == []


@pytest.mark.parametrize("line", [b"JOIN #tea\r\n", b"PRIVMSG bob :7\r\n", b"PRIVMSG alice :hello\r\n"])
def test_what_happens_meanwhile_proves_nothing_of_the_rest(house: House, alice: Client, line: bytes) -> None:
    """Who does something before the first page comes, and then is lost, is given everything the next time."""
    say(house, alice, 0, 3)
    bob = house.connect("bob")
    house.say(bob, "CAP REQ echo-message", f"PASS bob:{password_of('bob')}", "NICK bob")
    (checked,) = step(house, house.received(bob, b"USER b 0 * :Bob\r\nCAP END\r\n"))
    step(house, [checked])
    step(house, house.received(bob, line))
    house.prove(bob)
    house.vanish(bob)
    bob, reports = come(house)
    house.work(reports)
    assert numbers(bob)[:3] == [0, 1, 2]


def test_what_others_do_meanwhile_proves_nothing_of_the_rest(house: House, alice: Client) -> None:
    """Somebody joins and leaves Bob's room, which he sees at once."""
    house.say(alice, "JOIN #tea")
    earlier = house.log_in("bob")
    house.say(earlier, "JOIN #tea", "QUIT")
    say(house, alice, 0, 3)
    bob, _ = come(house)
    step(house, house.received(alice, b"TOPIC #tea :green\r\nPART #tea\r\n"))
    bob.read()
    assert [seen.command for seen in bob.all][-2:] == ["TOPIC", "PART"]
    house.prove(bob)
    house.vanish(bob)
    bob, reports = come(house)
    house.work(reports)
    assert numbers(bob) == [0, 1, 2]


@pytest.mark.parametrize("proven", [1, 2])
def test_a_position_in_a_tick_that_is_lost(house: House, alice: Client, disk: Disk, proven: int) -> None:
    """What was proven stays so, also what is proven in that very tick."""
    bob = house.log_in("bob")
    house.pass_time(1)
    say(house, alice, 0, 1)
    house.prove(bob)
    say(house, alice, 1, proven)
    house.now_us += 11_000_000
    disk.fails = "write"
    house.prove(bob)
    house.pass_time(11)
    house.stop()
    house.start()
    bob, reports = come(house)
    house.work(reports)
    assert numbers(bob) == []


def test_the_clock_is_put_back_before_a_page_is_read_again(house: House, alice: Client) -> None:
    """Nobody waits for that hour to pass again."""
    say(house, alice, 0, 2)
    bob, (drained,) = come(house)
    (read,) = step(house, [drained])
    assert isinstance(read, MissedRead)
    house.work([MissedRead(read.job, failed=True)])
    house.pass_time(-3600)
    assert numbers(bob) == [0, 1]


def test_who_is_ignored_meanwhile_is_seen_no_more(house: House, alice: Client) -> None:
    """From the next page on."""
    house.hub.settings = replace(house.settings, replay_messages=1_000)
    say(house, alice, 0, PAGE_MESSAGES + 5)
    bob, (drained,) = come(house)
    (read,) = step(house, [drained])
    (drained,) = step(house, [read])
    house.work([*house.received(bob, b"IGNORE alice\r\n"), drained])
    assert numbers(bob) == list(range(PAGE_MESSAGES))


def test_an_account_has_a_limited_number_of_positions(house: House, alice: Client) -> None:
    """The device that has not moved for longest begins anew, as one that was never seen does."""
    bob = house.log_in("bob@first")
    say(house, alice, 0, 1)
    house.vanish(bob)
    for number in range(POSITIONS_LIMIT):
        house.pass_time(1)
        house.say(house.log_in(f"bob@d{number}"), "QUIT")
    house.pass_time(WRITE_SECONDS)
    positions = house.hub.positions[house.hub.account_ids["bob"]]
    assert list(positions) == [f"d{number}" for number in range(POSITIONS_LIMIT)]
    assert numbers(house.log_in("bob@first")) == []


def test_a_new_device_gets_in_while_nothing_can_be_written(house: House, disk: Disk) -> None:
    """Also where it is one too many."""
    for number in range(POSITIONS_LIMIT):
        house.say(house.log_in(f"bob@d{number}"), "QUIT")
    house.pass_time(WRITE_SECONDS)
    disk.fails, disk.times = "full", 0
    house.log_in("bob@new")
    disk.fails = ""
