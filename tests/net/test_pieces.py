"""The small parts of `net`: bucket, admission, limits, deadlines, switchboard."""

from __future__ import annotations

import errno
import random
import socket
import ssl
from collections.abc import Iterator
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.net import listener
from secure_chat.net import operations as op
from secure_chat.net.admission import Admission
from secure_chat.net.bucket import Bucket
from secure_chat.net.connection import ENCRYPT_BYTES, WRITE_BYTES, Connection, Stage
from secure_chat.net.deadlines import next_trouble
from secure_chat.net.limits import Limits
from secure_chat.net.switchboard import Switchboard


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 5)), max_size=60))
def test_a_bucket_never_lets_more_through_than_burst_and_rate(steps: list[tuple[float, float]]) -> None:
    bucket = Bucket(rate=4, burst=20, points=20, filled_at=0.0)
    now = spent = 0.0
    for pause, cost in steps:
        now += pause
        bucket.fill(now)
        if not bucket.empty:
            bucket.take(cost)
            spent += cost
    assert spent <= 20 + 4 * now + 5 + 1e-6


def test_a_bucket_says_how_long_to_wait() -> None:
    bucket = Bucket(rate=4, burst=20, points=0, filled_at=0.0)
    bucket.take(2)
    assert bucket.empty
    assert bucket.wait_seconds() == 0.5


def test_admission_counts_in_all_and_per_address() -> None:
    admission = Admission(Limits(handshakes=3, handshakes_per_address=2, unauthenticated_per_address=3))
    assert admission.admit("a") is None
    assert admission.admit("a") is None
    assert "from this address" in (admission.admit("a") or "")
    assert admission.admit("b") is None
    assert "too many unfinished handshakes" in (admission.admit("c") or "")
    for _ in range(2):
        admission.handshake_ended("a")
    assert admission.admit("a") is None
    admission.handshake_ended("a")
    assert "not logged in" in (admission.admit("a") or "")
    admission.authenticated("a")
    assert admission.admit("a") is None


@pytest.mark.parametrize(
    ("address", "exempt"),
    [("127.0.0.1", True), ("::ffff:127.0.0.1", True), ("fe80::1%eth0", False), ("10.0.0.1", False), ("?", False)],
)
def test_exempt_networks(address: str, exempt: bool) -> None:
    assert Limits(exempt_networks=(ip_network("127.0.0.0/8"),)).exempts(address) is exempt


@pytest.fixture
def connection() -> Iterator[Connection]:
    one, other = socket.socketpair()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    yield Connection(1, one, "192.0.2.1", context, Limits(), 0.0, exempt=False)
    one.close()
    other.close()


def open_at(connection: Connection, now: float) -> Connection:
    connection.enter(Stage.OPEN)
    connection.deadline, connection.heard_at = None, now
    return connection


def test_a_handshake_has_ten_seconds(connection: Connection) -> None:
    assert next_trouble(connection, Limits(), 9.9) is None
    trouble = next_trouble(connection, Limits(), 10.0)
    assert trouble is not None
    assert "handshake" in trouble.reason


def test_silence_is_asked_about_and_then_ended(connection: Connection) -> None:
    open_at(connection, 0.0)
    assert next_trouble(connection, Limits(), 89.0) is None
    trouble = next_trouble(connection, Limits(), 90.0)
    assert trouble is not None
    assert trouble.ping
    connection.pinged_at = 90.0
    assert next_trouble(connection, Limits(), 149.0) is None
    trouble = next_trouble(connection, Limits(), 150.0)
    assert trouble is not None
    assert "Ping timeout" in trouble.reason


def test_clocks_stand_still_while_we_do_not_read(connection: Connection) -> None:
    open_at(connection, 0.0).deadline = 30.0
    connection.hold(10.0)
    assert next_trouble(connection, Limits(), 1_000.0) is None
    connection.release(1_000.0)
    assert next_trouble(connection, Limits(), 1_019.0) is None
    assert next_trouble(connection, Limits(), 1_021.0) is not None


def test_a_deadline_stands_still_while_the_dispatcher_has_no_place(connection: Connection) -> None:
    open_at(connection, 0.0).deadline = 30.0
    connection.waits_for_queue(10.0, waits=True)
    connection.waits_for_queue(500.0, waits=True)
    assert next_trouble(connection, Limits(silence_seconds=2_000), 1_000.0) is None
    connection.hold(1_000.0)
    connection.release(2_000.0)
    assert next_trouble(connection, Limits(silence_seconds=3_000), 2_019.0) is None
    assert next_trouble(connection, Limits(silence_seconds=3_000), 2_021.0) is not None


def test_a_slow_reader_is_given_time_and_then_ended(connection: Connection) -> None:
    limits = Limits(pending_bytes=10, pending_seconds=30)
    open_at(connection, 0.0).add(b"x" * 11)
    assert next_trouble(connection, limits, 1.0) is None
    assert next_trouble(connection, limits, 30.0) is None
    trouble = next_trouble(connection, limits, 31.0)
    assert trouble is not None
    assert "too slowly" in trouble.reason


