"""What the owner reads when the server is ready: how people can reach it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from secure_chat.server.certificates import (
    covers,
    create,
    describe,
    machine_addresses,
    public_key_fingerprint,
)
from secure_chat.server.owner_code import OwnerCode

if TYPE_CHECKING:
    from secure_chat.server.app import Server


def ensure_certificates(certs: Path, host: str) -> Iterator[str]:
    """Make a certificate where there is none, also for `host` if that is not ""; what to tell the owner. Raises
    CertificateError.
    """
    if not (certs / "server.pem").exists() and not (certs / "server.key").exists():
        made = create(certs, [host] if host else [], now=datetime.now(UTC))
        yield f"Made a certificate in {made.directory}, valid until {made.valid_until:%Y-%m-%d}."


def ready_text(server: Server, owner: OwnerCode | None) -> str:
    """Addresses, fingerprint, and what to do next where there is no administrator yet."""
    certificate = server.certs / "server.pem"
    lines = ["Secure Chat is ready. People can connect to:"]
    for host, port in _reachable(server.sockets):
        covered = "" if covers(certificate, host) else "   (not covered by the certificate)"
        shown = f"[{host}]" if ":" in host else host
        lines.append(f"  {shown}:{port}{covered}")
    lines.append(f"Fingerprint of the certificate's key: {public_key_fingerprint(certificate.read_bytes())}")
    if (server.certs / "ca.pem").exists():
        until = describe(server.certs).valid_until
        lines.append(
            f"Valid until {until:%Y-%m-%d}; hand {server.certs / 'ca.pem'} or the fingerprint to your people."
        )
    if owner is not None:
        lines += owner.text()
    return "\n".join(lines)


def _reachable(sockets: list[socket.socket]) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    for sock in sockets:
        host, port = sock.getsockname()[:2]
        if host in ("0.0.0.0", "::"):  # noqa: S104 - only compared
            version = 6 if host == "::" else 4
            hosts = [str(address) for address in sorted(machine_addresses(), key=str) if address.version == version]
            if version == 4:
                hosts = ["localhost", *hosts, socket.gethostname()]
        else:
            hosts = [host]
        found += [(name, port) for name in hosts]
    return list(dict.fromkeys(found))
