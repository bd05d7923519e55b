"""How people reach this server from outside, as invitations say it."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives import hashes

from secure_chat.chat.settings import Reach
from secure_chat.config import Config
from secure_chat.errors import CertificateError
from secure_chat.server.certificates import (
    CA_CERTIFICATE,
    CA_KEY,
    command,
    covers,
    machine_addresses,
    parse_host,
    permits,
    public_key_fingerprint,
    read_certificate,
)

DEFAULT_PORT = 6697


def reach_of(config: Config, certs: Path, host: str = "", port: int = DEFAULT_PORT) -> Reach:
    """The address for links, and the pin of the certificate in `certs`.

    `host` and `port` are where the server listens, "" for all addresses; what is configured goes before that.

    A certificate of our own CA is pinned; another one the system vouches for, and its key may change.
    """
    certificate = certs / "server.pem"
    configured, at_port = _split(config.server.public_address, port)
    host = configured or host
    try:
        host = host or _own_host(certificate)
        ours = (certs / "ca.pem").exists()
        pin = public_key_fingerprint(certificate.read_bytes()) if ours else ""
        ca = (certs / "ca.pem").read_text() if ours else ""
        sha1 = read_certificate(certificate).fingerprint(hashes.SHA1()).hex()  # noqa: S303 - a client shows this
        covered = covers(certificate, host)
    except (CertificateError, OSError):
        return Reach(f"{host or 'localhost'}:{at_port}", "", "There is no certificate yet; start the server once")
    address = f"[{host}]:{at_port}" if ":" in host else f"{host}:{at_port}"
    trouble = ""
    if not covered:
        trouble = f"The certificate does not cover {host}. {how_to_cover(certs, [host])}"
    return Reach(address, pin, trouble, ca, sha1)


def how_to_cover(certs: Path, hosts: Sequence[str]) -> str:
    """What to do where the certificate in `certs` is not for these hosts. Raises CertificateError."""
    options = "".join(f" --host {host}" for host in hosts)
    if not all((certs / name).exists() for name in (CA_CERTIFICATE, CA_KEY)):
        return f"Put a certificate for {', '.join(hosts)} into {certs}, then send the server SIGHUP"
    ca = read_certificate(certs / CA_CERTIFICATE)
    if all(permits(ca, parse_host(host)) for host in hosts):
        return f"Run {command('renew', certs, options)}, then send the server SIGHUP"
    anew = command("create", certs, f"{options} --force")
    return (
        f"Run {anew}, then send the server SIGHUP (it has another key then: links and fingerprints that were "
        "handed out before are worth nothing)"
    )


def host_of(address: str) -> str:
    """The host in `[server] public_address`, "" where none is configured."""
    return _split(address, DEFAULT_PORT)[0]


def _split(address: str, port: int) -> tuple[str, int]:
    """Host ("" where none is configured) and port."""
    host, colon, at_port = address.rpartition(":")
    if not colon or address.endswith("]"):
        return address.strip("[]"), port
    return host.strip("[]"), int(at_port)


def _own_host(certificate: Path) -> str:
    """What the others on this network can use: an address of this machine, else its name, else `localhost`."""
    private = sorted(
        (one for one in machine_addresses() if one.version == 4 and one.is_private and not one.is_loopback), key=str
    )
    for host in (*map(str, private), socket.gethostname()):
        if covers(certificate, host):
            return host
    return "localhost"
