"""How people reach this server from outside, as invitations say it."""

from __future__ import annotations

import socket
from pathlib import Path

from cryptography.hazmat.primitives import hashes

from secure_chat.chat.settings import Reach
from secure_chat.config import Config
from secure_chat.errors import CertificateError
from secure_chat.server.certificates import (
    command,
    covers,
    machine_addresses,
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
        renew = command("renew", certs, f" --host {host}")
        trouble = f"The certificate does not cover {host}; run {renew}, and restart the server"
    return Reach(address, pin, trouble, ca, sha1)


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
