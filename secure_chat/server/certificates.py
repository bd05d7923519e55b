"""Make, renew and describe the server's certificates: a CA that only this group needs, and a leaf it signs.

The files in a directory are `ca.pem ca.key server.pem server.key`; `server.pem` is the leaf, then the CA.
The CA is bound by critical nameConstraints to this server's names and to private addresses, so that a member
who imports it has not given anybody the power to sign for the rest of the internet (RFC 5280, 4.2.1.10).

Times are arguments (aware datetimes). Any thread; calls that write to one directory must not overlap.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import re
import shlex
import socket
import struct
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from secure_chat.errors import CertificateError

Host = str | IPv4Address | IPv6Address

CA_DAYS = 3652
LEAF_DAYS = 397
RENEW_AHEAD_DAYS = 30
CA_CERTIFICATE, CA_KEY, LEAF_CERTIFICATE, LEAF_KEY = FILES = ("ca.pem", "ca.key", "server.pem", "server.key")

# Clocks of members may be behind: a certificate made a minute ago must not be "not yet valid" for them.
BACKDATED = timedelta(hours=1)
PRIVATE = "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 127.0.0.0/8 169.254.0.0/16 ::1/128 fc00::/7 fe80::/10"
PERMITTED_RANGES = tuple(ip_network(text) for text in PRIVATE.split())
LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
LINUX_SIOCGIFADDR = 0x8915


@dataclass(frozen=True, slots=True)
class CertificateSet:
    """What a directory's certificates are, for texts. `ca_valid_until` is None where there is no ca.pem."""

    directory: Path
    names: tuple[str, ...]
    fingerprint: str
    valid_from: datetime
    valid_until: datetime
    ca_valid_until: datetime | None


def create(
    directory: Path, hosts: Sequence[str] = (), *, now: datetime, days: int = LEAF_DAYS, force: bool = False
) -> CertificateSet:
    """Make a new CA and leaf in `directory` for `hosts` (names or addresses) and this machine's own.

    The leaf is valid for `days` days, at most 397. With `force` an existing set is replaced: its pins and its
    ca.pem are then worthless. Raises CertificateError; in that case the directory is as it was.
    """
    if not force and (present := [name for name in FILES if (directory / name).exists()]):
        text = (
            f"{directory} already holds {', '.join(present)}. {command('renew', directory)} keeps the fingerprint; "
        )
        raise CertificateError(text + "--force replaces everything, after which all members need the new one.")
    given = [parse_host(host) for host in hosts]
    wanted = [*given, *machine_hosts()]
    ca_key, leaf_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca = _make_ca(ca_key, wanted, now)
    leaf = _make_leaf(leaf_key, ca, ca_key, wanted, now, days)
    contents = {
        CA_KEY: _key_pem(ca_key),
        LEAF_KEY: _key_pem(leaf_key),
        CA_CERTIFICATE: ca.public_bytes(Encoding.PEM),
        LEAF_CERTIFICATE: leaf.public_bytes(Encoding.PEM) + ca.public_bytes(Encoding.PEM),
    }
    _install(directory, contents, replace=force)
    return describe(directory)


