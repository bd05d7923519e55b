"""The client at a terminal (pexpect): its questions, the line being typed, and its end."""

from __future__ import annotations

import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from secure_chat.client.outcome import ExitCode
from secure_chat.protocol.message import Message
from tests.client.stub_certificates import Certificate, make_leaf
from tests.client.stub_server import DEADLINE_SECONDS, PASSWORD, StubServer, environment

pytestmark = pytest.mark.once

Start = Callable[..., "pexpect.spawn[str]"]
COLOUR = r"\x1b\[[0-9;]*m"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a client at a terminal of 80 x 24; it is ended with the test."""
    started: list[pexpect.spawn[str]] = []

    def spawn(*arguments: str, **variables: str) -> pexpect.spawn[str]:
        client = pexpect.spawn(
            sys.executable,
            ["-m", "secure_chat", "connect", *arguments],
            env={**environment(tmp_path), "PROMPT_TOOLKIT_NO_CPR": "1", **variables},
            encoding="utf-8",
            timeout=DEADLINE_SECONDS,
            dimensions=(24, 80),
        )
        started.append(client)
        return client

    yield spawn
    for client in started:
        client.close(force=True)


def end(client: pexpect.spawn[str]) -> int | None:
    """Wait for the client's end; its exit code."""
    client.expect(pexpect.EOF)
    client.close()
    return client.exitstatus


def test_the_questions_come_in_order_and_nothing_is_sent_before_trust(start: Start, server: StubServer) -> None:
    client = start()
    client.expect_exact("Enter the server (host or host:port, or paste the link you were given): ")
    client.sendline("no server")
    client.expect_exact("is not a server")
    client.expect_exact("Enter the server (host or host:port, or paste the link you were given): ")
    client.sendline(f"localhost:{server.port}")
    client.expect_exact("Enter your name: ")
    client.sendline("ivan")
    client.expect(r"SHA256:[\w+/]{43}")
    fingerprint = client.match.group()  # type: ignore[union-attr]
    client.expect_exact("(yes/no, or paste the fingerprint): ")
    assert not server.received
    client.sendline(fingerprint)
    client.expect_exact("Enter your password: ")
    assert server.received == b"CAP LS 302\r\n"  # what it offers; nothing of us
    client.sendline(PASSWORD)
    client.expect_exact("Connected as ivan")
    client.expect_exact("#lobby>")
    client.send("hello\r")
    client.expect(f"#lobby <{COLOUR}ivan{COLOUR}> hello")
    client.send("exit\r")
    assert end(client) == ExitCode.QUIT
    assert server.said() == ["#lobby hello"]

    again = start()
    question = "Enter the server (host or host:port, or paste the link you were given)"
    again.expect_exact(f"{question} [localhost:{server.port}]: ")
    again.sendline("")
    again.expect_exact("Enter your name [ivan]: ")
    again.sendline("")
    again.expect_exact("Enter your password: ")
    again.sendline("wrong")
    again.expect_exact("(SASL authentication failed)")
    assert end(again) == ExitCode.LOGIN_REFUSED


def test_the_questions_in_russian(start: Start, server: StubServer) -> None:
    client = start("--lang", "ru")
    client.expect_exact("Введите адрес сервера")
    client.sendline(f"localhost:{server.port}")
    client.expect_exact("Введите своё имя: ")
    client.sendline("иван")
    client.expect_exact("Доверять ему и запомнить? (да/нет, или вставьте отпечаток): ")
    client.sendline("да")
    client.expect_exact("Введите пароль: ")
    client.sendline(PASSWORD)
    client.expect_exact("Вы вошли под именем иван")
    client.send("привет\r")
    client.expect(f"<{COLOUR}иван{COLOUR}> привет")
    client.send("/quit\r")
    assert end(client) == ExitCode.QUIT
    assert server.said() == ["#lobby привет"]


def test_no_is_no(start: Start, server: StubServer) -> None:
    client = start(f"ivan@localhost:{server.port}")
    client.expect_exact("Trust it and remember it?")
    client.sendline("no")
    client.expect_exact("is not trusted")
    assert end(client) == ExitCode.NOT_TRUSTED
    assert not server.received


@pytest.mark.parametrize("key", ["\x03", "\x04"])
def test_the_questions_can_be_left(start: Start, key: str) -> None:
    client = start()
    client.expect_exact("Enter the server")
    client.send(key)
    assert end(client) == ExitCode.QUIT


@pytest.fixture
def logged_in(start: Start, server: StubServer, ca: Certificate) -> Callable[..., pexpect.spawn[str]]:
    """Starts a client and logs in."""

    def log_in(*arguments: str, **variables: str) -> pexpect.spawn[str]:
        client = start(f"ivan@localhost:{server.port}", "--ca", str(ca.pem), *arguments, **variables)
        client.expect_exact("Enter your password: ")
        client.sendline(PASSWORD)
        client.expect_exact("Connected as ivan")
        return client

    return log_in


@pytest.mark.parametrize("key", ["\x03", "\x04"])
def test_keys_that_leave_on_an_empty_line(logged_in: Start, server: StubServer, key: str) -> None:
    client = logged_in()
    client.expect_exact("#lobby>")
    client.send("typed\x03")
    client.send("said\r")
    server.wait_for(lambda: bool(server.said()))
    client.expect_exact("#lobby>")
    client.send(key)
    assert end(client) == ExitCode.QUIT
    assert server.said() == ["#lobby said"]


