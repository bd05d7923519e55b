"""`secure-chat trust`: what the client remembers, listed and taken away."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from secure_chat.cli import main
from secure_chat.client import known_servers
from secure_chat.client.address import Address
from secure_chat.client.known_servers import KnownServers
from secure_chat.client.texts import choose_language

KEY, OTHER = "SHA256:" + "A" * 43, "SHA256:" + "B" * 42 + "A"


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KnownServers:
    """The file that the command uses, in a folder of this test's own."""
    path = tmp_path / "config" / "known-servers"
    monkeypatch.setattr(known_servers, "default_path", lambda: path)
    choose_language("en")
    return KnownServers(path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["trust", *arguments])


def test_nothing_is_remembered_yet(known: KnownServers) -> None:
    done = run("list")
    assert (done.exit_code, done.stdout) == (0, "")
    assert str(known.path) in done.stderr


def test_list_and_remove(known: KnownServers) -> None:
    known.remember(Address("chat.example.org"), KEY)
    known.remember(Address("::1", 7000), OTHER)
    assert run("list").output.splitlines() == [f"[::1]:7000             {OTHER}", f"chat.example.org:6697  {KEY}"]
    done = run("remove", "CHAT.example.org")
    assert (done.exit_code, "chat.example.org:6697 is forgotten" in done.output) == (0, True)
    assert known.fingerprint(Address("chat.example.org")) is None
    assert known.fingerprint(Address("::1", 7000)) == OTHER
    assert stat.S_IMODE(known.path.stat().st_mode) == 0o600


def test_remove_what_is_not_there(known: KnownServers) -> None:
    known.remember(Address("chat.example.org", 7000), KEY)
    done = run("remove", "chat.example.org")
    assert done.exit_code == 1
    assert "no key of chat.example.org:6697. It has: chat.example.org:7000" in done.output
    assert run("remove", "elsewhere.example").exit_code == 1
    assert run("remove", "not a server").exit_code == 2
    assert known.fingerprint(Address("chat.example.org", 7000)) == KEY


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"rubbish\n", "line 1 is not"),
        (f"# mine\nhost:6697 {KEY[:-1]}\n".encode(), "line 2 is not"),
        (f"host:port {KEY}\n".encode(), "line 1 is not"),
        (f"a@host:6697 {KEY}\n".encode(), "line 1 is not"),
        (f"host:66970 {KEY}\n".encode(), "line 1 is not"),
        (f"host {KEY}\nHOST:6697 {OTHER}\n".encode(), "line 2: a second key for host:6697"),
        (b"\xff\xfe", "is not text"),
    ],
)
def test_a_broken_file_is_an_error_and_stays_as_it_is(known: KnownServers, content: bytes, words: str) -> None:
    known.path.parent.mkdir()
    known.path.write_bytes(content)
    for arguments in (("list",), ("remove", "host")):
        done = run(*arguments)
        assert done.exit_code == 1
        assert words in done.output
        assert "no server is trusted" in done.output.lower()
    assert known.path.read_bytes() == content


def test_a_file_that_cannot_be_read(known: KnownServers) -> None:
    known.path.mkdir(parents=True)
    for arguments in (("list",), ("remove", "host")):
        done = run(*arguments)
        assert done.exit_code == 1
        assert "cannot be read" in done.output


@pytest.mark.parametrize(
    "host", ["fe80::1%eth0", "чат.example", "a\x1bcb", "a_b", "-x", "x" * 300, "a\x00b", "a\x9bb"]
)
def test_odd_hosts_are_shown_harmlessly_and_can_be_removed(known: KnownServers, host: str) -> None:
    known.remember(Address(host, 7000), KEY)
    shown = run("list").output
    assert KEY in shown
    assert not {"\x1b", "\x00", "\x9b"} & set(shown)
    done = run("remove", "--", str(Address(host, 7000)))
    assert done.exit_code == 0, done.output
    assert not {"\x1b", "\x00", "\x9b"} & set(done.output)
    assert known.entries() == []


def test_what_an_editor_adds(known: KnownServers) -> None:
    known.path.parent.mkdir()
    known.path.write_bytes(f"\ufeff# by hand\r\nHost {KEY}\r\n\r\n".encode())
    assert known.fingerprint(Address("host")) == KEY


def test_in_russian(known: KnownServers) -> None:
    import secure_chat.cli.trust  # noqa: F401 - chooses the locale's language once

    choose_language("ru")
    try:
        assert "не запомнен" in run("list").output
    finally:
        choose_language("en")
