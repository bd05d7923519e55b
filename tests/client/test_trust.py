"""Whom the client trusts: real handshakes with a stub server."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization

from secure_chat.client.address import Address
from secure_chat.client.dial import dialler
from secure_chat.client.fingerprint import check_fingerprint, fingerprint_of
from secure_chat.client.known_servers import KnownServers
from secure_chat.client.trust import Stranger, Trust
from secure_chat.errors import TrustError
from tests.client.stub_certificates import Certificate, make_leaf
from tests.client.stub_server import StubServer

OTHER = "SHA256:" + "A" * 43


def fingerprint(leaf: Certificate) -> str:
    return fingerprint_of(leaf.certificate.public_bytes(serialization.Encoding.DER))


@pytest.fixture
def known(tmp_path: Path) -> KnownServers:
    return KnownServers(tmp_path / "config" / "known-servers")


@pytest.fixture
def address(server: StubServer) -> Address:
    return Address("localhost", server.port)


@pytest.fixture(autouse=True)
def _no_system_trust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))


def test_the_fingerprint_is_that_of_the_public_key(leaf: Certificate) -> None:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(
        leaf.certificate.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    import base64

    expected = base64.b64encode(digest.finalize()).decode().rstrip("=")
    assert fingerprint(leaf) == f"SHA256:{expected}"


@pytest.mark.parametrize("text", ["", "SHA256:", "sha256:" + "A" * 43, "SHA256:" + "A" * 42, "SHA256:" + "!" * 43])
def test_what_is_no_fingerprint(text: str) -> None:
    with pytest.raises(ValueError, match="not a fingerprint"):
        check_fingerprint(text)


@pytest.mark.parametrize("der", [b"", b"rubbish", b"0\x03\x02\x01\x01"])
def test_what_is_no_certificate(der: bytes) -> None:
    with pytest.raises(TrustError):
        fingerprint_of(der)


def test_the_pin_given_decides_and_is_remembered(leaf: Certificate, known: KnownServers, address: Address) -> None:
    known.remember(address, OTHER)
    dialler(address, Trust(address, known, fingerprint=fingerprint(leaf)))().close()
    assert known.fingerprint(address) == fingerprint(leaf)


def test_a_link_does_not_replace_what_is_remembered(
    leaf: Certificate, known: KnownServers, address: Address
) -> None:
    """Anybody can send a link: a key that changed is refused as loudly with one. For a new server it counts."""
    known.remember(address, OTHER)
    by_link = Trust(address, known, fingerprint=fingerprint(leaf), replaces=False)
    with pytest.raises(TrustError, match="HAS CHANGED") as refused:
        dialler(address, by_link)()
    assert OTHER in str(refused.value)
    assert fingerprint(leaf) in str(refused.value)
    assert known.fingerprint(address) == OTHER
    known.forget(address)
    dialler(address, by_link)().close()
    assert known.fingerprint(address) == fingerprint(leaf)
    dialler(address, by_link)().close()


def test_another_key_than_the_pin_given(leaf: Certificate, known: KnownServers, address: Address) -> None:
    known.remember(address, fingerprint(leaf))
    with pytest.raises(TrustError) as caught:
        dialler(address, Trust(address, known, fingerprint=OTHER))()
    assert fingerprint(leaf) in str(caught.value)
    assert OTHER in str(caught.value)


def test_the_remembered_pin(leaf: Certificate, known: KnownServers, address: Address) -> None:
    known.remember(address, fingerprint(leaf))
    dialler(address, Trust(address, known))().close()


def test_a_changed_key_is_refused_even_with_a_ca_and_somebody_to_ask(
    ca: Certificate, leaf: Certificate, known: KnownServers, address: Address, server: StubServer, tmp_path: Path
) -> None:
    known.remember(address, fingerprint(leaf))
    changed = make_leaf(tmp_path, ca, name="changed")
    server.use(changed)
    with pytest.raises(TrustError, match="HAS CHANGED") as caught:
        dialler(address, Trust(address, known, ca_file=ca.pem, ask=lambda stranger: "yes"))()
    assert fingerprint(leaf) in str(caught.value)
    assert fingerprint(changed) in str(caught.value)
    assert not server.received


def test_the_ca_file(ca: Certificate, known: KnownServers, address: Address) -> None:
    dialler(address, Trust(address, known, ca_file=ca.pem))().close()
    assert known.fingerprint(address) is None


def test_a_ca_file_does_not_vouch_for_another_host(
    ca: Certificate, known: KnownServers, address: Address, server: StubServer, tmp_path: Path
) -> None:
    server.use(make_leaf(tmp_path, ca, host="elsewhere.example", name="elsewhere"))
    with pytest.raises(TrustError, match="vouch"):
        dialler(address, Trust(address, known, ca_file=ca.pem, ask=lambda stranger: "yes"))()


def test_a_ca_file_that_is_none(known: KnownServers, address: Address, tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("not a certificate")
    with pytest.raises(TrustError, match="cannot be used"):
        dialler(address, Trust(address, known, ca_file=tmp_path / "bad.pem"))()


def test_the_systems_trust(
    ca: Certificate, known: KnownServers, address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(ca.pem))
    dialler(address, Trust(address, known))().close()


@pytest.mark.parametrize("answer", ["yes", " YES ", "да", "the fingerprint"])
def test_a_stranger_is_asked_about_once(
    leaf: Certificate, known: KnownServers, address: Address, answer: str
) -> None:
    asked: list[Stranger] = []

    def ask(stranger: Stranger) -> str:
        asked.append(stranger)
        return fingerprint(leaf) if answer == "the fingerprint" else answer

    trust = Trust(address, known, ask=ask)
    dialler(address, trust)().close()
    trust.without_asking()
    dialler(address, trust)().close()
    assert [stranger.fingerprint for stranger in asked] == [fingerprint(leaf)]
    assert stat.S_IMODE(known.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(known.path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("answer", ["no", "y", "", OTHER])
def test_a_stranger_is_refused(known: KnownServers, address: Address, answer: str, server: StubServer) -> None:
    with pytest.raises(TrustError):
        dialler(address, Trust(address, known, ask=lambda stranger: answer))()
    assert known.fingerprint(address) is None
    assert not server.received


@pytest.mark.parametrize("content", [b"rubbish\n", b"localhost:6697 SHA256:short\n", b"\xff\xfe", b"a b c\n"])
def test_a_broken_file_trusts_nobody(
    ca: Certificate, known: KnownServers, address: Address, content: bytes, server: StubServer
) -> None:
    known.path.parent.mkdir()
    known.path.write_bytes(content)
    with pytest.raises(TrustError, match="known-servers"):
        dialler(address, Trust(address, known, ca_file=ca.pem, ask=lambda stranger: "yes"))()
    assert server.connections == 0


@pytest.fixture
def nobody() -> Iterator[None]:
    """Not the super-user, who reads everything."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(65_534)
    yield
    os.seteuid(was)


def test_an_unreadable_file_trusts_nobody(
    known: KnownServers, address: Address, request: pytest.FixtureRequest
) -> None:
    known.remember(address, OTHER)
    known.path.chmod(0)
    request.getfixturevalue("nobody")
    with pytest.raises(TrustError, match="cannot be read"):
        known.fingerprint(address)


def test_a_folder_in_the_place_of_the_file(known: KnownServers, address: Address) -> None:
    known.path.mkdir(parents=True)
    with pytest.raises(TrustError, match="cannot be read"):
        known.fingerprint(address)


def test_other_servers_and_comments_stay(known: KnownServers) -> None:
    first, second = Address("a.example"), Address("::1", 7000)
    known.remember(first, OTHER)
    known.remember(second, "SHA256:" + "B" * 42 + "A")
    assert known.fingerprint(first) == OTHER
    assert "[::1]:7000 SHA256:B" in known.path.read_text()
    assert known.path.read_text().startswith("#")
    assert list(known.path.parent.iterdir()) == [known.path]
