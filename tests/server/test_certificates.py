"""Certificates: strict verification, bounds of the CA, modes, no overwriting, renewal."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from secure_chat.errors import CertificateError
from secure_chat.server import certificates
from secure_chat.server.certificates import (
    FILES,
    covers,
    create,
    describe,
    public_key_fingerprint,
    renew,
    renew_if_due,
)

NOW = datetime.now(UTC)
HOST = "chat.example.org"


@pytest.fixture
def made(tmp_path: Path) -> Path:
    directory = tmp_path / "certs"
    create(directory, [HOST, "203.0.113.5"], now=NOW)
    return directory


def shake_hands(directory: Path, host: str, ca: Path | None = None) -> None:
    """A strictly verifying client against the set in `directory`, in memory."""
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(directory / "server.pem", directory / "server.key")
    client_context = ssl.create_default_context(cafile=ca or directory / "ca.pem")
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(down, up, server_hostname=host)
    server = server_context.wrap_bio(up, down, server_side=True)
    unfinished = [client, server]
    while unfinished:
        for side in list(unfinished):
            try:
                side.do_handshake()
                unfinished.remove(side)
            except ssl.SSLWantReadError:
                pass


def load(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


@pytest.mark.parametrize("host", [HOST, "localhost", "127.0.0.1", "::1", "203.0.113.5"])
def test_a_strict_client_accepts_every_name(made: Path, host: str) -> None:
    shake_hands(made, host)


@pytest.mark.parametrize("host", ["other.example.org", "203.0.113.6", "example.org"])
def test_a_wrong_host_is_refused(made: Path, host: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        shake_hands(made, host)


def openssl_verify(ca: Path, leaf: Path, *options: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("the openssl program is not installed")
    command = [program, "verify", "-x509_strict", *options, "-CAfile", str(ca), str(leaf)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_openssl_verifies_strictly(made: Path) -> None:
    done = openssl_verify(made / "ca.pem", made / "server.pem", "-purpose", "sslserver", "-verify_hostname", HOST)
    assert done.returncode == 0, done.stderr
    assert openssl_verify(made / "ca.pem", made / "ca.pem").returncode == 0


def sign_foreign_leaf(made: Path, host: str) -> Path:
    """What somebody who stole ca.key could try: a leaf for a foreign name, signed by our CA."""
    ca, ca_key = load(made / "ca.pem"), load_pem_private_key((made / "ca.key").read_bytes(), None)
    key = load_pem_private_key((made / "server.key").read_bytes(), None)
    leaf = certificates._make_leaf(key, ca, ca_key, [certificates.parse_host(host)], NOW, 30)  # type: ignore[arg-type]
    (made / "server.pem").write_bytes(leaf.public_bytes(Encoding.PEM))
    return made / "server.pem"


@pytest.mark.parametrize("host", ["bank.example.com", "198.51.100.7", "2001:db8::7"])
def test_name_constraints_refuse_a_foreign_name(made: Path, host: str) -> None:
    leaf = sign_foreign_leaf(made, host)
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        shake_hands(made, host)
    assert "permitted subtree violation" in openssl_verify(made / "ca.pem", leaf).stderr


def test_extensions_of_ca_and_leaf(made: Path) -> None:
    ca, leaf = load(made / "ca.pem"), load(made / "server.pem")
    critical = {extension.oid._name for extension in ca.extensions if extension.critical}
    assert critical == {"basicConstraints", "keyUsage", "nameConstraints"}
    constraints = ca.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (constraints.ca, constraints.path_length) == (True, 0)
    usage = ca.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.key_cert_sign and usage.crl_sign and not usage.digital_signature  # noqa: PT018
    assert ca.not_valid_after_utc - NOW > timedelta(days=3650)
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc <= timedelta(days=397)
    assert list(leaf.subject)
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert list(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.SERVER_AUTH
    ]
    leaf.verify_directly_issued_by(ca)


def test_files_and_modes(made: Path) -> None:
    assert {path.name for path in made.iterdir()} == set(FILES)
    assert made.stat().st_mode & 0o777 == 0o700
    for key in ("ca.key", "server.key"):
        assert (made / key).stat().st_mode & 0o777 == 0o600
    chain = x509.load_pem_x509_certificates((made / "server.pem").read_bytes())
    assert chain == [load(made / "server.pem"), load(made / "ca.pem")]


def test_a_folder_with_other_things_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").touch()
    tmp_path.chmod(0o755)
    create(tmp_path, now=NOW)
    assert tmp_path.stat().st_mode & 0o777 == 0o755


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}


def test_nothing_is_overwritten_without_force(made: Path) -> None:
    before = contents(made)
    with pytest.raises(CertificateError, match="--force"):
        create(made, now=NOW)
    assert contents(made) == before
    create(made, now=NOW, force=True)
    assert not set(contents(made).values()) & set(before.values())


def test_a_single_leftover_file_is_not_overwritten_either(tmp_path: Path) -> None:
    (tmp_path / "server.key").write_text("precious")
    with pytest.raises(CertificateError, match=r"server\.key"):
        create(tmp_path, now=NOW)
    assert contents(tmp_path) == {"server.key": b"precious"}


def test_a_failed_replacement_leaves_the_old_set(made: Path) -> None:
    (made / "server.key").unlink()
    (made / "server.key").mkdir()
    before = contents(made)
    with pytest.raises(CertificateError, match="--out"):
        create(made, now=NOW, force=True)
    assert contents(made) == before


def test_a_failed_creation_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CertificateError, match="--out"):
        create(tmp_path / "file" / "certs", now=NOW)
    with pytest.raises(CertificateError, match="397"):
        create(tmp_path / "certs", now=NOW, days=398)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_losing_a_race_leaves_the_winner(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("the winner's")
    with pytest.raises(CertificateError):
        certificates._install(tmp_path, {"a": b"1", "b": b"2"}, replace=False)
    assert contents(tmp_path) == {"b": b"the winner's"}


def test_renewal_keeps_the_pin_and_the_names(made: Path) -> None:
    before = describe(made)
    renewed = renew(made, now=NOW + timedelta(days=100))
    assert renewed.fingerprint == before.fingerprint
    assert set(renewed.names) >= set(before.names)
    assert renewed.valid_until - before.valid_until == timedelta(days=100)
    assert openssl_verify(made / "ca.pem", made / "server.pem", "-verify_hostname", HOST).returncode != 0
    later = str(int((NOW + timedelta(days=200)).timestamp()))
    assert openssl_verify(made / "ca.pem", made / "server.pem", "-attime", later).returncode == 0


def test_renewal_may_add_an_allowed_name_only(made: Path) -> None:
    assert "10.9.8.7" in renew(made, ["10.9.8.7", f"voice.{HOST}"], now=NOW).names
    shake_hands(made, f"voice.{HOST}")
    before = contents(made)
    with pytest.raises(CertificateError, match=r"nameConstraints.*bank\.example\.com.*--force"):
        renew(made, ["bank.example.com"], now=NOW)
    assert contents(made) == before


def test_renewal_needs_the_whole_set(made: Path, tmp_path: Path) -> None:
    create(tmp_path / "other", now=NOW)
    shutil.copy(tmp_path / "other" / "ca.key", made / "ca.key")
    with pytest.raises(CertificateError, match="is not the key"):
        renew(made, now=NOW)
    (made / "ca.key").unlink()
    with pytest.raises(CertificateError, match=r"ca\.key"):
        renew(made, now=NOW)


def test_an_ended_ca_cannot_renew(made: Path) -> None:
    with pytest.raises(CertificateError, match=r"CA in .* ended on"):
        renew(made, now=NOW + timedelta(days=3700))


def test_the_leaf_never_outlives_its_ca(made: Path) -> None:
    renewed = renew(made, now=NOW + timedelta(days=3600))
    assert renewed.valid_until == renewed.ca_valid_until
    assert renew_if_due(made, NOW + timedelta(days=3640)) is None


def test_own_renewal_30_days_ahead(made: Path) -> None:
    end, pin = describe(made).valid_until, describe(made).fingerprint
    assert renew_if_due(made, end - timedelta(days=31)) is None
    renewed = renew_if_due(made, end - timedelta(days=29))
    assert renewed is not None
    assert renewed.fingerprint == pin
    assert renewed.valid_until > end + timedelta(days=360)
    assert renew_if_due(made, end - timedelta(days=29)) is None


def test_a_short_leaf_keeps_its_length_and_is_renewed_in_its_last_third(tmp_path: Path) -> None:
    create(tmp_path, now=NOW, days=9)
    assert renew_if_due(tmp_path, NOW + timedelta(days=5)) is None
    renewed = renew_if_due(tmp_path, NOW + timedelta(days=7))
    assert renewed is not None
    assert renewed.valid_until - renewed.valid_from == timedelta(days=9)


def test_certificates_from_elsewhere_are_left_alone(made: Path, tmp_path: Path) -> None:
    create(tmp_path / "other", now=NOW)
    shutil.copy(tmp_path / "other" / "server.pem", made / "server.pem")
    assert renew_if_due(made, NOW + timedelta(days=390)) is None
    (made / "ca.key").unlink()
    assert renew_if_due(made, NOW + timedelta(days=390)) is None


def test_covers(made: Path) -> None:
    leaf = made / "server.pem"
    for name in (HOST, HOST.upper(), f"{HOST}.", "localhost", "127.0.0.1", "::1", "[::1]", "203.0.113.5"):
        assert covers(leaf, name), name
    for name in ("example.org", f"a.{HOST}", "203.0.113.6", "not a name", ""):
        assert not covers(leaf, name), name


def test_the_fingerprint_is_that_of_openssl(made: Path) -> None:
    fingerprint = describe(made).fingerprint
    assert public_key_fingerprint((made / "server.pem").read_bytes()) == fingerprint
    script = (
        'openssl x509 -in "$1" -noout -pubkey | openssl pkey -pubin -outform DER'
        " | openssl dgst -sha256 -binary | base64"
    )
    if shutil.which("openssl") is None:
        pytest.skip("the openssl program is not installed")
    done = subprocess.run(
        ["sh", "-c", script, "sh", made / "server.pem"], capture_output=True, text=True, check=True
    )
    assert fingerprint == "SHA256:" + done.stdout.strip().rstrip("=")
    with pytest.raises(CertificateError, match="PEM"):
        public_key_fingerprint(b"nonsense")


@pytest.mark.parametrize("host", ["", "a b", "*.example.org", "-a.org", "a..b", "1.2.3.400", "x" * 64, "a/b"])
def test_impossible_names_are_refused(tmp_path: Path, host: str) -> None:
    with pytest.raises(CertificateError, match="neither a host name nor an address"):
        create(tmp_path / "certs", [host], now=NOW)


def test_international_names_are_encoded() -> None:
    assert certificates.parse_host("Пример.рф") == "xn--e1afmkfd.xn--p1ai"
    assert certificates.parse_host("fe80::1%eth0") == ip_address("fe80::1")


def test_unusable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(CertificateError, match=r"server\.pem cannot be read"):
        describe(tmp_path)
    (tmp_path / "server.pem").write_text("nonsense")
    with pytest.raises(CertificateError, match=r"server\.pem holds no certificate"):
        describe(tmp_path)
