"""What the doctor says of a server: each thing broken for real."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from secure_chat.client import doctor
from secure_chat.client.address import Address
from secure_chat.client.known_servers import KnownServers
from secure_chat.findings import Finding, Level
from secure_chat.protocol.message import Message
from tests.client.stub_certificates import Certificate, make_leaf
from tests.client.stub_server import StubServer
from tests.client.test_trust import OTHER, fingerprint

Examine = Callable[..., list[Finding]]


@pytest.fixture(autouse=True)
def _no_system_trust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    monkeypatch.setattr(doctor, "CONNECT_SECONDS", 0.5)


@pytest.fixture
def known(tmp_path: Path) -> KnownServers:
    return KnownServers(tmp_path / "known-servers")


@pytest.fixture
def examine(known: KnownServers, ca: Certificate) -> Examine:
    """The findings about localhost and a port."""

    def run(port: int, host: str = "localhost", at: datetime | None = None) -> list[Finding]:
        address = Address(host, port)
        return list(doctor.examine_server(address, known, now=at or datetime.now(UTC), ca_file=ca.pem))

    return run


def bad(findings: list[Finding]) -> list[tuple[Level, str]]:
    assert all(finding.remedy for finding in findings if finding.level is not Level.OK)
    return [(finding.level, finding.text) for finding in findings if finding.level is not Level.OK]


def only(findings: list[Finding], level: Level = Level.PROBLEM) -> Finding:
    (found,) = [finding for finding in findings if finding.level is not Level.OK]
    assert found.level is level
    assert found.remedy
    return found


def test_a_server_that_is_well(server: StubServer, examine: Examine) -> None:
    findings = examine(server.port)
    assert bad([finding for finding in findings if "::1" not in finding.text]) == []
    text = "\n".join(finding.text for finding in findings)
    for words in (
        "is 127.0.0.1",
        "is open at",
        "TLSv1.3",
        "vouches",
        "is for localhost",
        "valid until",
        "SASL PLAIN",
    ):
        assert words in text
    assert "only after a login" in text
    server.wait_for(lambda: any(message.command == "QUIT" for message in server.lines))
    assert {message.command for message in server.lines} <= {"CAP", "PING", "QUIT"}


def test_a_name_that_is_none(examine: Examine) -> None:
    for host in ("no-such-host.invalid", "a..b", "x" * 70):
        assert "looked up now" in (text := only(examine(1, host)).text) or "no host" in text


def test_nobody_listens(examine: Examine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert "nobody listens" in only(examine(port, "127.0.0.1")).text


def test_a_filter_that_drops_everything(examine: Examine) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        where = listener.getsockname()
        # The kernel answers no more attempts when the queue of the listener is full.
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(where)
        finding = only(examine(where[1], "127.0.0.1"))
        assert "does not answer at all" in finding.text
        assert "firewall" in finding.remedy
        for one in waiting:
            one.close()


def test_no_way_there(examine: Examine) -> None:
    assert "no way to 255.255.255.255" in only(examine(6697, "255.255.255.255")).text


@contextmanager
def answering(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A listener whose connections get what `serve` does; its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def talk(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            serve(connection)

    def run() -> None:
        while True:
            try:
                connection, _address = listener.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def banner(connection: socket.socket) -> None:
    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
    connection.recv(4096)


def silence(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


def hanging_up(connection: socket.socket) -> None:
    connection.recv(1)


@pytest.mark.parametrize(
    ("serve", "words"),
    [(banner, "does not speak TLS"), (silence, "answers nothing to TLS"), (hanging_up, "ends the connection")],
)
def test_something_else_listens(examine: Examine, serve: Callable[[socket.socket], None], words: str) -> None:
    with answering(serve) as port:
        assert words in only(examine(port, "127.0.0.1")).text


def test_a_tls_that_is_too_old(examine: Examine, leaf: Certificate) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf.pem, leaf.key)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")

    def serve(connection: socket.socket) -> None:
        context.wrap_socket(connection, server_side=True).close()

    with answering(serve) as port:
        assert "older than 1.2" in only(examine(port, "127.0.0.1")).text


def test_tls_that_is_no_chat(examine: Examine, leaf: Certificate) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf.pem, leaf.key)

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as tls:
            tls.recv(4096)
            tls.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with answering(serve) as port:
        assert "does not answer as a chat server" in only(examine(port, "127.0.0.1")).text


def test_a_certificate_for_another_name(
    server: StubServer, examine: Examine, ca: Certificate, known: KnownServers, tmp_path: Path
) -> None:
    elsewhere = make_leaf(tmp_path, ca, host="elsewhere.example", name="elsewhere")
    server.use(elsewhere)
    found = bad(examine(server.port, "127.0.0.1"))
    assert [level for level, _text in found] == [Level.WARNING, Level.PROBLEM]
    assert found[1][1] == "Its certificate is not for 127.0.0.1, but for elsewhere.example."
    known.remember(Address("127.0.0.1", server.port), fingerprint(elsewhere))
    assert "not for 127.0.0.1" in only(examine(server.port, "127.0.0.1"), Level.WARNING).text


@pytest.mark.parametrize(
    ("days", "level", "words"),
    [
        (-3, Level.PROBLEM, "is not valid before"),
        (20, Level.WARNING, "ends soon"),
        (40, Level.PROBLEM, "expired on"),
    ],
)
def test_dates(server: StubServer, examine: Examine, days: int, level: Level, words: str) -> None:
    at = datetime.now(UTC) + timedelta(days=days)
    assert words in only(examine(server.port, "127.0.0.1", at), level).text


def test_the_remembered_key(server: StubServer, examine: Examine, leaf: Certificate, known: KnownServers) -> None:
    address = Address("127.0.0.1", server.port)
    known.remember(address, fingerprint(leaf))
    assert "Its key is the one remembered" in "\n".join(
        finding.text for finding in examine(server.port, "127.0.0.1")
    )
    known.remember(address, OTHER)
    server.wait_for(lambda: server.lines[-1].command == "QUIT")
    server.received.clear()
    finding = only(examine(server.port, "127.0.0.1"))
    assert not server.received
    assert OTHER in finding.text
    assert fingerprint(leaf) in finding.text
    assert "trust remove" in finding.remedy


def test_a_known_servers_file_that_is_broken(server: StubServer, examine: Examine, known: KnownServers) -> None:
    known.path.write_text("rubbish\n")
    assert "no server is trusted" in only(examine(server.port, "127.0.0.1")).text


def test_a_stranger(server: StubServer, known: KnownServers, leaf: Certificate) -> None:
    findings = list(
        doctor.examine_server(Address("127.0.0.1", server.port), known, now=datetime.now(UTC), ca_file=None)
    )
    assert fingerprint(leaf) in only(findings, Level.WARNING).text
    assert not known.path.exists()


def test_a_server_without_passwords(server: StubServer, examine: Examine) -> None:
    server.on_line = lambda m: (
        [":irc CAP * LS * :a b", ":irc CAP * LS :sasl=EXTERNAL"] if m.command == "CAP" else None
    )
    assert "no login with a password" in only(examine(server.port, "127.0.0.1")).text


def test_a_server_that_sends_us_away(server: StubServer, examine: Examine) -> None:
    server.on_line = lambda message: ["ERROR :Too many connections"]
    assert "Too many connections" in only(examine(server.port, "127.0.0.1")).text


@pytest.mark.parametrize(("hours", "level"), [(0, None), (3, Level.WARNING)])
def test_the_servers_clock(server: StubServer, examine: Examine, hours: int, level: Level | None) -> None:
    def answer(message: Message) -> list[str] | None:
        stamp = f"{datetime.now(UTC) + timedelta(hours=hours):%Y-%m-%dT%H:%M:%S.000Z}"
        return [f"@time={stamp} :stub PONG stub :x"] if message.command == "PING" else None

    server.on_line = answer
    findings = examine(server.port, "127.0.0.1")
    if level is None:
        assert bad(findings) == []
        assert "agree within" in findings[-1].text
    else:
        assert "differ by 10" in only(findings, level).text
