"""TlsChannel: the same plain bytes however the encrypted ones are cut; rubbish raises only ProtocolError."""

from __future__ import annotations

import contextlib
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from secure_chat.errors import ProtocolError
from secure_chat.net.tls import TlsChannel, TlsClosed, TlsFailed
from secure_chat.server.certificates import create
from secure_chat.server.tls_context import build_server_context

Contexts = tuple[ssl.SSLContext, ssl.SSLContext]


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> Contexts:
    certs = tmp_path_factory.mktemp("certs") / "certs"
    create(certs, now=datetime.now(UTC))
    client = ssl.create_default_context(cafile=str(certs / "ca.pem"))
    return build_server_context(certs / "server.pem", certs / "server.key"), client


class Pair:
    """Two channels joined by nothing but the test."""

    def __init__(self, contexts: Contexts) -> None:
        self.server = TlsChannel(contexts[0])
        self.client = TlsChannel(contexts[1], server_side=False, host="localhost")

    def shake_hands(self, chunk_bytes: int = 65_536) -> None:
        while not (self.server.established and self.client.established):
            for channel, other in ((self.client, self.server), (self.server, self.client)):
                if not channel.established:
                    channel.handshake()
                data = channel.outgoing()
                for start in range(0, len(data), chunk_bytes):
                    other.feed(data[start : start + chunk_bytes])
                    if not other.established:
                        other.handshake()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    chunk_bytes=st.integers(1, 3000), texts=st.lists(st.binary(min_size=1, max_size=20_000), min_size=1, max_size=4)
)
def test_any_chunking_gives_the_same_bytes(contexts: Contexts, chunk_bytes: int, texts: list[bytes]) -> None:
    pair = Pair(contexts)
    pair.shake_hands(chunk_bytes)
    for text in texts:
        pair.client.write(text)
    encrypted = pair.client.outgoing()
    got = b""
    for start in range(0, len(encrypted), chunk_bytes):
        pair.server.feed(encrypted[start : start + chunk_bytes])
        while data := pair.server.read():
            got += data
    assert got == b"".join(texts)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rubbish=st.binary(min_size=1, max_size=2_000))
def test_rubbish_before_the_handshake_raises_only_protocol_errors(contexts: Contexts, rubbish: bytes) -> None:
    channel = TlsChannel(contexts[0])
    channel.feed(rubbish)
    with contextlib.suppress(ProtocolError):
        assert channel.handshake() is False


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rubbish=st.binary(min_size=6, max_size=2_000))
def test_rubbish_after_the_handshake_raises_only_protocol_errors(contexts: Contexts, rubbish: bytes) -> None:
    pair = Pair(contexts)
    pair.shake_hands()
    pair.server.feed(rubbish)
    with contextlib.suppress(ProtocolError):
        assert pair.server.read() == b""


def test_a_goodbye_and_a_lost_connection_are_told_apart(contexts: Contexts) -> None:
    polite, rude = Pair(contexts), Pair(contexts)
    for pair in (polite, rude):
        pair.shake_hands()
        assert pair.server.read() == b""
    polite.client.close()
    polite.server.feed(polite.client.outgoing())
    with pytest.raises(TlsClosed):
        polite.server.read()
    rude.server.feed(b"")
    with pytest.raises(TlsFailed, match="connection lost"):
        rude.server.read()


def test_the_reason_of_plain_http_is_said(contexts: Contexts) -> None:
    channel = TlsChannel(contexts[0])
    channel.feed(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(TlsFailed, match="plain HTTP"):
        channel.handshake()


def test_tls_1_2_is_taken(contexts: Contexts, tmp_path: Path) -> None:
    old = ssl.create_default_context()
    old.load_verify_locations(cadata="".join(ssl.DER_cert_to_PEM_cert(c) for c in contexts[1].get_ca_certs(True)))
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    pair = Pair((contexts[0], old))
    pair.shake_hands()
    assert pair.server.version == "TLSv1.2"
