"""Starting, reloading, stopping; the command-line tool beside a running server."""

from __future__ import annotations

import json
import shutil
import signal
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pexpect
import pytest

from secure_chat.server.certificates import create, public_key_fingerprint
from tests.conftest import Start
from tests.e2e.irc_client import IrcClient, log_in
from tests.e2e.server_process import PASSWORD, PROGRAM, STOP_SECONDS, ServerProcess, run_tool
from tests.e2e.waiting import wait_for

pytestmark = pytest.mark.once


def test_a_first_start_makes_everything_and_says_what_to_do(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "new")
    try:
        server.wait_until_ready()
        assert "There is no administrator yet" in server.text
        assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
        for name in ("chat.db", "pepper", "certs/server.key", "certs/ca.key"):
            assert (tmp_path / "new" / name).stat().st_mode & 0o077 == 0, name
    finally:
        assert server.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_says_goodbye_and_exits_0(server: ServerProcess, number: int) -> None:
    alice = log_in(server, "alice")
    alice.send("PRIVMSG #lobby :last words")
    alice.expect("last words")
    assert server.stop(number) == 0
    alice.expect("^ERROR :Server is shutting down")
    alice.expect_end()
    assert "stopped" in server.text


def certificate_of(server: ServerProcess) -> bytes:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    client = IrcClient(server.port, None, context=context)
    found = client.socket.getpeercert(binary_form=True)
    assert found
    return found


def test_hangup_reloads_the_certificate_and_a_bad_one_changes_nothing(
    server: ServerProcess, tmp_path: Path
) -> None:
    alice = log_in(server, "alice")
    before = certificate_of(server)
    create(tmp_path / "other", now=datetime.now(UTC))
    for name in ("server.pem", "server.key"):
        shutil.copy(tmp_path / "other" / name, server.home / "certs" / name)
    server.process.send_signal(signal.SIGHUP)
    server.wait_for_log("certificate reloaded")
    after = certificate_of(server)
    assert after != before
    note = server.home / "address.json"
    pin = public_key_fingerprint((server.home / "certs" / "server.pem").read_bytes())
    wait_for(lambda: json.loads(note.read_text())["pin"] == pin)
    (server.home / "certs" / "server.pem").write_text("rubbish")
    server.process.send_signal(signal.SIGHUP)
    server.wait_for_log("certificate not reloaded")
    assert certificate_of(server) == after
    assert json.loads(note.read_text())["pin"] == pin
    alice.send("PRIVMSG #lobby :never noticed")
    alice.expect("never noticed")


def test_the_tool_works_beside_the_server_and_without_it(server: ServerProcess) -> None:
    home = ("--home", str(server.home))
    added = run_tool("user", "add", "dave", "--password-stdin", *home, stdin="dave likes long words\n")
    assert added.returncode == 0, added.stderr
    dave = log_in(server, "dave", "dave likes long words")
    assert "dave" in run_tool("user", "list", *home).stdout
    assert run_tool("user", "disable", "dave", *home).returncode == 0
    dave.expect("^ERROR :?This account was disabled")
    dave.expect_end()
    server.stop()
    assert run_tool("user", "enable", "dave", *home).returncode == 0
    taken = run_tool("user", "add", "DAVE", "--password-stdin", *home, stdin="whatever it is\n")
    assert taken.returncode == 1
    assert "There is an account dave already" in taken.stderr
    assert run_tool("user", "remove", "dave", "--yes", *home).returncode == 0
    gone = run_tool("user", "add", "dave", "--password-stdin", *home, stdin="whatever it is\n")
    assert "never given again" in gone.stderr


@pytest.mark.parametrize(
    ("password", "words"), [("k3f9", "shorter than"), ("password1", "common"), ("evelinelise", "name")]
)
def test_weak_passwords_are_refused_with_the_reason(home: Path, password: str, words: str) -> None:
    arguments = ("user", "add", "EvelineLise", "--password-stdin", "--home", str(home))
    done = run_tool(*arguments, stdin=f"{password}\n")
    assert done.returncode == 1
    assert words in done.stderr
    assert password not in done.stderr


def test_a_password_set_by_the_owner_ends_the_sessions(server: ServerProcess) -> None:
    alice = log_in(server, "alice")
    done = run_tool(
        "user", "passwd", "alice", "--password-stdin", "--home", str(server.home), stdin="a new one, longer\n"
    )
    assert done.returncode == 0, done.stderr
    alice.expect("^ERROR ")
    alice.expect_end()
    log_in(server, "alice", "a new one, longer")


def test_passwords_stay_out_of_the_log_and_the_disk(start: Start, home: Path) -> None:
    server = start("--log-level", "debug").wait_until_ready()
    log_in(server, "alice")
    client = IrcClient(server.port, server.ca)
    client.send("PASS alice:hidden words", "AUTHENTICATE aGlkZGVuIHdvcmRz", "OPER root hidden-words")
    client.barrier()
    client.close()
    wait_for(lambda: "disconnect" in server.text)
    server.stop()
    assert "hidden" not in server.text
    assert "aGlkZGVu" not in server.text
    assert PASSWORD not in server.text
    for file in home.rglob("*"):
        if file.is_file():
            assert PASSWORD.encode() not in file.read_bytes(), file


def test_hangup_while_stopping_does_not_kill(server: ServerProcess) -> None:
    log_in(server, "alice")
    server.process.send_signal(signal.SIGTERM)
    server.wait_for_log('reason="Server is shutting down"')
    server.process.send_signal(signal.SIGHUP)
    assert server.process.wait(STOP_SECONDS) == 0
    server.wait_for_log("stopped")


def test_the_tool_takes_no_home_that_is_not_there(tmp_path: Path) -> None:
    done = run_tool("user", "list", "--home", str(tmp_path / "mistyped"))
    assert done.returncode == 1
    assert "There is no server's home" in done.stderr
    assert not (tmp_path / "mistyped").exists()


def test_the_tool_reads_the_configuration_of_the_server(home: Path, tmp_path: Path) -> None:
    other = tmp_path / "club.toml"
    other.write_text("[passwords]\nbcrypt_rounds = 4\nminimum_characters = 20\n")
    arguments = ("user", "add", "dave", "--password-stdin", "--home", str(home), "--config", str(other))
    done = run_tool(*arguments, stdin="fourteen chars\n")
    assert "shorter than 20" in done.stderr


@pytest.mark.once
def test_closing_its_terminal_ends_the_server(tmp_path: Path) -> None:
    """And does not leave it running where nobody sees it."""
    command = [*PROGRAM[1:], "serve", "--home", str(tmp_path / "home"), "--listen", "127.0.0.1:0"]
    server = pexpect.spawn(PROGRAM[0], command, encoding="utf-8", timeout=STOP_SECONDS)
    server.expect_exact("info ready")
    server.close(force=False)
    wait_for(lambda: not (tmp_path / "home" / "control.sock").exists())
    assert not (tmp_path / "home" / "address.json").exists()
