"""What no script can bring about: a busy pool, a hash of older parameters, the throttle's size."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_chat.chat.deliveries import CheckPassword
from secure_chat.chat.throttle import ENTRIES_LIMIT, Throttle
from secure_chat.commands.login import PasswordChecked
from secure_chat.commands.registry import COMMANDS
from secure_chat.net.operations import Release
from secure_chat.protocol.sasl import encode_plain
from secure_chat.server.outcome import Outcome
from secure_chat.server.passwords import Hasher, stored_rounds
from tests.conversation.house import House, password_of
from tests.conversation.wire import Client


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A server with two accounts."""
    house = House(tmp_path / "chat.db")
    house.add_account("alice")
    house.add_account("bob")
    yield house
    house.stop()


def only_job(outcomes: list[Outcome]) -> CheckPassword:
    """The one thing that the pool was asked."""
    ((job,),) = [outcome.jobs for outcome in outcomes if outcome.jobs]
    assert isinstance(job, CheckPassword)
    return job


def ask_for_login(house: House, client: Client) -> list[Outcome]:
    """Up to the moment when the pool has the password; it does not answer by itself."""
    house.say(client, "AUTHENTICATE PLAIN")
    (payload,) = encode_plain("alice", password_of("alice"))
    return house.engine.tick(house.received(client, f"AUTHENTICATE {payload}\r\nPING x\r\n".encode()))


def texts(client: Client) -> list[str]:
    """What came; it is read then."""
    came = [seen.text for seen in client.unread]
    client.unread.clear()
    return came


def test_a_busy_pool(house: House) -> None:
    """The client is told to try again; the lines behind are carried out."""
    client = house.connect("alice")
    job = only_job(ask_for_login(house, client))
    texts(client)
    house.work([PasswordChecked(job, right=None)])
    assert texts(client) == [
        ":chat.local 904 * :The server is busy with logins; try again later",
        ":chat.local PONG chat.local x",
    ]
    assert house.hub.throttle.wait_seconds(job.address, "alice", house.now_us, known=False) == 0


def test_an_answer_for_who_is_gone(house: House) -> None:
    """Nothing follows from it; nor from one whose account has changed meanwhile."""
    client = house.connect("alice")
    job = only_job(ask_for_login(house, client))
    house.vanish(client)
    assert house.engine.tick([PasswordChecked(job, right=True)]) == []
    client = house.connect("alice")
    job = only_job(ask_for_login(house, client))
    house.ask("user passwd", name="alice", password="another password")
    texts(client)
    outcomes = house.engine.tick([PasswordChecked(job, right=True)])
    assert Release(client.id) in outcomes[0].operations
    assert b"904 * :Wrong name or password" in outcomes[0].operations[1].data  # type: ignore[union-attr]


def test_a_hash_of_older_parameters_is_replaced(house: House) -> None:
    """At the next login; the password stays."""
    older = Hasher(b"p" * 32, rounds=5)
    house.ask("user add", name="carol", password_hash=older.hash(password_of("carol")))
    house.log_in("carol")
    account = house.hub.account_named("carol")
    assert account is not None
    assert stored_rounds(account.password) == 4
    house.log_in("carol@phone")


def test_the_throttle_is_bounded() -> None:
    """The oldest failures are forgotten; so are all after a quarter of an hour."""
    throttle = Throttle()
    for _ in range(5):
        throttle.failed("::1", "alice", 0)
    assert throttle.wait_seconds("::1", "alice", 0, known=False) == 4
    for number in range(ENTRIES_LIMIT):
        throttle.failed("::2", f"name{number}", 0)
    assert throttle.wait_seconds("::1", "alice", 0, known=False) == 0
    assert throttle.wait_seconds("::2", "new", 0, known=False) == 60
    assert throttle.wait_seconds("::2", "new", 0, known=True) == 0
    throttle.failed("::2", "new", 901_000_000)
    assert throttle.wait_seconds("::2", "new", 901_000_000, known=False) == 0


def test_commands_say_what_they_do() -> None:
    """Each has a sentence and a usage that begins with its name."""
    for row in COMMANDS.values():
        assert row.summary.endswith(".")
        assert row.usage.startswith(row.name)
