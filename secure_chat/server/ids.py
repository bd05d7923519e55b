"""Ids from the system's randomness: implements `chat.ports.Ids`."""

from __future__ import annotations

import secrets

from secure_chat.protocol.codes import ALPHABET, RANDOM_CHARACTERS, write_code
from secure_chat.protocol.message import Secret
from secure_chat.protocol.sasl import TOKEN_PREFIX

MSGID_BYTES = 15


class RandomIds:
    """Any thread."""

    def msgid(self) -> str:
        """120 random bits in 20 characters."""
        return secrets.token_urlsafe(MSGID_BYTES)

    def number(self) -> int:
        """63 random bits, never 0."""
        return secrets.randbits(63) or 1

    def code(self) -> Secret:
        """130 random bits, and a character that guards against mistyping."""
        return write_code("".join(secrets.choice(ALPHABET) for _ in range(RANDOM_CHARACTERS)))

    def token(self) -> Secret:
        """256 random bits."""
        return Secret(TOKEN_PREFIX + secrets.token_urlsafe(32))