def renew(directory: Path, hosts: Sequence[str] = (), *, now: datetime, days: int = LEAF_DAYS) -> CertificateSet:
    """Sign a new leaf with the CA in `directory`, for the same key, so that remembered pins stay right.

    Its names are those of the old leaf, `hosts`, and this machine's own as far as the CA may sign for them.
    Raises CertificateError where a file is missing or does not belong to the set, where the CA has expired,
    and where its nameConstraints do not allow one of `hosts`.
    """
    ca, leaf = read_certificate(directory / CA_CERTIFICATE), read_certificate(directory / LEAF_CERTIFICATE)
    ca_key, leaf_key = _read_key(directory / CA_KEY, ca), _read_key(directory / LEAF_KEY, leaf)
    if now >= ca.not_valid_after_utc:
        text = f"The CA in {directory} ended on {ca.not_valid_after_utc:%Y-%m-%d}. "
        raise CertificateError(text + _start_anew(directory))
    given = [parse_host(host) for host in hosts]
    for host in given:
        if not permits(ca, host):
            text = f"The nameConstraints of {directory / CA_CERTIFICATE} do not allow {host}. "
            raise CertificateError(text + _start_anew(directory, f" --host {host}"))
    found = [host for host in machine_hosts() if permits(ca, host)]
    renewed = _make_leaf(leaf_key, ca, ca_key, [*_names(leaf), *given, *found], now, days)
    _install(
        directory,
        {LEAF_CERTIFICATE: renewed.public_bytes(Encoding.PEM) + ca.public_bytes(Encoding.PEM)},
        replace=True,
    )
    return describe(directory)


def renew_if_due(directory: Path, now: datetime) -> CertificateSet | None:
    """Renew a leaf of our own making 30 days ahead of its end; None where there was nothing to do.

    A leaf made for less than 90 days is renewed in its last third. Certificates from elsewhere (no ca.key
    here, or not signed by this CA) are left alone. Raises CertificateError like `renew`.
    """
    if not all((directory / name).exists() for name in FILES):
        return None
    ca, leaf = (read_certificate(directory / name) for name in (CA_CERTIFICATE, LEAF_CERTIFICATE))
    lifetime = leaf.not_valid_after_utc - leaf.not_valid_before_utc
    due = leaf.not_valid_after_utc - min(timedelta(days=RENEW_AHEAD_DAYS), lifetime / 3)
    if now < due or leaf.not_valid_after_utc >= ca.not_valid_after_utc or leaf.issuer != ca.subject:
        return None
    return renew(directory, now=now, days=max(1, lifetime.days))


def describe(directory: Path) -> CertificateSet:
    """What the certificates in `directory` are. Reads no key. Raises CertificateError where there are none."""
    leaf = read_certificate(directory / LEAF_CERTIFICATE)
    ca_path = directory / CA_CERTIFICATE
    return CertificateSet(
        directory=directory,
        names=tuple(str(name) for name in _names(leaf)),
        fingerprint=public_key_fingerprint(leaf),
        valid_from=leaf.not_valid_before_utc,
        valid_until=leaf.not_valid_after_utc,
        ca_valid_until=read_certificate(ca_path).not_valid_after_utc if ca_path.exists() else None,
    )


def covers(cert_path: Path, name_or_ip: str) -> bool:
    """Whether a client that connects to `name_or_ip` finds it in the certificate. Raises CertificateError.

    A wildcard of a foreign certificate stands for exactly one label (RFC 9525, 6.3).
    """
    names = _names(read_certificate(cert_path))
    try:
        wanted = parse_host(name_or_ip)
    except CertificateError:
        return False
    if not isinstance(wanted, str):
        return wanted in names
    return wanted in names or f"*.{wanted.partition('.')[2]}" in names


def public_key_fingerprint(certificate: bytes | x509.Certificate) -> str:
    """The pin `SHA256:<base64 without padding>` of the public key (DER SubjectPublicKeyInfo), written as ssh does.

    `certificate` is a certificate or its PEM bytes. Raises CertificateError where the bytes are none.
    """
    if isinstance(certificate, bytes):
        try:
            certificate = x509.load_pem_x509_certificate(certificate)
        except ValueError as error:
            text = "This is not a certificate in PEM form (-----BEGIN CERTIFICATE-----)."
            raise CertificateError(text) from error
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return "SHA256:" + base64.b64encode(hashlib.sha256(spki).digest()).decode().rstrip("=")


