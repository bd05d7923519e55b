"""The server's TLS settings and their exchange while it runs."""

from __future__ import annotations

import shutil
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from secure_chat.errors import CertificateError
from secure_chat.server.certificates import create
from secure_chat.server.tls_context import ServingContext, build_server_context, key_warnings

NOW = datetime.now(UTC)


@pytest.fixture
def cert(tmp_path: Path) -> Path:
    create(tmp_path / "certs", now=NOW)
    return tmp_path / "certs" / "server.pem"


@pytest.fixture
def key(cert: Path) -> Path:
    return cert.with_name("server.key")


def connect(server_context: ssl.SSLContext, client_context: ssl.SSLContext) -> ssl.SSLObject:
    client_context.check_hostname = False
    client_context.verify_mode = ssl.CERT_NONE
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client, server = client_context.wrap_bio(down, up), server_context.wrap_bio(up, down, server_side=True)
    unfinished = [client, server]
    while unfinished:
        for side in list(unfinished):
            try:
                side.do_handshake()
                unfinished.remove(side)
            except ssl.SSLWantReadError:
                pass
    return client


def test_settings(cert: Path, key: Path) -> None:
    context = build_server_context(cert, key, NOW)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    for option in (ssl.OP_NO_RENEGOTIATION, ssl.OP_NO_COMPRESSION, ssl.OP_NO_TICKET):
        assert context.options & option
    assert context.num_tickets == 0


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions_served(cert: Path, key: Path, version: ssl.TLSVersion) -> None:
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.minimum_version = client_context.maximum_version = version
    client = connect(build_server_context(cert, key, NOW), client_context)
    assert client.version() == version.name.replace("_", ".")
    assert client.session is None or not client.session.has_ticket


@pytest.mark.filterwarnings(
    "ignore:ssl.TLSVersion.TLSv1:DeprecationWarning", "ignore:ssl.TLSVersion.TLSv1_1:DeprecationWarning"
)
def test_an_old_version_is_refused(cert: Path, key: Path) -> None:
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.minimum_version = ssl.TLSVersion.TLSv1
    client_context.maximum_version = ssl.TLSVersion.TLSv1_1
    client_context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        connect(build_server_context(cert, key, NOW), client_context)


@pytest.mark.parametrize(
    ("asked", "chosen"), [(["irc"], "irc"), (["h2", "irc"], "irc"), (["h2"], None), ([], None)]
)
def test_alpn_is_offered_and_not_required(cert: Path, key: Path, asked: list[str], chosen: str | None) -> None:
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if asked:
        client_context.set_alpn_protocols(asked)
    assert connect(build_server_context(cert, key, NOW), client_context).selected_alpn_protocol() == chosen


def test_missing_files_are_named(cert: Path, key: Path) -> None:
    with pytest.raises(CertificateError, match=r"none\.pem cannot be read.*certs create"):
        build_server_context(cert.with_name("none.pem"), key, NOW)
    with pytest.raises(CertificateError, match=r"none\.key cannot be read"):
        build_server_context(cert, key.with_name("none.key"), NOW)


def test_a_foreign_key_is_refused(cert: Path, key: Path, tmp_path: Path) -> None:
    create(tmp_path / "other", now=NOW)
    with pytest.raises(CertificateError, match="is not the key of"):
        build_server_context(cert, tmp_path / "other" / "server.key", NOW)


def test_an_encrypted_key_is_refused_without_asking(cert: Path, key: Path) -> None:
    loaded = load_pem_private_key(key.read_bytes(), None)
    encryption = BestAvailableEncryption(b"secret")
    key.write_bytes(loaded.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    with pytest.raises(CertificateError, match="pass phrase"):
        build_server_context(cert, key, NOW)


def test_an_expired_certificate_names_date_and_remedy(cert: Path, key: Path) -> None:
    with pytest.raises(CertificateError, match=r"expired on \d{4}-\d\d-\d\d .*secure-chat certs renew --out"):
        build_server_context(cert, key, NOW + timedelta(days=400))
    cert.with_name("ca.key").unlink()
    with pytest.raises(CertificateError, match="Put a renewed certificate there"):
        build_server_context(cert, key, NOW + timedelta(days=400))


def test_a_certificate_of_the_future_points_at_the_clock(cert: Path, key: Path) -> None:
    with pytest.raises(CertificateError, match="clock"):
        build_server_context(cert, key, NOW - timedelta(days=2))


def test_damage_behind_the_leaf_is_found(cert: Path, key: Path) -> None:
    damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    cert.write_text(cert.read_text() + damaged)
    with pytest.raises(CertificateError, match="cannot be used for TLS"):
        build_server_context(cert, key, NOW)


def test_a_readable_key_is_warned_about(cert: Path, key: Path) -> None:
    assert key_warnings(key) == []
    key.chmod(0o640)
    assert "chmod 600" in key_warnings(key)[0]
    assert "0640" in ServingContext(cert, key, NOW).warnings[0]
    with pytest.raises(CertificateError):
        key_warnings(key.with_name("none.key"))


def shown(serving: ServingContext) -> bytes | None:
    return connect(serving.current, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)).getpeercert(binary_form=True)


def test_reload_serves_the_new_files(cert: Path, key: Path) -> None:
    serving = ServingContext(cert, key, NOW)
    before, old = serving.current, shown(serving)
    create(cert.parent, now=NOW, force=True)
    assert shown(serving) == old
    serving.reload(NOW)
    assert serving.current is not before
    assert shown(serving) == ssl.PEM_cert_to_DER_cert(
        cert.read_text().partition("-----END")[0] + "-----END CERTIFICATE-----"
    )


@pytest.mark.parametrize("damage", ["nonsense", "missing", "foreign"])
def test_a_bad_file_leaves_the_old_context_serving(cert: Path, key: Path, tmp_path: Path, damage: str) -> None:
    serving = ServingContext(cert, key, NOW)
    before, old = serving.current, shown(serving)
    if damage == "nonsense":
        cert.write_text("nonsense")
    elif damage == "missing":
        key.unlink()
    else:
        create(tmp_path / "other", now=NOW)
        shutil.copy(tmp_path / "other" / "server.pem", cert)
    with pytest.raises(CertificateError):
        serving.reload(NOW)
    assert serving.current is before
    assert shown(serving) == old
