"""What users are told when the disk, or a handler, fails (design: a failed commit has an unknown outcome)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from secure_chat.chat.deliveries import HashPassword
from secure_chat.chat.effects import AccountSet, Append
from secure_chat.chat.hub import Hub
from secure_chat.chat.messages import Between, Kind, NewMessage
from secure_chat.chat.positions import Replay
from secure_chat.chat.settings import RegistrationMode
from secure_chat.commands.context import Context
from secure_chat.commands.redeeming import PasswordHashed
from secure_chat.commands.registry import COMMANDS, command
from secure_chat.net.operations import Drained, Lost
from secure_chat.protocol.numerics import Numeric
from secure_chat.protocol.sasl import encode_plain
from tests.conversation.house import House
from tests.conversation.wire import Client
from tests.storage.contract import missed_by
from tests.storage.failing_disk import Disk, failing_disk

CAPABILITIES = ("labeled-response", "batch", "echo-message", "standard-replies", "secure-chat.internal/post-id")


@pytest.fixture
def disk() -> Iterator[Disk]:
    """The disk that the server's database is on."""
    with failing_disk() as disk:
        yield disk


@pytest.fixture
def house(disk: Disk, tmp_path: Path) -> Iterator[House]:
    """A server with three accounts."""
    house = House(tmp_path / "chat.db")
    for name in ("alice", "bob", "carol"):
        house.add_account(name)
    yield house
    disk.fails = ""
    house.stop()


@pytest.fixture
def people(house: House) -> dict[str, Client]:
    """They are online, and two of them in a room."""
    people = {name: house.log_in(name, CAPABILITIES) for name in ("alice", "bob", "carol")}
    house.say(people["alice"], "JOIN #tea")
    house.say(people["bob"], "JOIN #tea")
    forget(people)
    return people


def forget(people: dict[str, Client]) -> None:
    """What came so far is read."""
    for client in people.values():
        client.unread.clear()


def lines(client: Client) -> list[str]:
    """What came, which is read then."""
    texts = [seen.text for seen in client.unread]
    client.unread.clear()
    return texts


def together(house: House, *said: tuple[Client, str]) -> None:
    """All this in one tick."""
    house.work([h for client, line in said for h in house.received(client, f"{line}\r\n".encode())])


def assert_memory_is_what_is_stored(house: House) -> None:
    """A new hub would hold the same."""
    fresh = Hub(house.settings)
    fresh.load(house.store.load())
    assert fresh.accounts == house.hub.accounts
    assert fresh.account_ids == house.hub.account_ids
    assert fresh.rooms == house.hub.rooms
    assert fresh.room_ids == house.hub.room_ids
    assert fresh.rooms_of == {key: rooms for key, rooms in house.hub.rooms_of.items() if rooms}


def test_a_commit_that_fails(house: House, people: dict[str, Client], disk: Disk) -> None:
    """Who said or changed something is told, with the label; who asked is answered; nobody else hears of it."""
    alice, bob, carol = people.values()
    disk.fails = "write"
    together(
        house,
        (alice, "@label=a PRIVMSG #tea :lost"),
        (bob, "@label=b PING x"),
        (carol, "@label=c JOIN #tea,#new"),
        (bob, "TOPIC #tea"),
    )
    text = "The server could not write to its disk; nothing was sent or changed; try again later"
    begin, fail, numeric, end = lines(alice)
    assert begin.startswith("@label=a :chat.local BATCH +")
    assert fail.endswith(f" :chat.local FAIL PRIVMSG STORAGE_ERROR PRIVMSG :{text}")
    assert numeric.endswith(f" :chat.local 400 alice PRIVMSG :{text}")
    assert end.startswith(":chat.local BATCH -")
    told = lines(bob)
    assert told == ["@label=b :chat.local PONG chat.local x", ":chat.local 331 bob #tea :No topic is set"]
    assert [text for text in lines(carol) if "STORAGE_ERROR" in text]
    assert_memory_is_what_is_stored(house)
    assert house.hub.room_named("#new") is None
    house.say(alice, "PRIVMSG #tea :kept")
    assert lines(alice) == lines(bob) == [":alice!alice@chat.local PRIVMSG #tea kept"]
    assert lines(carol) == []


