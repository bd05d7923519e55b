"""Ids from the system's randomness: implements `chat.ports.Ids`."""

from __future__ import annotations

import secrets

MSGID_BYTES = 15


class RandomIds:
    """Any thread."""

    def msgid(self) -> str:
        """120 random bits in 20 characters."""
        return secrets.token_urlsafe(MSGID_BYTES)

    def number(self) -> int:
        """63 random bits, never 0."""
        return secrets.randbits(63) or 1