def read_certificate(path: Path) -> x509.Certificate:
    """The first certificate in the PEM file `path`. Raises CertificateError, saying what to do."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        text = f"{path} cannot be read ({error.strerror}). Let the server's user read it. "
        raise CertificateError(text + _start_anew(path.parent)) from error
    except ValueError as error:
        text = f"{path} holds no certificate in PEM form. Put the right file there. "
        raise CertificateError(text + _start_anew(path.parent)) from error


def command(verb: str, directory: Path, options: str = "") -> str:
    """The shell command `create` or `renew` for `directory`, for texts that say what to do."""
    return f"`secure-chat certs {verb} --out {shlex.quote(str(directory))}{options}`"


def parse_host(text: str) -> Host:
    """A DNS name (ASCII, lower case; international ones encoded) or an address. Raises CertificateError."""
    with suppress(ValueError):
        return ip_address(text.strip("[]").partition("%")[0])
    try:
        name = text.rstrip(".").lower().encode("idna").decode()
    except UnicodeError:
        name = ""
    labels = name.split(".")
    if len(name) > 253 or labels[-1].isdigit() or not all(LABEL.fullmatch(label) for label in labels):
        error = f"{text!r} is neither a host name nor an address. Give one like chat.example.org or 192.168.1.5."
        raise CertificateError(error)
    return name


def machine_addresses() -> set[IPv4Address | IPv6Address]:
    """The addresses of this machine's interfaces, loopback included, as far as the system tells. Sends nothing."""
    found: set[IPv4Address | IPv6Address] = {ip_address("127.0.0.1"), ip_address("::1")}
    for family, documentation_address in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            # "Connecting" UDP sends nothing: it only picks the address of the default route.
            probe.connect((documentation_address, 9))
            found.add(ip_address(probe.getsockname()[0].partition("%")[0]))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, interface in socket.if_nameindex():
            with suppress(OSError):  # an interface without IPv4, or a system other than Linux
                request = struct.pack("256s", interface.encode())
                found.add(ip_address(fcntl.ioctl(probe, LINUX_SIOCGIFADDR, request)[20:24]))
    return found


def machine_hosts() -> list[Host]:
    """The names and private addresses of this machine that a certificate of ours should carry."""
    names = ["localhost"]
    with suppress(CertificateError):
        if isinstance(own := parse_host(socket.gethostname()), str):
            short = own.partition(".")[0]
            names = [own, short, f"{short}.local", "localhost"]
    private = (a for a in machine_addresses() if any(a in network for network in PERMITTED_RANGES))
    return [*names, *sorted((a for a in private if not a.is_link_local), key=lambda a: (a.version, int(a)))]


def _start_anew(directory: Path, options: str = "") -> str:
    make = command("create", directory, options + " --force" * (directory / CA_CERTIFICATE).exists())
    return f"Or make a new set with {make} and hand the new {CA_CERTIFICATE} to the members."


