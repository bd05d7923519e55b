"""The client as a process against a stub server: what scripts see."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from secure_chat.client.outcome import ExitCode
from tests.client.stub_certificates import Certificate, make_leaf
from tests.client.stub_server import DEADLINE_SECONDS, PASSWORD, StubServer, environment

pytestmark = pytest.mark.once


def connect(
    home: Path, *arguments: str, said: str = "", password: str = PASSWORD, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the client with a password and a script on its standard input, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "secure_chat", "connect", *arguments],
        input=f"{password}\n{said}",
        env={**environment(home), **variables},
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )


@pytest.fixture
def arguments(server: StubServer, ca: Certificate) -> list[str]:
    """What a script gives that is trusted and logs in."""
    return [f"ivan@localhost:{server.port}", "--ca", str(ca.pem), "--password-stdin"]


def test_a_script_says_something_and_leaves(tmp_path: Path, arguments: list[str], server: StubServer) -> None:
    done = connect(tmp_path, *arguments, said="hello\n/msg bob psst\n/who\nПривет, мир\nno line end")
    assert done.returncode == ExitCode.QUIT, done.stderr
    assert server.said() == ["#lobby hello", "bob psst", "#lobby Привет, мир", "#lobby no line end"]
    for text in ("#lobby <ivan> hello", "[private to bob] psst", "#lobby <ivan> Привет, мир"):
        assert done.stdout.count(text) == 1
    assert "here now: @alice" in done.stdout
    assert "Connected as ivan" in done.stderr
    assert server.lines[-1].command == "QUIT"
    assert "\x1b" not in done.stdout + done.stderr
    assert PASSWORD not in done.stdout + done.stderr


def test_russian(tmp_path: Path, arguments: list[str]) -> None:
    assert "Вы вошли под именем ivan" in connect(tmp_path, *arguments, "--lang", "ru").stderr
    assert "Вы вошли под именем ivan" in connect(tmp_path, *arguments, LANGUAGE="ru", LC_ALL="C.UTF-8").stderr
    assert "Connected as ivan" in connect(tmp_path, *arguments, "--lang", "en", LANGUAGE="ru").stderr


def test_a_wrong_password_is_refused(tmp_path: Path, arguments: list[str]) -> None:
    done = connect(tmp_path, *arguments, password="wrong password", said="hello\n")
    assert done.returncode == ExitCode.LOGIN_REFUSED
    assert "SASL authentication failed" in done.stderr
    assert "wrong password" not in done.stdout + done.stderr


def test_a_stranger_gets_not_one_byte(tmp_path: Path, server: StubServer) -> None:
    done = connect(tmp_path, f"ivan@localhost:{server.port}", "--password-stdin", said="hello\n")
    assert done.returncode == ExitCode.NOT_TRUSTED
    assert "SHA256:" in done.stderr
    assert server.connections == 2
    assert not server.received


def test_a_changed_key_gets_not_one_byte(
    tmp_path: Path, ca: Certificate, arguments: list[str], server: StubServer
) -> None:
    target = arguments[0]
    stderr = connect(tmp_path, target, "--password-stdin").stderr
    fingerprint = next(word for word in stderr.split() if word.startswith("SHA256:"))
    assert connect(tmp_path, target, "--password-stdin", "--fingerprint", fingerprint).returncode == ExitCode.QUIT
    assert connect(tmp_path, target, "--password-stdin").returncode == ExitCode.QUIT
    server.use(make_leaf(tmp_path, ca, name="changed"))
    server.received.clear()
    done = connect(tmp_path, *arguments)
    assert done.returncode == ExitCode.NOT_TRUSTED
    assert "HAS CHANGED" in done.stderr
    assert fingerprint in done.stderr
    assert len({word for word in done.stderr.split() if word.startswith("SHA256:")}) == 2
    assert not server.received


def test_nobody_there(tmp_path: Path, arguments: list[str], server: StubServer) -> None:
    server.close()
    done = connect(tmp_path, *arguments)
    assert done.returncode == ExitCode.CANNOT_CONNECT
    assert "Nobody listens" in done.stderr


def test_something_else_there(tmp_path: Path, arguments: list[str], server: StubServer) -> None:
    server.on_line = lambda message: ["ERROR :This server is full"]
    server.close_after = "USER"
    done = connect(tmp_path, *arguments)
    assert done.returncode == ExitCode.CANNOT_CONNECT
    assert "This server is full" in done.stderr


def test_terminal_escapes_of_others_do_nothing(tmp_path: Path, arguments: list[str], server: StubServer) -> None:
    evil = "\x1b]0;owned\x07\x9b31m\u202ereversed"
    server.greetings = [f":bob!u@h PRIVMSG #lobby :{evil}", f":stub NOTICE ivan :{evil}", f":stub 499 ivan :{evil}"]
    done = connect(tmp_path, *arguments)
    assert done.stdout.count("␛]0;owned␇<U+009B>31m<U+202E>reversed") == 2
    assert done.stderr.count("␛]0;owned␇<U+009B>31m<U+202E>reversed") == 1
    assert not set("\x1b\x07\x9b\u202e") & set(done.stdout + done.stderr)


def test_an_empty_password_is_a_usage_error(tmp_path: Path, arguments: list[str], server: StubServer) -> None:
    assert connect(tmp_path, *arguments, password="").returncode == ExitCode.USAGE
    assert server.connections == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("options", [[], ["--plain"]])
def test_a_signal_says_goodbye(
    tmp_path: Path, arguments: list[str], server: StubServer, number: signal.Signals, options: list[str]
) -> None:
    command = [sys.executable, "-m", "secure_chat", "connect", *arguments, *options]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(tmp_path)
    ) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write(f"{PASSWORD}\nhello\n".encode())
        client.stdin.flush()
        # Once the echo is on the screen the main thread only waits, which is where it must not be broken.
        assert any(b"<ivan> hello" in line for line in iter(client.stdout.readline, b""))
        client.send_signal(number)
        assert client.wait(DEADLINE_SECONDS) == ExitCode.QUIT
        assert client.stderr is not None
        assert b"Traceback" not in client.stderr.read()
    server.wait_for(lambda: server.lines[-1].command == "QUIT")


def test_a_signal_with_something_unconfirmed(tmp_path: Path, arguments: list[str], server: StubServer) -> None:
    server.echo = False
    command = [sys.executable, "-m", "secure_chat", "connect", *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(tmp_path)
    ) as client:
        assert client.stdin is not None
        client.stdin.write(f"{PASSWORD}\nhello\n".encode())
        client.stdin.flush()
        server.wait_for(lambda: bool(server.said()))
        client.send_signal(signal.SIGINT)
        client.send_signal(signal.SIGTERM)
        assert client.wait(DEADLINE_SECONDS) == ExitCode.CONNECTION_LOST


def test_a_signal_that_does_not_wake_the_main_thread(
    tmp_path: Path, arguments: list[str], server: StubServer
) -> None:
    """One that comes just before it waits does not, nor one that another thread gets, as here."""
    command = [sys.executable, "-m", "secure_chat", "connect", *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(tmp_path)
    ) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write(f"{PASSWORD}\nhello\n".encode())
        client.stdin.flush()
        assert any(b"<ivan> hello" in line for line in iter(client.stdout.readline, b""))
        others = {int(task.name) for task in Path(f"/proc/{client.pid}/task").iterdir()} - {client.pid}
        assert ctypes.CDLL(None).tgkill(client.pid, max(others), signal.SIGINT) == 0
        assert client.wait(DEADLINE_SECONDS) == ExitCode.QUIT
    server.wait_for(lambda: server.lines[-1].command == "QUIT")


def test_a_reader_that_goes_away(tmp_path: Path, arguments: list[str]) -> None:
    command = [sys.executable, "-m", "secure_chat", "connect", *arguments]
    client = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(tmp_path)
    )
    assert client.stdin is not None
    assert client.stdout is not None
    client.stdout.close()
    client.stdin.write(f"{PASSWORD}\nhello\n".encode())
    client.stdin.flush()
    assert client.wait(DEADLINE_SECONDS) == ExitCode.QUIT
    client.stdin.close()
    assert client.stderr is not None
    with client.stderr:
        assert b"Traceback" not in client.stderr.read()
