"""SASL over IRC (IRCv3 `sasl-3.2`) and the PLAIN mechanism (RFC 4616)."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field

from secure_chat.errors import ProtocolError
from secure_chat.protocol.message import Secret

CHUNK_BYTES = 400
"""A chunk of exactly this length is followed by another (`sasl-3.1`, "The AUTHENTICATE command")."""
PAYLOAD_LIMIT_BYTES = 4096
"""Longest payload taken, still in base64."""
PASSWORD_LIMIT_BYTES = 1024
"""Longest password taken, in UTF-8."""
MECHANISMS = ("PLAIN",)
TOKEN_PREFIX = "sct1_"  # noqa: S105 - what a device's token begins with, not one of them


class SaslError(ProtocolError):
    """The payload is not what the mechanism asks for."""


class SaslTooLong(SaslError):
    """The payload, or one chunk of it, is too long (numeric 905)."""


def is_token(password: str) -> bool:
    """Whether what comes as a password can only be a device's token."""
    return password.startswith(TOKEN_PREFIX)


@dataclass(frozen=True, slots=True)
class Chunks:
    """The chunks of a payload so far. A value: `add` gives the next state."""

    text: Secret = field(default_factory=Secret, repr=False)

    def add(self, chunk: str) -> Chunks | bytes:
        """The next state, or the whole payload decoded when this chunk was the last.

        A chunk of `+` is an empty one. Raises SaslTooLong, SaslError.
        """
        shown = chunk.reveal() if isinstance(chunk, Secret) else chunk
        if len(shown) > CHUNK_BYTES:
            text = f"A SASL chunk may have {CHUNK_BYTES} bytes"
            raise SaslTooLong(text)
        whole = self.text.reveal() + ("" if shown == "+" else shown)
        if len(whole) > PAYLOAD_LIMIT_BYTES:
            text = "The SASL message is too long"
            raise SaslTooLong(text)
        if len(shown) == CHUNK_BYTES:
            return Chunks(Secret(whole))
        try:
            return base64.b64decode(whole, validate=True)
        except (binascii.Error, ValueError):
            text = "The SASL message is not base64"
            raise SaslError(text) from None


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who wants to be let in: an identity (`alice`, `alice@laptop`) and a password.

    Neither is shown: a one-time code may be part of the identity.
    """

    identity: str = field(repr=False)
    password: Secret = field(repr=False)


def parse_plain(payload: bytes) -> Credentials:
    """Parse `[authzid] NUL authcid NUL passwd` (RFC 4616, section 2).

    Acting for somebody else is not possible: authzid must be empty or authcid. Raises SaslError.
    """
    try:
        parts = payload.decode().split("\0")
    except UnicodeDecodeError:
        text = "SASL PLAIN must be UTF-8"
        raise SaslError(text) from None
    if len(parts) != 3 or not parts[1] or not parts[2]:
        text = "SASL PLAIN needs a name and a password"
        raise SaslError(text)
    authzid, authcid, password = parts
    if authzid not in ("", authcid):
        text = "SASL PLAIN cannot log in as somebody else"
        raise SaslError(text)
    if len(password.encode()) > PASSWORD_LIMIT_BYTES:
        text = f"A password may have {PASSWORD_LIMIT_BYTES} bytes"
        raise SaslTooLong(text)
    return Credentials(authcid, Secret(password))


def encode_plain(identity: str, password: str) -> list[str]:
    """The chunks that a client sends after `AUTHENTICATE PLAIN`."""
    return encode_chunks(f"{identity}\0{identity}\0{password}".encode())


def encode_chunks(payload: bytes) -> list[str]:
    """A payload in base64, cut into chunks; a last chunk of full length is followed by `+`."""
    text = base64.b64encode(payload).decode()
    chunks = [text[i : i + CHUNK_BYTES] for i in range(0, len(text), CHUNK_BYTES)]
    if not chunks or len(chunks[-1]) == CHUNK_BYTES:
        chunks.append("+")
    return chunks


def parse_pass(text: Secret) -> Credentials:
    """Parse what PASS was given: `account:password`. Raises SaslError."""
    identity, colon, password = text.reveal().partition(":")
    if not (identity and colon and password):
        wanted = "The server password must be of the form account:password"
        raise SaslError(wanted)
    return Credentials(identity, Secret(password))


@dataclass(frozen=True, slots=True)
class Identity:
    """Who says to be who: an account's name, perhaps a device's, perhaps a one-time code."""

    name: str
    device: str | None = None
    code: Secret | None = field(default=None, repr=False)


def parse_identity(identity: str) -> Identity:
    """Parse `alice`, `alice@laptop`, `alice/invite=CODE` or `alice@laptop/invite=CODE`; any word may stand for
    `invite`.
    """
    whole, slash, query = identity.partition("/")
    _, equals, code = query.partition("=")
    name, _, device = whole.partition("@")
    return Identity(name, device or None, Secret(code) if slash and equals and code else None)
