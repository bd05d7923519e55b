"""One TLS connection without blocking, against a peer that a test holds in its hand."""

from __future__ import annotations

import select
import socket
import ssl
import struct
import threading
from collections.abc import Iterator

import pytest

from secure_chat.client.connection import READ_LIMIT_BYTES, Connection, ConnectionLost
from tests.client.stub_certificates import Certificate
from tests.client.stub_server import DEADLINE_SECONDS


@pytest.fixture
def pair(leaf: Certificate) -> Iterator[tuple[Connection, ssl.SSLSocket]]:
    """A connection, and the blocking TLS socket at its other end."""
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(leaf.pem, leaf.key)
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.check_hostname = False
    client_context.verify_mode = ssl.CERT_NONE
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
    far.settimeout(DEADLINE_SECONDS)
    peers: list[ssl.SSLSocket] = []
    shaking = threading.Thread(target=lambda: peers.append(server_context.wrap_socket(far, server_side=True)))
    shaking.start()
    connection = Connection(client_context.wrap_socket(near))
    shaking.join()
    yield connection, peers[0]
    connection.close()
    peers[0].close()


def receive_all(connection: Connection, number_bytes: int) -> bytes:
    """Read until so many bytes have come."""
    received = b""
    while len(received) < number_bytes:
        if not connection.has_more:
            assert select.select([connection], [], [], DEADLINE_SECONDS)[0]
        received += connection.receive()
    return received


def flush_all(connection: Connection) -> None:
    """Write until nothing is kept any more."""
    while connection.wants_to_write:
        assert select.select([], [connection], [], DEADLINE_SECONDS)[1]
        connection.flush()


def test_what_the_socket_does_not_take_is_kept(pair: tuple[Connection, ssl.SSLSocket]) -> None:
    connection, peer = pair
    text = bytes(range(256)) * 40_000
    connection.send(text)
    assert connection.wants_to_write
    connection.send(b"more")
    received = bytearray()

    def read() -> None:
        while len(received) < len(text) + 4:
            received.extend(peer.recv(65536))

    reading = threading.Thread(target=read)
    reading.start()
    flush_all(connection)
    reading.join()
    assert bytes(received) == text + b"more"


def test_what_is_decrypted_is_not_forgotten(pair: tuple[Connection, ssl.SSLSocket]) -> None:
    connection, peer = pair
    text = bytes(range(256)) * (3 * READ_LIMIT_BYTES // 256)
    writing = threading.Thread(target=peer.sendall, args=(text,))
    writing.start()
    assert receive_all(connection, len(text)) == text
    writing.join()
    assert connection.receive() == b""


def test_what_came_before_the_end_is_given_first(pair: tuple[Connection, ssl.SSLSocket]) -> None:
    connection, peer = pair
    peer.sendall(b"last words")
    peer.close()
    assert receive_all(connection, 10) == b"last words"
    select.select([connection], [], [], DEADLINE_SECONDS)
    with pytest.raises(ConnectionLost, match=r"closed the connection|broke"):
        connection.receive()


def test_a_connection_that_is_reset(pair: tuple[Connection, ssl.SSLSocket]) -> None:
    connection, peer = pair
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
    assert select.select([connection], [], [], DEADLINE_SECONDS)[0]
    with pytest.raises(ConnectionLost):
        connection.send(b"x" * READ_LIMIT_BYTES)
    with pytest.raises(ConnectionLost):
        connection.receive()
