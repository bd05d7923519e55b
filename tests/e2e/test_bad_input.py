"""Peers and files that are not as they should be: a clear error at the right place, and nothing lost."""

from __future__ import annotations

import socket
import ssl
import warnings
from datetime import UTC, datetime
from pathlib import Path

import apsw
import pytest

from secure_chat.server.certificates import create
from tests.conftest import Start
from tests.e2e.irc_client import IrcClient, log_in
from tests.e2e.server_process import ServerProcess, run_tool

pytestmark = pytest.mark.once  # nothing here depends on the Python


def raw(server: ServerProcess) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=10)


@pytest.mark.parametrize(
    ("bytes_sent", "words"),
    [
        (b"GET / HTTP/1.1\r\nHost: chat\r\n\r\n", "plain HTTP was spoken to the TLS port"),
        (b"NICK alice\r\nUSER alice 0 * :Alice\r\n", "plain text was spoken to the TLS port"),
        (b"\x16\x03\x01" + b"\xff" * 200, "TLS failed"),
    ],
)
def test_what_is_not_tls_is_one_readable_line_in_the_log(
    server: ServerProcess, bytes_sent: bytes, words: str
) -> None:
    with raw(server) as peer:
        peer.sendall(bytes_sent)
        while peer.recv(4096):
            continue
    server.wait_for_log(words)
    log_in(server, "alice")


def test_tls_1_1_is_refused_with_the_reason(server: ServerProcess) -> None:
    context = ssl.create_default_context(cafile=str(server.ca))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        IrcClient(server.port, None, context=context)
    server.wait_for_log("older than 1.2")


def test_a_handshake_that_never_ends_is_ended(home: Path, start: Start) -> None:
    config = home / "config.toml"
    config.write_text(config.read_text() + "[limits]\nhandshake_seconds = 0.5\n")
    server = start().wait_until_ready()
    with raw(server) as peer:
        peer.sendall(b"\x16\x03\x01")
        assert peer.recv(4096) == b""
    server.wait_for_log("the TLS handshake took too long")


def test_who_does_not_log_in_is_told_and_closed(home: Path, start: Start) -> None:
    config = home / "config.toml"
    config.write_text(config.read_text() + "[limits]\nauthentication_seconds = 0.5\n")
    server = start().wait_until_ready()
    idle = IrcClient(server.port, server.ca)
    idle.expect("ERROR :?Registration timed out")
    idle.expect_end()


def test_bad_lines_cost_only_themselves(server: ServerProcess) -> None:
    alice = log_in(server, "alice")
    alice.socket.sendall(b"PRIVMSG #lobby :\xff\xfe\r\n")
    alice.expect("INVALID_UTF8")
    alice.socket.sendall(b"PRIVMSG #lobby :" + b"x" * 600 + b"\r\n")
    alice.expect(" 417 ")
    alice.socket.sendall(b"@" + b"x" * 5000 + b" PRIVMSG #lobby :tags\r\n")
    alice.expect(" 417 ")
    alice.socket.sendall(b"PRIVMSG #lobby :a\0b\r\n")
    alice.expect("MALFORMED")
    alice.socket.sendall(b"\r\n\r\n:\r\n@a\r\n")
    alice.send("PRIVMSG #lobby :still well")
    alice.expect("PRIVMSG #lobby :still well")


def test_a_vanished_peer_is_noticed(home: Path, start: Start) -> None:
    config = home / "config.toml"
    config.write_text(config.read_text() + "[limits]\nsilence_seconds = 0.5\npong_seconds = 0.5\n")
    server = start().wait_until_ready()
    alice = log_in(server, "alice")
    ping = alice.expect("^PING ")
    alice.send(f"PONG :{ping.params[0]}")
    alice.expect("^PING ")
    alice.expect("^ERROR :?Ping timeout")
    alice.expect_end()


def test_a_port_in_use_is_named(server: ServerProcess, tmp_path: Path) -> None:
    other = run_tool("serve", "--home", str(tmp_path / "other"), "--listen", f"127.0.0.1:{server.port}")
    assert other.returncode == 1
    assert f"127.0.0.1:{server.port}: the port is in use" in other.stderr


def test_the_second_server_on_a_home_is_refused_and_names_the_first(server: ServerProcess) -> None:
    second = run_tool("serve", "--home", str(server.home), "--listen", "127.0.0.1:0")
    assert second.returncode == 1
    assert f"in use by process {server.process.pid}" in second.stderr


def refused(home: Path) -> str:
    """What a server that must not start says."""
    done = run_tool("serve", "--home", str(home), "--listen", "127.0.0.1:0")
    assert done.returncode == 1, done
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_corrupt_database_is_refused_and_left_alone(home: Path) -> None:
    database = home / "chat.db"
    content = b"this is not a database at all" * 1000
    database.write_bytes(content)
    assert "not a sound SQLite database" in refused(home)
    assert database.read_bytes() == content


def test_a_newer_database_is_refused(home: Path) -> None:
    connection = apsw.Connection(str(home / "chat.db"))
    connection.execute("PRAGMA user_version=999")
    connection.close()
    assert "newer Secure Chat" in refused(home)


def test_a_locked_database_is_refused(home: Path) -> None:
    connection = apsw.Connection(str(home / "chat.db"))
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    connection.execute("BEGIN EXCLUSIVE")
    try:
        assert "locked by another program" in refused(home)
    finally:
        connection.close(True)


def test_a_missing_pepper_is_refused(home: Path) -> None:
    (home / "pepper").unlink()
    assert "pepper" in refused(home)


def test_an_unreadable_key_is_refused(home: Path) -> None:
    (home / "certs" / "server.key").write_text("no key")
    assert "server.key" in refused(home)


def test_an_expired_certificate_is_refused_with_its_date(home: Path, tmp_path: Path) -> None:
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    create(tmp_path / "old", now=long_ago, days=30)
    for name in ("server.pem", "server.key"):  # without its CA it cannot be renewed by itself
        (home / "certs" / name).write_bytes((tmp_path / "old" / name).read_bytes())
    (home / "certs" / "ca.key").unlink()
    assert "expired on 2020-01-30" in refused(home)


def test_a_wrong_configuration_is_refused_with_what_is_allowed(home: Path) -> None:
    (home / "config.toml").write_text("[passwords]\nbcrypt_round = 12\n")
    text = refused(home)
    assert "bcrypt_round" in text
    assert "bcrypt_rounds" in text


def test_a_lobby_that_cannot_be_one_is_refused(home: Path) -> None:
    (home / "config.toml").write_text('[lobby]\nroom = "#a~b"\n')
    text = refused(home)
    assert "[lobby] room" in text
    assert "'~'" in text
