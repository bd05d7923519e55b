"""Proof of receipt: when it is asked for, what proves it, and a worker that does so on real sockets."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_chat.net import operations as op
from secure_chat.net.receipts import QUIET_SECONDS, Receipts
from secure_chat.net.tls import TlsChannel
from secure_chat.protocol.message import parse
from tests.e2e.waiting import wait_for
from tests.net.test_worker import Bench, shake_hands

PING_7 = b"PING :secure-chat-receipt-7\r\n"


def pong(message_id: int) -> bytes:
    """What a client answers."""
    return f"PONG chat.test :secure-chat-receipt-{message_id}".encode()


def test_it_is_asked_for_when_nothing_has_come_for_a_while() -> None:
    receipts = Receipts()
    assert receipts.ask(100.0) == b""
    receipts.deliver(5, 100.0)
    receipts.deliver(7, 101.0)
    assert receipts.ask(100.9 + QUIET_SECONDS) == b""
    assert receipts.ask(101.0 + QUIET_SECONDS) == PING_7


def test_it_is_asked_for_in_time_where_messages_do_not_end() -> None:
    receipts = Receipts()
    asked = []
    for second in range(30):
        receipts.deliver(second + 1, float(second))
        if ping := receipts.ask(float(second)):
            asked.append(second)
            assert receipts.answered(parse(pong(second + 1)))
            assert ping == f"PING :secure-chat-receipt-{second + 1}\r\n".encode()
    assert asked == [9, 19, 29]


def test_what_came_behind_a_question_waits_no_longer_for_the_next() -> None:
    """However late the answer comes: looked at twice a second, it is asked for in ten seconds."""
    receipts = Receipts()
    receipts.deliver(1, 0.0)
    assert receipts.ask(QUIET_SECONDS)
    receipts.deliver(2, 3.0)
    assert receipts.ask(3.4) == b""
    for second in range(4, 12):
        receipts.deliver(second, float(second))
        assert receipts.ask(float(second)) == b""
    assert receipts.answered(parse(pong(1)))
    receipts.deliver(12, 12.0)
    assert receipts.ask(12.4) == b"PING :secure-chat-receipt-12\r\n"


def test_there_is_one_question_at_a_time() -> None:
    receipts = Receipts()
    receipts.deliver(7, 0.0)
    assert receipts.ask(10.0) == PING_7
    receipts.deliver(8, 11.0)
    assert receipts.ask(100.0) == b""
    assert receipts.answered(parse(pong(7)))
    assert receipts.proven_id == 7
    assert receipts.ask(101.0) == b"PING :secure-chat-receipt-8\r\n"


@pytest.mark.parametrize(
    "line", [pong(8), b"PONG", b"PONG :secure-chat-keep-alive", b"PING :secure-chat-receipt-7", b"PONG x :y"]
)
def test_nothing_else_answers_it(line: bytes) -> None:
    receipts = Receipts()
    assert not receipts.answered(parse(pong(0)))
    receipts.deliver(7, 0.0)
    receipts.deliver(8, 0.0)
    receipts.asked_id = 7
    assert not receipts.answered(parse(line))
    assert receipts.proven_id == 0


class TestWorker:
    """The worker between a peer and what it reports."""

    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[Bench]:
        """A worker."""
        made = Bench(tmp_path / "certs")
        yield made
        made.close()

    @pytest.fixture
    def peer(self, bench: Bench) -> Iterator[tuple[socket.socket, TlsChannel]]:
        """A peer that was given message 7 and has not read it yet."""
        peer, channel = bench.connect()
        peer.sendall(shake_hands(peer, channel))
        wait_for(lambda: "Opened" in bench.kinds())
        bench.ask(op.Subscribe(1, 3), op.Publish(3, {0: b":a PRIVMSG #tea :hello\r\n"}, message_id=7))
        yield peer, channel
        peer.close()

    def proven(self, bench: Bench) -> list[int]:
        """What was reported as received."""
        return [report.message_id for report in bench.reports if isinstance(report, op.Proven)]

    def read(self, peer: socket.socket, channel: TlsChannel, words: bytes) -> None:
        """Until these words have come."""
        heard = b""
        while words not in heard:
            channel.feed(peer.recv(65_536))
            while channel.may_have_more and (data := channel.read()):
                heard += data

    def say(self, peer: socket.socket, channel: TlsChannel, line: bytes) -> None:
        """A line of the peer."""
        channel.write(line + b"\r\n")
        peer.sendall(channel.outgoing())

    def test_the_answer_proves_what_was_given_before_the_question(
        self, bench: Bench, peer: tuple[socket.socket, TlsChannel]
    ) -> None:
        """And no line of it reaches the dispatcher."""
        self.read(*peer, PING_7)
        bench.ask(op.Send(1, b":a PRIVMSG alice :more\r\n", 9))
        self.read(*peer, b"more\r\n")
        self.say(*peer, pong(7))
        wait_for(lambda: self.proven(bench) == [7])
        self.say(*peer, pong(9))
        wait_for(lambda: "Received" in bench.kinds())
        assert self.proven(bench) == [7]

    def test_who_parts_having_received_all_has_it(
        self, bench: Bench, peer: tuple[socket.socket, TlsChannel]
    ) -> None:
        """That is known before the QUIT."""
        self.read(*peer, b"hello\r\n")
        self.say(*peer, b"QUIT")
        wait_for(lambda: "Received" in bench.kinds())
        assert bench.kinds() == ["Opened", "Proven", "Received"]

    def test_what_is_given_behind_a_quit_is_not_proven(
        self, bench: Bench, peer: tuple[socket.socket, TlsChannel]
    ) -> None:
        """The QUIT waits for a place with the dispatcher meanwhile."""
        self.read(*peer, b"hello\r\n")
        bench.takes_lines = False
        self.say(*peer, b"QUIT")
        wait_for(lambda: bench.refused)
        bench.ask(op.Send(1, b":a PRIVMSG alice :more\r\n", 9))
        self.read(*peer, b"more\r\n")
        bench.takes_lines = True
        wait_for(lambda: "Received" in bench.kinds())
        assert self.proven(bench) == [7]

    def test_who_hangs_up_behind_its_quit_has_it_too(
        self, bench: Bench, peer: tuple[socket.socket, TlsChannel]
    ) -> None:
        """The socket is closed before the QUIT is looked at."""
        self.read(*peer, b"hello\r\n")
        channel = peer[1]
        channel.write(b"QUIT\r\n")
        last = channel.outgoing()
        channel.close()
        peer[0].sendall(last + channel.outgoing())
        wait_for(lambda: "Lost" in bench.kinds())
        assert bench.kinds() == ["Opened", "Proven", "Received", "Lost"]

    def test_who_parts_without_having_received_it_has_not(
        self, bench: Bench, peer: tuple[socket.socket, TlsChannel]
    ) -> None:
        """What lies in the kernel's queue may be lost."""
        self.say(*peer, b"QUIT")
        wait_for(lambda: "Received" in bench.kinds())
        assert bench.kinds() == ["Opened", "Received"]


def has_all(sock: socket.socket, outstanding_bytes: int = 0) -> bool:
    """Whether a QUIT proves that a message was received."""
    receipts = Receipts()
    receipts.deliver(7, 0.0)
    return receipts.parted(sock, outstanding_bytes)


def test_what_tcp_has_not_acknowledged_is_not_proven() -> None:
    """A peer whose window is full. (Over TCP what the other kernel has taken counts, as the issue of it wants.)"""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        peer = socket.create_connection(listening.getsockname())
        ours, _ = listening.accept()
    with peer, ours:
        ours.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while ours.send(bytes(65_536)):
                continue
        assert not has_all(ours)
        peer.settimeout(10)

        def taken() -> bool:
            peer.recv(1 << 20)
            return has_all(ours)

        wait_for(taken)
        assert not has_all(ours, outstanding_bytes=1)
