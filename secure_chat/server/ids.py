"""Ids from the system's randomness: implements `chat.ports.Ids`."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode

from secure_chat.protocol.codes import ALPHABET, RANDOM_CHARACTERS, write_code
from secure_chat.protocol.message import Secret
from secure_chat.protocol.sasl import TOKEN_PREFIX

MSGID_BYTES, MSGID_CHARACTERS = 15, 20
MSGIDS_AHEAD = 64
"""Made of one piece of randomness: to ask the system for each was a twentieth of what a post costs."""


class RandomIds:
    """Dispatcher thread only."""

    def __init__(self) -> None:
        self._ahead = ""

    def msgid(self) -> str:
        """120 random bits in 20 characters."""
        if not self._ahead:
            self._ahead = urlsafe_b64encode(secrets.token_bytes(MSGID_BYTES * MSGIDS_AHEAD)).decode()
        msgid, self._ahead = self._ahead[:MSGID_CHARACTERS], self._ahead[MSGID_CHARACTERS:]
        return msgid

    def number(self) -> int:
        """63 random bits, never 0."""
        return secrets.randbits(63) or 1

    def code(self) -> Secret:
        """130 random bits, and a character that guards against mistyping."""
        return write_code("".join(secrets.choice(ALPHABET) for _ in range(RANDOM_CHARACTERS)))

    def token(self) -> Secret:
        """256 random bits."""
        return Secret(TOKEN_PREFIX + secrets.token_urlsafe(32))
