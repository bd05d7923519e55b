"""One-time codes as people read and type them: random characters, and one that guards against mistyping."""

from __future__ import annotations

import hashlib

from secure_chat.protocol.message import Secret

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letter that looks like a digit."""
RANDOM_CHARACTERS = 26
"""130 random bits."""
GROUPS = (5, 5, 5, 6, 6)
_ALIKE = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})


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