class PieceCounter:
    """Stands for a TlsChannel: gives out what it was given, and remembers its sizes."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self._last = b""

    def write(self, data: bytes) -> None:
        self.sizes.append(len(data))
        self._last = data

    def outgoing(self) -> bytes:
        return self._last


def test_a_burst_is_encrypted_in_pieces_and_sent_whole(connection: Connection) -> None:
    """OpenSSL keeps a buffer of the largest piece for as long as the connection lives."""
    counter = PieceCounter()
    connection.channel = counter  # type: ignore[assignment]
    burst = bytes(range(256)) * 100
    connection.add(burst)
    assert connection.flush()
    assert max(counter.sizes) <= ENCRYPT_BYTES
    assert sum(counter.sizes) == len(burst)


@pytest.mark.parametrize("pieces", [[WRITE_BYTES * 3 + 7], [40_000] * 5, [10] * 20_000, [WRITE_BYTES] * 2])
def test_what_is_pending_is_taken_in_order_and_by_the_limit(connection: Connection, pieces: list[int]) -> None:
    whole = random.Random(1).randbytes(sum(pieces))
    start = 0
    for size in pieces:
        connection.add(whole[start : start + size])
        start += size
    taken = []
    while connection.pending:
        taken.append(bytes(connection._take_pending()))
        assert connection.pending_bytes == sum(map(len, connection.pending))
    assert b"".join(taken) == whole
    assert all(len(data) == WRITE_BYTES for data in taken[:-1])


class FullTable:
    """Stands for a listening socket in a process that has no file descriptor left."""

    def accept(self) -> None:
        raise OSError(errno.EMFILE, "Too many open files")


def test_that_nothing_can_be_accepted_is_said_once_in_a_while(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = 100.0
    monkeypatch.setattr("secure_chat.net.listener.time.monotonic", lambda: clock)
    monkeypatch.setattr(listener, "PAUSE_SECONDS", 0.0)
    limits = Limits()
    listening = listener.Listener([], limits, Admission(limits), lambda _: None, lambda _: None)
    for clock in (100.0, 101.0, 104.9, 105.0):  # noqa: B007 - the clock reads it
        listening._accept(FullTable())  # type: ignore[arg-type]
    said = [(record.message, record.facts["times"]) for record in caplog.records]  # type: ignore[attr-defined]
    assert said == [("cannot accept; trying again", 1), ("cannot accept; trying again", 3)]
    for sock in (listening._wake_receive, listening._wake_send):
        sock.close()


Step = tuple[str, int, int | None]
steps = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(1, 2), st.one_of(st.none(), st.integers(1, 4))),
        st.tuples(st.just("send"), st.integers(1, 4), st.none()),
        st.tuples(st.just("subscribe"), st.integers(1, 4), st.integers(1, 2)),
        st.tuples(st.just("unsubscribe"), st.integers(1, 4), st.integers(1, 2)),
    ),
    max_size=30,
)


@given(batches=st.lists(steps, max_size=4))
def test_joined_runs_give_everybody_the_lines_of_one_by_one_delivery(batches: list[list[Step]]) -> None:
    """Per topic and connection the order is that of the operations, whatever was joined."""
    board = Switchboard()
    sockets = [socket.socketpair() for _ in range(4)]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    expected: dict[int, list[bytes]] = {}
    delivered: dict[int, int] = {}
    members: dict[int, set[int]] = {1: set(), 2: set()}
    for number in range(1, 5):
        made = Connection(number, sockets[number - 1][0], "192.0.2.1", context, Limits(), 0.0, exempt=False)
        board.connections[number] = open_at(made, 0.0)
        expected[number] = []
    line = 0
    for batch in batches:
        operations: list[op.Operation] = []
        for kind, first, second in batch:
            line += 1
            data = b"%d;" % line
            if kind == "publish":
                operations.append(op.Publish(first, {0: data}, () if second is None else (second,), line))
                for number in members[first] - {second}:
                    expected[number].append(data)
                    delivered[number] = line
            elif kind == "send":
                operations.append(op.Send(first, data, line))
                expected[first].append(data)
                delivered[first] = line
            else:
                assert second is not None
                operations.append((op.Subscribe if kind == "subscribe" else op.Unsubscribe)(first, second))
                (members[second].add if kind == "subscribe" else members[second].discard)(first)
        board.begin(operations, 5.0)
        for operation in operations:
            carry_out(board, operation)
        board.end()
    for number, connection in board.connections.items():
        assert b"".join(connection.pending) == b"".join(expected[number])
        assert connection.receipts.delivered_id == delivered.get(number, 0)
    for pair in sockets:
        for sock in pair:
            sock.close()


def carry_out(board: Switchboard, operation: op.Operation) -> None:
    match operation:
        case op.Publish():
            board.publish(operation)
        case op.Send():
            board.send(operation)
        case op.Subscribe():
            board.subscribe(operation)
        case op.Unsubscribe():
            board.unsubscribe(operation)