def test_completion_and_history(logged_in: Start, server: StubServer) -> None:
    client = logged_in()
    client.expect_exact("#lobby>")
    client.send("/ms\t")
    client.expect("/.*m.*s.*g")
    client.send(" ali\t")
    client.expect("a.*l.*i.*c.*e")
    client.send(" hello\r")
    server.wait_for(lambda: server.said() == ["alice hello"])
    client.send("\x1b[A\r")
    server.wait_for(lambda: server.said() == ["alice hello", "alice hello"])


def test_words_that_are_no_commands_and_a_paste_of_lines(logged_in: Start, server: StubServer) -> None:
    client = logged_in()
    client.expect_exact("#lobby>")
    client.send("password\r")
    client.send("\x1b[200~quit\nexit now\x1b[201~\r")
    server.wait_for(lambda: server.said() == ["#lobby password", "#lobby quit", "#lobby exit now"])


def test_what_is_typed_is_kept_while_the_server_is_gone(logged_in: Start, server: StubServer) -> None:
    client = logged_in()
    client.expect_exact("#lobby>")
    client.send("half")
    client.expect_exact("half")
    server.drop()
    client.expect_exact("is lost")
    client.expect_exact("Back again as ivan")
    client.send(" a line\r")
    server.wait_for(lambda: server.said() == ["#lobby half a line"])


def test_the_end_for_good_ends_the_prompt(
    logged_in: Start, server: StubServer, ca: Certificate, tmp_path: Path
) -> None:
    client = logged_in()
    client.expect_exact("#lobby>")
    server.use(make_leaf(tmp_path, ca, host="elsewhere.example", name="elsewhere"))
    server.drop()
    client.expect_exact("does not vouch for it")
    assert end(client) == ExitCode.NOT_TRUSTED


def test_a_new_password_is_asked_for_and_never_shown(logged_in: Start, server: StubServer) -> None:
    server.on_line = lambda m: [":s NOTE PASSWORD CHANGED :It is changed"] if m.command == "PASSWORD" else None
    client = logged_in()
    client.expect_exact("#lobby>")
    client.send("/password\r")
    client.expect_exact("Your password now:")
    client.send(PASSWORD + "\r")
    client.expect_exact("The new password:")
    client.send("fresh secret\r")
    client.expect_exact("The new password again:")
    client.send("fresh secret\r")
    client.expect_exact("It is changed")
    client.expect_exact("#lobby>")
    client.send("\x1b[A")
    client.expect_exact("/password")
    client.send("\x03/quit\r")
    client.expect(pexpect.EOF)
    assert "fresh secret" not in (client.before or "")
    assert not [text for text in server.said() if "secret" in text]


def test_no_colour_and_no_escapes_where_they_are_not_wanted(logged_in: Start, server: StubServer) -> None:
    client = logged_in(NO_COLOR="1")
    client.expect_exact("#lobby>")
    client.send("hello\r")
    client.expect("#lobby <ivan> hello")
    server.say(":bob!u@h PRIVMSG #lobby :\x1b[31mred\x1b]0;title\x07")
    client.expect_exact("<bob> ␛[31mred␛]0;title␇")


def test_what_is_typed_while_the_server_thinks_is_shown_once(
    start: Start, server: StubServer, ca: Certificate
) -> None:
    answers = threading.Event()

    def think(message: Message) -> None:
        if message.command == "AUTHENTICATE":
            answers.wait(DEADLINE_SECONDS)

    server.on_line = think
    client = start(f"ivan@localhost:{server.port}", "--ca", str(ca.pem))
    client.expect_exact("Enter your password: ")
    client.sendline(PASSWORD)
    server.wait_for(lambda: b"AUTHENTICATE PLAIN" in server.received)
    client.send("early words\r")
    answers.set()
    client.expect(f"<{COLOUR}ivan{COLOUR}> early words")
    assert "early" not in (client.before or "").partition("Connected as")[0]
    client.send("/quit\r")
    assert end(client) == ExitCode.QUIT
    assert server.said() == ["#lobby early words"]


@pytest.mark.parametrize("key", ["\x03", "\x04"])
def test_a_question_that_is_left_does_not_leave_the_terminal_dumb(
    logged_in: Start, server: StubServer, key: str
) -> None:
    client = logged_in("--plain")
    client.sendline("/password")
    client.expect_exact("Your password now: ")
    client.waitnoecho(DEADLINE_SECONDS)
    client.send(key)
    if key == "\x03":
        client.expect_exact(pexpect.EOF)
    else:
        client.sendline("hello")
        client.expect_exact("#lobby <ivan> hello")
    assert client.getecho()


@pytest.mark.parametrize(("arguments", "variables"), [(["--plain"], {}), ([], {"TERM": "dumb"})])
def test_plain_at_a_terminal(
    logged_in: Start, server: StubServer, arguments: list[str], variables: dict[str, str]
) -> None:
    client = logged_in(*arguments, **variables)
    client.sendline("hello")
    client.expect_exact("#lobby <ivan> hello")
    client.sendline("/password")
    client.expect_exact("Your password now: ")
    client.sendline("x")
    client.expect_exact("The new password: ")
    client.sendline("y")
    client.expect_exact("The new password again: ")
    client.sendline("z")
    client.expect_exact("stays as it is")
    client.sendeof()
    client.expect(pexpect.EOF)
    assert not re.search("\x1b", client.before or "")
    client.close()
    assert client.exitstatus == ExitCode.QUIT


def test_a_termination_says_goodbye(start: Start, server: StubServer, ca: Certificate) -> None:
    client = start(f"ivan@localhost:{server.port}", "--ca", str(ca.pem))
    client.expect_exact("Enter your password: ")
    client.sendline(PASSWORD)
    client.expect_exact("#lobby>")
    client.kill(signal.SIGTERM)
    assert end(client) == ExitCode.QUIT
    server.wait_for(lambda: server.lines[-1].command == "QUIT")
