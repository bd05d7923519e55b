"""The TLS settings of the server: built, tested by a handshake in memory, and only then used (design §7)."""

from __future__ import annotations

import ssl
import stat
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from secure_chat.errors import CertificateError
from secure_chat.server.certificates import CA_KEY, command, read_certificate

ALPN_PROTOCOLS = ["irc"]
HANDSHAKE_ROUNDS = 10


def build_server_context(cert: Path, key: Path, now: datetime | None = None) -> ssl.SSLContext:
    """A context that serves `cert` (leaf, then its chain) with `key`; `now` is the present time by default.

    Any thread. TLS 1.2 and up, no renegotiation, tickets or compression; ALPN "irc" for clients that ask for it.
    Before it is returned a handshake was made with it in memory. Raises CertificateError, saying what to do, where
    a file cannot be read, the pair does not belong together, or the certificate is not valid at `now`.
    """
    leaf = read_certificate(cert)
    _require_valid(leaf, cert, now or datetime.now(UTC))
    _require_key_of(leaf, cert, key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_NO_TICKET
    context.num_tickets = 0
    context.set_alpn_protocols(ALPN_PROTOCOLS)
    try:
        # The empty pass phrase keeps OpenSSL from asking for one on the terminal.
        context.load_cert_chain(cert, key, password="")
        _handshake_in_memory(context)
    except (OSError, ValueError) as error:
        text = f"{cert} and {key} cannot be used for TLS ({error}). Put a certificate chain and its key there."
        raise CertificateError(text) from error
    return context


def key_warnings(key: Path) -> list[str]:
    """A text for the log if others than its owner may read the file `key`. Any thread. Raises CertificateError."""
    try:
        mode = stat.S_IMODE(key.stat().st_mode)
    except OSError as error:
        raise _unreadable(key, error) from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO) == 0:
        return []
    return [f"{key} can be read or changed by other users (mode {mode:04o}). Close it: chmod 600 {key}"]


class ServingContext:
    """The context that new connections get, exchangeable while the server runs.

    `current` may be read by any thread at any time: it is one reference, set only to a context that was tested.
    Loading into a context that serves would break it, so `reload` builds another one; call it on one thread.
    Connections keep the context they began with.
    """

    def __init__(self, cert: Path, key: Path, now: datetime | None = None) -> None:
        """Build the first context. Raises CertificateError like `build_server_context`."""
        self._cert = cert
        self._key = key
        self._warnings: list[str] = []
        self._current = self._build(now)

    @property
    def current(self) -> ssl.SSLContext:
        """The context for the next connection. Any thread."""
        return self._current

    @property
    def warnings(self) -> list[str]:
        """What the log should say about the files of the last successful build. Any thread."""
        return self._warnings

    def reload(self, now: datetime | None = None) -> None:
        """Read the files again and serve them from now on. One thread.

        Raises CertificateError where they cannot be used; the old context then goes on serving.
        """
        self._current = self._build(now)

    def _build(self, now: datetime | None) -> ssl.SSLContext:
        context = build_server_context(self._cert, self._key, now)
        self._warnings = key_warnings(self._key)
        return context


def _require_valid(leaf: x509.Certificate, cert: Path, now: datetime) -> None:
    if now >= leaf.not_valid_after_utc:
        text = f"{cert} expired on {leaf.not_valid_after_utc:%Y-%m-%d %H:%M} UTC. "
        ours = (cert.parent / CA_KEY).exists()
        remedy = f"Renew it: {command('renew', cert.parent)}" if ours else "Put a renewed certificate there."
        raise CertificateError(text + remedy)
    if now < leaf.not_valid_before_utc:
        text = f"{cert} is valid only from {leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC. "
        raise CertificateError(text + "Set this machine's clock.")


def _require_key_of(leaf: x509.Certificate, cert: Path, key: Path) -> None:
    try:
        private = serialization.load_pem_private_key(key.read_bytes(), password=None)
    except OSError as error:
        raise _unreadable(key, error) from error
    except (ValueError, TypeError) as error:
        text = f"{key} is no private key in PEM form without a pass phrase. Put such a key there."
        raise CertificateError(text) from error
    if private.public_key() != leaf.public_key():
        text = f"{key} is not the key of {cert}. Put the two files there that were made together."
        raise CertificateError(text)


def _unreadable(key: Path, error: OSError) -> CertificateError:
    return CertificateError(
        f"{key} cannot be read ({error.strerror}). Let the server's user, and nobody else, read it."
    )


def _handshake_in_memory(server_context: ssl.SSLContext) -> None:
    """Shake hands with a client that takes any certificate. Raises ssl.SSLError where that fails."""
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.check_hostname = False
    client_context.verify_mode = ssl.CERT_NONE
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    unfinished = [client, server]
    for _ in range(HANDSHAKE_ROUNDS):
        for side in list(unfinished):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            unfinished.remove(side)
        if not unfinished:
            return
    text = "the handshake does not come to an end"
    raise ssl.SSLError(text)