def _make_ca(key: ec.EllipticCurvePrivateKey, hosts: Iterable[Host], now: datetime) -> x509.Certificate:
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    # Distinct subjects: trust stores look issuers up by name, and a replaced CA must not shadow the new one.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Secure Chat CA {identifier.digest.hex()[:16]}")])
    permitted: dict[str, x509.GeneralName] = {}
    for host in hosts:
        if isinstance(host, str):
            permitted[host] = x509.DNSName(host)
        elif not any(host in network for network in PERMITTED_RANGES):
            permitted[str(host)] = x509.IPAddress(ip_network(host))
    ranges = [x509.IPAddress(network) for network in PERMITTED_RANGES]
    return (
        _builder(name, name, key.public_key(), now - BACKDATED, now - BACKDATED + timedelta(days=CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(ca=True), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(x509.NameConstraints([*permitted.values(), *ranges], None), critical=True)
        .sign(key, hashes.SHA256())
    )


def _make_leaf(
    key: ec.EllipticCurvePrivateKey,
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    hosts: Iterable[Host],
    now: datetime,
    days: int,
) -> x509.Certificate:
    if not 1 <= days <= LEAF_DAYS:
        text = (
            f"--days {days}: a server certificate lives 1 to {LEAF_DAYS} days (longer ones are refused by clients)."
        )
        raise CertificateError(text)
    begin, subject = now - BACKDATED, x509.NameAttribute(NameOID.COMMON_NAME, "Secure Chat server")
    end = min(begin + timedelta(days=days), ca.not_valid_after_utc)
    names = [x509.DNSName(h) if isinstance(h, str) else x509.IPAddress(h) for h in dict.fromkeys(hosts)]
    identifier = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    return (
        _builder(x509.Name([subject]), ca.subject, key.public_key(), begin, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(issuer, critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, begin: datetime, end: datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    return builder.serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(end)


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    # In the order of RFC 5280, 4.2.1.3: digitalSignature first, keyCertSign and cRLSign sixth and seventh.
    return x509.KeyUsage(not ca, False, False, False, False, ca, ca, False, False)


def _names(certificate: x509.Certificate) -> list[Host]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    dns = [name.lower() for name in names.get_values_for_type(x509.DNSName)]
    return [*dns, *(ip_address(str(address)) for address in names.get_values_for_type(x509.IPAddress))]


def permits(ca: x509.Certificate, host: Host) -> bool:
    """Whether the nameConstraints of this CA let it sign for the host."""
    try:
        trees = ca.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or ()
    except x509.ExtensionNotFound:
        return True
    if isinstance(host, str):
        return any(f".{host}".endswith(f".{tree.value}") for tree in trees if isinstance(tree, x509.DNSName))
    return any(host in ip_network(str(tree.value)) for tree in trees if isinstance(tree, x509.IPAddress))


def _read_key(path: Path, certificate: x509.Certificate) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        text = f"{path} cannot be read as an unencrypted private key in PEM form; restore it from a backup."
        raise CertificateError(text) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        text = f"{path} is not the key of the certificate beside it; restore the pair from a backup."
        raise CertificateError(text)
    return key


def _install(directory: Path, contents: Mapping[str, bytes], *, replace: bool) -> None:
    """Put all files of `contents` in place, or none: written beside under other names, then linked or renamed."""
    staged: dict[Path, Path] = {}
    undo: dict[Path, Path | None] = {}
    with _own_directory(directory):
        try:
            for name, data in contents.items():
                staged[directory / name] = _stage(directory, data)
            for path, temporary in staged.items():
                if replace and path.exists():
                    undo[path] = temporary.with_suffix(".old")
                    os.link(path, temporary.with_suffix(".old"))
                    temporary.replace(path)
                else:
                    os.link(temporary, path)  # unlike a rename, fails where another process was faster
                    undo[path] = None
        except BaseException:
            for path, old in undo.items():
                if old is None:
                    path.unlink()
                elif old.exists():
                    old.replace(path)
            raise
        finally:
            for temporary in (*staged.values(), *filter(None, undo.values())):
                temporary.unlink(missing_ok=True)


def _stage(directory: Path, data: bytes) -> Path:
    handle, name = tempfile.mkstemp(dir=directory, prefix=".new-")  # O_EXCL, 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(handle)
    except BaseException:
        Path(name).unlink()
        raise
    return Path(name)


@contextmanager
def _own_directory(directory: Path) -> Iterator[None]:
    """`directory`, made with 0700 or closed to others if it is ours alone; taken away again on an error."""
    made = not directory.exists()
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A folder that holds other things as well (somebody's home) keeps its mode: the keys are 0600 anyway.
        if {path.name for path in directory.iterdir()} <= {*FILES, "README.md", ".gitignore"}:
            directory.chmod(0o700)
        yield
    except OSError as error:
        text = f"{directory}: {error.strerror}. Choose another folder with --out, or mend this one."
        raise CertificateError(text) from error
    finally:
        if made:
            with suppress(OSError):  # it holds what was installed, unless that failed
                directory.rmdir()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
