"""Devices: named, revocable credentials of an account (design §6). Of a token of 256 bits its SHA-256 is kept."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field

DEVICES_LIMIT = 32
"""Devices of one account."""
NAME_LIMIT_CHARACTERS = 30
SEEN_AGAIN_US = 600 * 1_000_000
"""How old the note of a device's login must be before a new one is written."""
_NAME = re.compile(rf"\w[\w.-]{{0,{NAME_LIMIT_CHARACTERS - 1}}}")


@dataclass(frozen=True, slots=True)
class Device:
    """A device. A value: a change is a new one. `address` is where it was last seen from, at `seen_us`."""

    digest: bytes = field(repr=False)
    account_id: int
    name: str
    made_us: int
    seen_us: int = 0
    address: str = ""

    @property
    def folded(self) -> str:
        """What makes the name unique in its account."""
        return fold_device(self.name)


def is_device_name(text: str) -> bool:
    """Whether a device can be called so: letters, digits, `_`, `.` and `-`, at most NAME_LIMIT_CHARACTERS."""
    return _NAME.fullmatch(text) is not None


def fold_device(name: str) -> str:
    """What two spellings of a device's name have in common."""
    return name.casefold()


def token_digest(token: str) -> bytes:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).digest()