def test_a_full_disk_is_left_alone_for_a_moment(house: House, disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    """A device that is seen first is kept at once; where that fails, not at once again."""
    house.pass_time(20)
    disk.fails, disk.times = "full", 0
    house.log_in("alice@laptop")
    ends_us = house.now_us + 3_000_000
    with caplog.at_level(logging.ERROR, "secure_chat.server"):
        while (due_us := house.engine.next_due_us()) is not None and due_us < ends_us:
            house.now_us = max(house.now_us, due_us)
            house.work([])
            assert len(caplog.records) < 10
    assert len(caplog.records) > 1
    disk.fails = ""
    house.pass_time(1)
    assert not house.hub.unwritten


def test_a_disk_that_fails_is_no_bug(
    house: House, people: dict[str, Client], disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says what failed and why, without a traceback, and once."""
    disk.fails, disk.times = "sync open", 0
    with caplog.at_level(logging.WARNING, "secure_chat.server"):
        house.say(people["alice"], "PRIVMSG #tea :lost")
        house.pass_time(1)
        house.pass_time(1)
        disk.fails = ""
        house.pass_time(1)
    failed, down, up = (record.message for record in caplog.records)
    assert failed == "the store failed: The server could not write to its disk (sync failed)"
    assert down.startswith("the store cannot be used: The server could not write to its disk (")
    assert down.endswith("open failed); trying again each second")
    assert up == "the store works again"
    assert not any(record.exc_info for record in caplog.records)


def test_a_commit_that_survived_its_error(house: House, people: dict[str, Client], disk: Disk) -> None:
    """It is echoed and delivered as usual."""
    alice, bob, carol = people.values()
    disk.fails, disk.times = "sync lock", 2
    together(house, (alice, "@label=a PRIVMSG #tea :kept"), (carol, "JOIN #tea"))
    assert lines(alice) == [
        "@label=a :alice!alice@chat.local PRIVMSG #tea kept",
        ":carol!carol@chat.local JOIN #tea",
    ]
    assert lines(bob) == [":alice!alice@chat.local PRIVMSG #tea kept", ":carol!carol@chat.local JOIN #tea"]
    assert_memory_is_what_is_stored(house)


def test_the_echo_of_a_repeated_post_waits_for_the_first(
    house: House, people: dict[str, Client], disk: Disk
) -> None:
    """Both are in the tick that is lost: neither is echoed."""
    alice = people["alice"]
    disk.fails = "write"
    post = "@secure-chat.internal/post-id=p PRIVMSG #tea :once"
    together(house, (alice, post), (alice, post))
    assert not [text for text in lines(alice) if "once" in text]
    house.say(alice, post)
    assert [text for text in lines(alice) if "once" in text]


def test_a_store_that_stays_down(house: House, people: dict[str, Client], disk: Disk) -> None:
    """The server goes on reading, refuses what would have to be kept, and tries again each second."""
    alice, bob, _ = people.values()
    disk.fails, disk.times = "sync open", 0
    house.say(alice, "PRIVMSG #tea :lost")
    assert "STORAGE_ERROR" in lines(alice)[0]
    house.say(alice, "PRIVMSG #tea :lost too")
    assert "STORAGE_ERROR" in lines(alice)[0]
    house.say(alice, "NAMES #tea")
    assert lines(alice)[0] == ":chat.local 353 alice = #tea :@alice bob"
    assert house.ask("user add", name="dave", password="dave-password")["error"]
    assert house.engine.next_due_us() == house.now_us + 1_000_000
    house.pass_time(1)
    house.say(alice, "PRIVMSG #tea :lost again")
    assert "STORAGE_ERROR" in lines(alice)[0]
    assert lines(bob) == []
    disk.fails = ""
    house.pass_time(1)
    due_us = house.engine.next_due_us()
    assert due_us is not None
    assert due_us > house.now_us + 1_000_000
    forget(people)
    assert_memory_is_what_is_stored(house)
    house.say(alice, "PRIVMSG #tea :kept")
    assert lines(bob) == [":alice!alice@chat.local PRIVMSG #tea kept"]


def test_what_was_refused_and_is_there_all_the_same(house: House, people: dict[str, Client], disk: Disk) -> None:
    """Nobody could know when it was refused; when the store works again people see the rooms they are in."""
    alice, bob, carol = people.values()
    disk.fails, disk.times = "sync open", 0
    together(house, (carol, "JOIN #tea"), (bob, "PART #tea"))
    assert "STORAGE_ERROR" in lines(carol)[0]
    assert "STORAGE_ERROR" in lines(bob)[0]
    disk.fails = ""
    house.pass_time(1)
    assert lines(carol)[0] == ":carol!carol@chat.local JOIN #tea"
    assert lines(bob) == [":carol!carol@chat.local JOIN #tea", ":bob!bob@chat.local PART #tea"]
    assert lines(alice)[:2] == [":carol!carol@chat.local JOIN #tea", ":bob!bob@chat.local PART #tea"]
    house.say(alice, "PRIVMSG #tea :welcome")
    assert lines(carol) == lines(alice)
    assert lines(bob) == []
    assert_memory_is_what_is_stored(house)


def test_a_post_that_was_refused_and_is_there_all_the_same(
    house: House, people: dict[str, Client], disk: Disk
) -> None:
    """Others get it when the store works again, before anything newer; its label was answered by the refusal."""
    alice, bob, carol = people.values()
    disk.fails, disk.times = "sync open", 0
    together(
        house,
        (alice, "@label=a PRIVMSG #tea :kept"),
        (alice, "PRIVMSG bob :kept too"),
        (carol, "PRIVMSG carol :by myself"),
    )
    assert "STORAGE_ERROR" in lines(alice)[1]
    assert lines(bob) == []
    disk.fails = ""
    house.pass_time(1)
    house.say(alice, "PRIVMSG #tea :newer")
    texts = [text.partition(" PRIVMSG ")[2] for text in lines(bob) if " PRIVMSG " in text]
    assert texts == ["#tea kept", "bob :kept too", "#tea newer"]
    texts = [text.partition(" PRIVMSG ")[2] for text in lines(alice) if " PRIVMSG " in text]
    assert texts == ["bob :kept too", "#tea newer"]


@pytest.mark.parametrize("said", ["PART #tea", "JOIN #new"])
def test_a_device_that_comes_in_a_tick_that_is_lost(
    house: House, people: dict[str, Client], disk: Disk, said: str
) -> None:
    """It gets what is said in the rooms its account is in, and in no others."""
    _, bob, _ = people.values()
    phone = house.connect("bob")
    (payload,) = encode_plain("bob", "bob-password")
    house.say(phone, "CAP REQ sasl", "NICK bob", "USER b 0 * :Bob", "AUTHENTICATE PLAIN", f"AUTHENTICATE {payload}")
    disk.fails = "write"
    together(house, (bob, said), (phone, "CAP END"))
    assert phone.closed is None
    mine = {house.hub.room_ids[room] for room in ("#lobby", "#tea") if room in house.hub.room_ids}
    assert phone.topics == bob.topics == mine


def test_an_operation_that_is_lost(house: House, disk: Disk) -> None:
    """The command-line tool is told, and nothing is changed."""
    disk.fails = "write"
    assert "could not write" in house.ask("user add", name="dave", password="dave-password")["error"]
    assert house.hub.account_named("dave") is None
    assert house.ask("user add", name="dave", password="dave-password") == {"name": "dave"}


@pytest.mark.parametrize("fault", ["write open", "sync open", "read open"])
def test_what_was_missed_is_not_lost(house: House, people: dict[str, Client], disk: Disk, fault: str) -> None:
    """It is given once the store works, and can be read; live messages then follow."""
    alice, bob, _ = people.values()
    house.say(bob, "QUIT")
    house.say(alice, "PRIVMSG bob :one")
    bob = house.connect("bob")
    house.say(bob, "PASS bob:bob-password", "NICK bob")
    disk.fails, disk.times = fault, 0
    house.say(bob, "USER b 0 * :Bob")
    house.say(bob, "PING x")
    assert " PRIVMSG " not in " ".join(lines(bob))
    disk.fails = ""
    house.pass_time(1)
    assert [text for text in lines(bob) if " PRIVMSG " in text] == [
        ":alice!alice@chat.local PRIVMSG bob :[2026-01-01 00:00 UTC] one"
    ]
    house.say(alice, "PRIVMSG bob :two")
    assert lines(bob) == [":alice!alice@chat.local PRIVMSG bob two"]


def test_the_clock_is_put_back_while_the_store_is_down(house: House, people: dict[str, Client], disk: Disk) -> None:
    """It is tried again all the same, and does not wait for that hour to pass again."""
    disk.fails, disk.times = "write open", 0
    house.say(people["alice"], "PRIVMSG #tea :one")
    disk.fails = ""
    house.pass_time(-3600)
    lines(people["bob"])
    house.say(people["alice"], "PRIVMSG #tea :two")
    assert len(lines(people["bob"])) == 1


def test_a_login_that_changes_something(house: House, people: dict[str, Client], disk: Disk) -> None:
    """It is lost with its tick: the session ends and says why. (A ban ends bob's membership.)"""
    alice, bob, _ = people.values()
    house.say(alice, "MODE #tea +b bob")
    house.say(bob, "QUIT")
    lines(alice)
    bob = house.connect("bob")
    house.say(bob, "PASS bob:bob-password", "NICK bob")
    disk.fails = "write"
    house.say(bob, "USER b 0 * :Bob")
    assert lines(bob) == ["ERROR :The server could not write to its disk; try again later"]
    assert bob.closed is not None
    assert_memory_is_what_is_stored(house)
    house.log_in("bob")
    assert house.hub.online_members(house.hub.rooms[house.hub.room_ids["#tea"]]) == [house.hub.account_ids["alice"]]


def test_who_is_gone_when_the_tick_is_lost(house: House, disk: Disk) -> None:
    """The new password's hash, and the end of the connection that waits for it, in one tick: nothing is left."""
    house.hub.settings = replace(house.settings, registration=RegistrationMode.OPEN)
    client = house.connect("dave")
    house.say(client, "CAP LS 302")
    [outcome] = house.engine.tick(house.received(client, b"REGISTER dave * :good password\r\n"))
    (job,) = outcome.jobs
    assert isinstance(job, HashPassword)
    disk.fails = "write"
    house.work([PasswordHashed(job, "hash"), Lost(client.id, "Connection reset")])
    assert house.hub.account_named("dave") is None
    assert client.id not in house.hub.sessions


def test_a_replay_to_who_is_gone_when_the_tick_is_lost(house: House, people: dict[str, Client], disk: Disk) -> None:
    """The next page, and the end of the connection that reads it."""
    alice, bob, _ = people.values()
    house.hub.sessions[bob.id] = house.hub.sessions[bob.id].but(replay=Replay(0))
    house.say(alice, "PRIVMSG bob :one")
    disk.fails = "write"
    house.work([Drained(bob.id), Lost(bob.id, "Connection reset")])
    assert bob.id not in house.hub.sessions


def test_a_disk_that_cannot_be_read(house: House, disk: Disk) -> None:
    """A login needs the store: its command is answered, and works when the disk does."""
    house.store._connection.execute("PRAGMA cache_size=0")
    house.store._connection.execute("PRAGMA shrink_memory")
    client = house.connect("alice")
    disk.fails = "read"
    house.say(client, "AUTHENTICATE PLAIN", "AUTHENTICATE AGFsaWNlAGFsaWNlLXBhc3N3b3Jk")
    assert lines(client)[-1].startswith(":chat.local 904 * :The server cannot use its disk")
    house.say(client, "AUTHENTICATE PLAIN", "AUTHENTICATE AGFsaWNlAGFsaWNlLXBhc3N3b3Jk")
    assert lines(client)[-1] == ":chat.local 903 alice :SASL authentication successful"


@pytest.fixture
def broken_commands() -> Iterator[None]:
    """Two commands with bugs."""

    @command("EXPLODE", usage="EXPLODE")
    def explode(ctx: Context) -> None:
        ctx.reply(Numeric.RPL_MOTD, "never seen")
        raise LookupError("a bug")

    @command("COLLIDE", usage="COLLIDE")
    def collide(ctx: Context) -> None:
        line = ctx.relayed("PRIVMSG", "bob", "never stored")
        where = Between(ctx.account.id, ctx.account.id)
        ctx.add(Append(NewMessage(where, Kind.POST, ctx.account.id, "u", line)))
        ctx.add(AccountSet(replace(ctx.account, id=99)))

    yield
    del COMMANDS["EXPLODE"], COMMANDS["COLLIDE"]


@pytest.mark.usefixtures("broken_commands")
def test_a_bug_costs_one_command(house: House, people: dict[str, Client], caplog: pytest.LogCaptureFixture) -> None:
    """Its sender is told; the others of the tick are carried out."""
    alice, bob, _ = people.values()
    with caplog.at_level(logging.CRITICAL, "secure_chat.server"):
        together(
            house, (alice, "@label=x EXPLODE"), (alice, "@label=y COLLIDE"), (alice, "PRIVMSG #tea :still here")
        )
    assert lines(alice) == [
        "@label=x :chat.local FAIL EXPLODE INTERNAL_ERROR :A fault in the server; this command was not carried out",
        "@label=y :chat.local FAIL COLLIDE CONFLICT :This is in conflict with what is stored; nothing was done",
        ":alice!alice@chat.local PRIVMSG #tea :still here",
    ]
    assert lines(bob) == [":alice!alice@chat.local PRIVMSG #tea :still here"]
    said = missed_by(house.store, house.hub.accounts[house.hub.account_ids["alice"]])
    assert [one.params[1] for one in said] == ["still here"]
    assert_memory_is_what_is_stored(house)
