"""One-time codes: the owner's, invitations, resets, recovery. Only their digests are kept (design §6)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

KEPT_AFTER_US = 30 * 86_400 * 1_000_000
"""How long a dead code is remembered, so that whoever comes with it is told what has become of it."""
OWNER_SECONDS = 86_400
RESET_SECONDS = 86_400
RECOVERY_SECONDS = 50 * 365 * 86_400
RECOVERY_CODES = 10
CODES_LIMIT = 20_000
"""Codes kept at the same time."""


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
