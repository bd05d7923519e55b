"""Three people with our own client, as processes, against the real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from secure_chat.protocol.sasl import encode_chunks
from tests.conftest import Start
from tests.e2e.client_process import ClientProcess
from tests.e2e.irc_client import log_in
from tests.e2e.server_process import PASSWORD, ServerProcess

Person = Callable[..., ClientProcess]


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Person]:
    """Starts clients, and ends them after the test."""
    people: list[ClientProcess] = []

    def come(server: ServerProcess, name: str, **options: str) -> ClientProcess:
        people.append(ClientProcess(server, name, tmp_path / name, **options))
        return people[-1]

    yield come
    for client in people:
        client.close()


def test_three_people_talk(server: ServerProcess, person: Person) -> None:
    alice = person(server, "alice")
    alice.wait_for("Connected as alice")
    bob = person(server, "bob")
    alice.wait_for("#lobby: bob has joined")
    carol = person(server, "carol")
    for client in (alice, bob):
        client.wait_for("#lobby: carol has joined")
    alice.say("good morning")
    for client in (alice, bob, carol):
        client.wait_for("#lobby <alice> good morning")
    assert alice.text.count("good morning") == 1
    bob.say("/msg carol between us")
    carol.wait_for("[private from bob] between us")
    bob.wait_for("[private to carol] between us")
    carol.say("/r I see")
    bob.wait_for("[private from carol] I see")
    bob.say("/join #tea", "just bob here")
    bob.wait_for("#tea <bob> just bob here")
    carol.say("/quit")
    assert carol.finish() == 0
    alice.wait_for("#lobby: carol has gone offline")
    assert "between us" not in alice.text
    assert "just bob here" not in alice.text
    assert bob.end() == 0
    assert alice.end() == 0


def test_names_and_words_in_russian(server: ServerProcess, person: Person) -> None:
    ivan, alice = person(server, "иван"), person(server, "alice")
    for client in (ivan, alice):
        client.wait_for("Connected as")
    ivan.say("Всем привет, ёлки! 🎄")
    alice.wait_for("#lobby <Иван> Всем привет, ёлки! 🎄")
    alice.say("/msg ИВАН привет")
    ivan.wait_for("[private from alice] привет")


def test_a_wrong_password_ends_with_5(server: ServerProcess, person: Person) -> None:
    alice = person(server, "alice", password="not the password")
    assert alice.finish() == 5
    assert "not the password" not in alice.text


def test_a_restart_in_mid_conversation_loses_and_repeats_nothing(start: Start, person: Person) -> None:
    first = start().wait_until_ready()
    port = first.port
    alice, bob = person(first, "alice"), person(first, "bob")
    for client in (alice, bob):
        client.wait_for("Connected as")
    alice.say("before")
    bob.wait_for("<alice> before")
    first.kill()
    alice.wait_for("is lost")
    alice.say(*(f"while away {n}" for n in range(5)))
    second = start(port=port).wait_until_ready()
    for client in (alice, bob):
        client.wait_for("Back again as")
    alice.wait_for("while away 4")
    reader = log_in(second, "carol")
    alice.say("after")
    reader.expect("PRIVMSG #lobby after")
    alice.wait_for("<alice> after")
    for n in range(5):
        assert alice.text.count(f"while away {n}") == 1
    assert alice.end() == 0


def test_a_server_that_stops_is_said_in_words(server: ServerProcess, person: Person) -> None:
    alice = person(server, "alice")
    alice.wait_for("Connected as alice")
    server.stop()
    alice.wait_for("Server is shutting down")
    alice.wait_for("is lost")


def test_a_changed_password_is_the_new_one(server: ServerProcess) -> None:
    laptop, phone = log_in(server, "alice"), log_in(server, "alice")
    change = f"{PASSWORD}\0a better one, by far".encode()
    laptop.send(*(f"PASSWORD {chunk}" for chunk in encode_chunks(change)))
    laptop.expect("NOTE PASSWORD CHANGED")
    phone.expect("^ERROR ")
    phone.expect_end()
    laptop.send("PRIVMSG #lobby :still here")
    laptop.expect("still here")
    log_in(server, "alice", "a better one, by far")
