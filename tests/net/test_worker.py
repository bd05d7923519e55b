"""The worker on real sockets: what peers do at awkward moments costs them their connection, and nothing else."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from secure_chat.net import operations as op
from secure_chat.net.admission import Admission
from secure_chat.net.bucket import Costs
from secure_chat.net.limits import Limits
from secure_chat.net.tls import TlsChannel, TlsClosed
from secure_chat.net.worker import SWEEP_SECONDS, Worker
from secure_chat.protocol.message import Message
from secure_chat.server.certificates import create
from secure_chat.server.tls_context import build_server_context
from tests.e2e.waiting import wait_for

HELLO = b"NICK alice\r\n"
LIMITS = Limits(close_seconds=60, silence_seconds=60)
HURRIED = replace(LIMITS, authentication_seconds=0.1)


class Bench:
    """A worker without a dispatcher: what it reports is kept."""

    def __init__(self, certs: Path, limits: Limits = LIMITS, cost: float = 0.0) -> None:
        create(certs, now=datetime.now(UTC))
        serving = build_server_context(certs / "server.pem", certs / "server.key")
        self.trusting = ssl.create_default_context(cafile=str(certs / "ca.pem"))
        self.reports: list[op.Report] = []
        self.deaths: list[BaseException] = []
        self.takes_lines, self.refused = True, 0
        self.stands_still = False
        self.worker = Worker(
            "worker",
            limits,
            Admission(limits),
            lambda: serving,
            self._keep,
            Costs(lambda _: cost, frozenset({"SEARCH"})),
            lambda: self.stands_still,
            self.deaths.append,
        )
        self.worker.start()

    def _keep(self, report: op.Report, always: bool) -> bool:
        if not always and not self.takes_lines:
            self.refused += 1
            return False
        self.reports.append(report)
        return True

    def connect(self, number: int = 1, *, exempt: bool = True) -> tuple[socket.socket, TlsChannel]:
        """A peer's socket and its end of TLS, before the handshake."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.settimeout(10)
        self.ask(op.Adopt(number, ours, "192.0.2.1", exempt=exempt))
        return theirs, TlsChannel(self.trusting, server_side=False, host="localhost")

    def ask(self, *operations: op.Operation) -> None:
        self.worker.inbox.post(operations, 0)

    def kinds(self) -> list[str]:
        return [type(report).__name__ for report in self.reports]

    def close(self) -> None:
        self.worker.stop()
        self.worker.thread.join(10)
        assert not self.worker.thread.is_alive()
        assert not self.deaths


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "certs")
    yield made
    made.close()


def shake_hands(peer: socket.socket, channel: TlsChannel) -> bytes:
    """Up to the peer's last bytes, which are not sent yet."""
    while not channel.handshake():
        peer.sendall(channel.outgoing())
        channel.feed(peer.recv(65_536))
    return channel.outgoing()


def greet(peer: socket.socket, channel: TlsChannel, lines: bytes = HELLO) -> None:
    """The first lines come with the end of the handshake."""
    last = shake_hands(peer, channel)
    channel.write(lines)
    peer.sendall(last + channel.outgoing())


def test_lines_that_come_with_the_end_of_the_handshake_and_the_goodbye_are_reported(bench: Bench) -> None:
    peer, channel = bench.connect()
    last = shake_hands(peer, channel)
    channel.write(HELLO)
    last += channel.outgoing()
    channel.close()
    peer.sendall(last + channel.outgoing())
    wait_for(lambda: "Lost" in bench.kinds())
    assert bench.kinds() == ["Opened", "Received", "Lost"]
    peer.close()


def test_who_is_being_closed_hears_nothing_more(bench: Bench) -> None:
    peer, channel = bench.connect()
    peer.sendall(shake_hands(peer, channel))
    wait_for(lambda: "Opened" in bench.kinds())
    bench.ask(op.Subscribe(1, 7), op.Publish(7, {0: b"before\r\n"}), op.Close(1, "closed"))
    bench.ask(op.Publish(7, {0: b"after\r\n"}))
    bench.ask(op.Publish(7, {0: b"after\r\n"}))
    heard = b""
    while data := peer.recv(65_536):
        channel.feed(data)
        with contextlib.suppress(TlsClosed):  # the goodbye may come by itself
            heard += channel.read()
    assert heard == b"before\r\n"
    peer.close()
    wait_for(lambda: "Lost" in bench.kinds())


