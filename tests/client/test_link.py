"""The link's thread with real TLS: what is lost comes again, and nothing hangs."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count, repeat
from pathlib import Path

import pytest

from secure_chat.client.address import Address
from secure_chat.client.connection import READ_LIMIT_BYTES
from secure_chat.client.dial import CannotConnect, dialler
from secure_chat.client.events import Event, Said
from secure_chat.client.known_servers import KnownServers
from secure_chat.client.link import (
    FIRST_PAUSE_SECONDS,
    INBOX_LINES,
    LONGEST_PAUSE_SECONDS,
    SCRIPT_ATTEMPTS,
    EndOfInput,
    Input,
    Link,
    Quit,
    Typed,
    pauses,
)
from secure_chat.client.outcome import ExitCode
from secure_chat.client.secret_questions import NewPassword
from secure_chat.client.state import Chat
from secure_chat.client.trust import Trust
from secure_chat.protocol.message import Secret
from tests.client.stub_certificates import Certificate, make_leaf
from tests.client.stub_server import DEADLINE_SECONDS, PASSWORD, StubServer


class Running:
    """A link on its own thread, and what it has shown."""

    def __init__(
        self,
        server: StubServer,
        ca: Certificate,
        tmp_path: Path,
        *,
        scripted: bool = False,
        new_pauses: Callable[[], Iterator[float]] = lambda: repeat(0.0),
    ) -> None:
        ids = count(1)
        self.chat = Chat("ivan", Secret(PASSWORD), new_id=lambda: f"id{next(ids)}", scripted=scripted)
        known = KnownServers(tmp_path / "known")
        dial = dialler(Address("localhost", server.port), Trust(Address("x"), known, ca_file=ca.pem))
        self.events: list[Event] = []
        self.change = threading.Condition()
        self.link = Link(self.chat, dial, self._show, clock=time.monotonic, new_pauses=new_pauses)
        self.code: ExitCode | None = None
        tls = dial()
        self.thread = threading.Thread(target=lambda: setattr(self, "code", self.link.run(tls)), daemon=True)
        self.thread.start()

    def _show(self, events: list[Event]) -> None:
        with self.change:
            self.events += events
            self.change.notify_all()

    def put(self, *items: Input | str) -> None:
        for item in items:
            self.link.put(Typed(item) if isinstance(item, str) else item)

    def wait_for_text(self, text: str) -> None:
        with self.change:
            found = self.change.wait_for(lambda: any(text in e.text for e in self.events), DEADLINE_SECONDS)
        assert found, self.events

    def end(self) -> ExitCode | None:
        self.thread.join(DEADLINE_SECONDS)
        assert not self.thread.is_alive()
        return self.code


@pytest.fixture
def running(server: StubServer, ca: Certificate, tmp_path: Path) -> Iterator[Running]:
    made = Running(server, ca, tmp_path)
    yield made
    made.put(Quit())
    made.end()


def test_said_echoed_and_left(running: Running, server: StubServer) -> None:
    running.put("hello")
    running.wait_for_text("hello")
    assert running.link.view.room == "#lobby"
    assert running.link.view.people >= {"alice", "bob", "ivan"}
    running.put(Quit())
    assert running.end() is ExitCode.QUIT


def test_own_text_is_not_shown_before_its_echo(running: Running, server: StubServer) -> None:
    server.echo = False
    running.put("hello", "/who")
    server.wait_for(lambda: "NAMES" in [m.command for m in server.lines])
    server.say("PING after")
    server.wait_for(lambda: "PONG" in [m.command for m in server.lines])
    assert not [event for event in running.events if isinstance(event, Said)]
    label = next(m.tags["label"] for m in server.lines if m.command == "PRIVMSG")
    server.say(f"@label={label} :ivan!u@h PRIVMSG #lobby :hello")
    running.wait_for_text("hello")


def test_a_lost_post_comes_again_with_the_same_id(running: Running, server: StubServer) -> None:
    server.echo = False
    running.put("first")
    server.wait_for(lambda: len(server.post_ids) == 1)
    server.echo = True
    server.drop()
    running.wait_for_text("is lost")
    running.put("second")
    running.wait_for_text("Back again")
    running.wait_for_text("second")
    assert server.said() == ["#lobby first", "#lobby first", "#lobby second"]
    assert server.post_ids == ["id1", "id1", "id2"]
    running.put("/quit")
    assert running.end() is ExitCode.QUIT


def test_quit_while_the_server_is_gone(server: StubServer, ca: Certificate, tmp_path: Path) -> None:
    running = Running(server, ca, tmp_path, new_pauses=lambda: repeat(3600.0))
    assert running.link.wait_until_ready()
    server.close()
    running.wait_for_text("is lost")
    running.put("kept", "/quit")
    assert running.end() is ExitCode.QUIT
    running.wait_for_text("not confirmed")
    running.put("nobody reads this any more")


def test_a_script_gives_up(server: StubServer, ca: Certificate, tmp_path: Path) -> None:
    running = Running(server, ca, tmp_path, scripted=True)
    assert running.link.wait_until_ready()
    server.close()
    assert running.end() is ExitCode.CONNECTION_LOST
    assert len([event for event in running.events if "Still no connection" in event.text]) == SCRIPT_ATTEMPTS


def test_a_server_that_is_busy_is_asked_ever_more_rarely(
    server: StubServer, ca: Certificate, tmp_path: Path
) -> None:
    waited: list[int] = []

    def recorded() -> Iterator[float]:
        for number in count():
            waited.append(number)
            if number == 3:
                server.refusal = []
            yield 0.0

    running = Running(server, ca, tmp_path, new_pauses=recorded)
    assert running.link.wait_until_ready()
    server.refusal = [":stub 904 ivan :Too many wrong passwords; try again in 3 s"]
    server.drop()
    running.wait_for_text("Back again")
    assert waited == [0, 1, 2, 3]
    running.put(Quit())
    running.end()


def test_another_server_in_its_place(running: Running, server: StubServer, ca: Certificate, tmp_path: Path) -> None:
    assert running.link.wait_until_ready()
    server.use(make_leaf(tmp_path, ca, host="elsewhere.example", name="elsewhere"))
    server.drop()
    assert running.end() is ExitCode.NOT_TRUSTED


def test_a_login_refused_ends_it(server: StubServer, ca: Certificate, tmp_path: Path) -> None:
    server.refusal = [":stub 904 ivan :No"]
    running = Running(server, ca, tmp_path)
    assert not running.link.wait_until_ready()
    assert running.end() is ExitCode.LOGIN_REFUSED


def test_a_script_longer_than_all_buffers(server: StubServer, ca: Certificate, tmp_path: Path) -> None:
    running = Running(server, ca, tmp_path, scripted=True)
    lines = [f"line {n} " + "x" * 300 for n in range(3 * INBOX_LINES)]
    running.put(*lines, EndOfInput())
    assert running.end() is ExitCode.QUIT
    assert server.said() == [f"#lobby {line}" for line in lines]


def test_a_flood_of_the_server(running: Running, server: StubServer) -> None:
    assert running.link.wait_until_ready()
    text = "x" * 400
    number = READ_LIMIT_BYTES // 400 + 100
    server.say("\r\n".join(f":bob!u@h PRIVMSG #lobby :{n} {text}" for n in range(number)))
    running.put("between")
    running.wait_for_text(f"{number - 1} x")
    running.wait_for_text("between")


def test_a_new_password(running: Running, server: StubServer) -> None:
    assert running.link.wait_until_ready()
    server.on_line = lambda m: [":s NOTE PASSWORD CHANGED :Done"] if m.command == "PASSWORD" else None
    running.put(NewPassword(Secret("old"), Secret("new password")))
    running.wait_for_text("Done")
    assert running.chat.password.reveal() == "new password"


def test_pauses_grow_and_differ() -> None:
    longest = [pause for pause, _ in zip(pauses(lambda: 1.0), range(10), strict=False)]
    shortest = [pause for pause, _ in zip(pauses(lambda: 0.0), range(10), strict=False)]
    assert longest[0] == FIRST_PAUSE_SECONDS
    assert longest[1] == 2 * FIRST_PAUSE_SECONDS
    assert longest[-1] == LONGEST_PAUSE_SECONDS
    assert shortest == [pause / 2 for pause in longest]


def test_what_is_no_server(ca: Certificate, tmp_path: Path) -> None:
    trust = Trust(Address("x"), KnownServers(tmp_path / "known"), ca_file=ca.pem)
    with pytest.raises(CannotConnect, match="Nobody listens"):
        dialler(Address("127.0.0.1", 1), trust)()
    with pytest.raises(CannotConnect, match="no host"):
        dialler(Address("nowhere.invalid"), trust)()


def test_something_that_is_not_tls(ca: Certificate, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")
                peer.recv(1)

        answering = threading.Thread(target=answer, daemon=True)
        answering.start()
        trust = Trust(Address("x"), KnownServers(tmp_path / "known"), ca_file=ca.pem)
        with pytest.raises(CannotConnect, match="does not speak TLS"):
            dialler(Address("127.0.0.1", listener.getsockname()[1]), trust)()
        answering.join(DEADLINE_SECONDS)
