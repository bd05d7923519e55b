"""One-time codes: the owner's, invitations, resets, recovery. Only their digests are kept (design §6)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from secure_chat.protocol.message import Secret

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letter that looks like a digit."""
RANDOM_CHARACTERS = 26
"""130 random bits."""
GROUPS = (5, 5, 5, 6, 6)
KEPT_AFTER_US = 30 * 86_400 * 1_000_000
"""How long a dead code is remembered, so that whoever comes with it is told what has become of it."""
OWNER_SECONDS = 86_400
RESET_SECONDS = 86_400
RECOVERY_SECONDS = 50 * 365 * 86_400
RECOVERY_CODES = 10
CODES_LIMIT = 20_000
"""Codes kept at the same time."""
_ALIKE = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})


class Purpose(StrEnum):
    """What a code is good for."""

    OWNER = "owner"
    """Makes the first administrator."""
    INVITATION = "invitation"
    """Makes an account."""
    RESET = "reset"
    """Sets a new password; made by an administrator."""
    RECOVERY = "recovery"
    """The same; made in advance by the account itself."""


@dataclass(frozen=True, slots=True)
class Code:
    """A code without the code itself. A value: a change is a new one.

    `id` is what lists show and `revoke` takes. `name`: only for somebody of this name; "" for anybody.
    `account_id`: whose password it sets. `room_id`: a room to become a member of. Times are µs since 1970 UTC.
    """

    digest: bytes
    id: str
    purpose: Purpose
    made_by: str
    made_us: int
    expires_us: int
    uses: int = 1
    uses_left: int = 1
    name: str = ""
    account_id: int | None = None
    room_id: int | None = None
    revoked: bool = False

    def trouble(self, now_us: int) -> str:
        """Why it cannot be used now; "" where it can."""
        if self.revoked:
            return "This code was revoked"
        if self.uses_left <= 0:
            return "This code has been used already"
        return "This code has expired" if now_us >= self.expires_us else ""

    def is_forgotten(self, now_us: int) -> bool:
        """Whether it has been dead for so long that it need not be kept."""
        return now_us >= self.expires_us + KEPT_AFTER_US


def write_code(digits: str) -> Secret:
    """The code as people get it, from RANDOM_CHARACTERS random characters of ALPHABET: one more guards against
    mistyping.
    """
    whole, parts, start = digits + _check_character(digits), [], 0
    for length in GROUPS:
        parts.append(whole[start : start + length])
        start += length
    return Secret("-".join(parts))


def digest_of(text: str) -> bytes | None:
    """The digest of a code as somebody typed it; None where it was mistyped: a character is missing or wrong."""
    clean = text.upper().translate(_ALIKE)
    if len(clean) != RANDOM_CHARACTERS + 1 or not set(clean) <= set(ALPHABET):
        return None
    digits, check = clean[:-1], clean[-1]
    return hashlib.sha256(digits.encode()).digest() if check == _check_character(digits) else None


def _check_character(digits: str) -> str:
    """Crockford's remainder does not fit 32 characters; a digest's first bits do as well."""
    return ALPHABET[hashlib.sha256(b"check" + digits.encode()).digest()[0] % len(ALPHABET)]