def test_who_is_gone_while_held_is_forgotten_when_closed(bench: Bench) -> None:
    peer, channel = bench.connect()
    peer.sendall(shake_hands(peer, channel))
    wait_for(lambda: "Opened" in bench.kinds())
    bench.takes_lines = False
    channel.write(HELLO)
    peer.sendall(channel.outgoing())
    wait_for(lambda: bench.refused)
    peer.close()
    bench.ask(op.Hold(1), op.Send(1, b"a first line, at which its end is noticed\r\n"))
    bench.ask(op.Close(1, "closed"))
    wait_for(lambda: "Lost" in bench.kinds())


def test_questions_of_who_is_gone_are_left_out(bench: Bench) -> None:
    """What was said is handed over still."""
    peer, channel = bench.connect()
    peer.sendall(shake_hands(peer, channel))
    wait_for(lambda: "Opened" in bench.kinds())
    bench.takes_lines = False
    channel.write(b"SEARCH text=a\r\n" * 3 + b"PRIVMSG bob hello\r\n" + b"SEARCH text=b\r\n")
    channel.close()
    peer.sendall(channel.outgoing())
    peer.close()
    wait_for(lambda: bench.refused > 1)
    bench.takes_lines = True
    wait_for(lambda: "Lost" in bench.kinds())
    said = [report.line for report in bench.reports if isinstance(report, op.Received)]
    assert [line.command for line in said if isinstance(line, Message)] == ["PRIVMSG"]


def heard(peer: socket.socket, channel: TlsChannel) -> bytes:
    """All that comes until the worker has said goodbye."""
    told = b""
    while data := peer.recv(65_536):
        channel.feed(data)
        with contextlib.suppress(TlsClosed):
            told += channel.read()
    return told


def test_the_time_to_log_in_does_not_run_while_the_dispatcher_has_no_place(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "certs", HURRIED)
    bench.takes_lines = False
    peer, channel = bench.connect()
    greet(peer, channel)
    wait_for(lambda: bench.refused)
    swept = time.monotonic() + 2 * SWEEP_SECONDS
    wait_for(lambda: time.monotonic() > swept)
    bench.takes_lines = True
    wait_for(lambda: "Received" in bench.kinds())
    assert heard(peer, channel) == b"ERROR :Registration timed out: log in sooner\r\n"
    peer.close()
    bench.close()
    assert bench.kinds() == ["Opened", "Received", "Lost"]


def test_the_time_to_log_in_does_not_run_while_the_dispatcher_stands_still(tmp_path: Path) -> None:
    """It has taken the lines, and waits for the disk."""
    bench = Bench(tmp_path / "certs", HURRIED)
    bench.stands_still = True
    peer, channel = bench.connect()
    greet(peer, channel)
    wait_for(lambda: "Received" in bench.kinds())
    swept = time.monotonic() + 3 * SWEEP_SECONDS
    wait_for(lambda: time.monotonic() > swept)
    assert bench.kinds() == ["Opened", "Received"]
    bench.stands_still = False
    assert heard(peer, channel) == b"ERROR :Registration timed out: log in sooner\r\n"
    peer.close()
    bench.close()


def test_the_time_to_log_in_runs_for_who_sends_too_fast(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "certs", HURRIED, cost=1_000.0)
    peer, channel = bench.connect(exempt=False)
    greet(peer, channel, HELLO * 2)
    assert heard(peer, channel) == b"ERROR :Registration timed out: log in sooner\r\n"
    peer.close()
    bench.close()


def test_what_the_worker_keeps_to_itself_is_not_for_nothing(tmp_path: Path) -> None:
    """Else answers to a keep-alive that nobody asked for could come without end."""
    bench = Bench(tmp_path / "certs", replace(LIMITS, points_per_second=10.0, points_burst=1.0), cost=1.0)
    peer, channel = bench.connect(exempt=False)
    last = shake_hands(peer, channel)
    channel.write(5 * b"PONG :secure-chat-keep-alive\r\n" + HELLO)
    begun = time.monotonic()
    peer.sendall(last + channel.outgoing())
    wait_for(lambda: "Received" in bench.kinds())
    assert time.monotonic() - begun > 0.3
    peer.close()
    bench.close()
