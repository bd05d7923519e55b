"""Up to where each device of an account has received what was said, and what it is given of what it missed.

Message ids grow in the order in which ticks are committed, and a session gets what it is to get in that order; so
one id stands for all conversations. A device is what a token was given to, or what the login names as in
`alice@laptop`; a session that says neither is known by its USER name and the capabilities it asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from secure_chat.chat.devices import Device, fold_device, is_device_name
from secure_chat.protocol.capabilities import Capability

POSITIONS_LIMIT = 64
"""Devices of one account whose positions are kept; then the one that has not moved for longest is forgotten."""
WRITE_SECONDS = 10
"""A device's position is written at most once in this time; between, it is in memory."""
WRITTEN_AT_ONCE = 256
"""Positions written in one tick."""
COUNTED_MESSAGES = 1_000
"""How many more of a conversation than may be given are counted: to count them all could take long."""
LAST_PAGE_MESSAGES = 64
"""So many that came while a replay was read are given at its end, within the tick; more are read like the rest."""
CAUGHT_UP_LIMIT_MESSAGES = 10_000
"""Messages of one conversation, said while a replay was on its way, that are given at its end."""


@dataclass(frozen=True, slots=True)
class Position:
    """Everything up to this message has reached the device; it moved there at `time_us` (µs since 1970 UTC)."""

    message_id: int
    time_us: int


@dataclass(frozen=True, slots=True)
class Replay:
    """What a session is still to be given before it gets what is said now.

    `after_id`: what is missed lies beyond this message, but not beyond `until_id`, the last one when the session
    came. `ids`: of what was found, those not given yet, the oldest first; None before it was looked for. `late`:
    this is no longer what was missed, but what is said since, and looks as what is said now. `asked`: a reader is
    at it. `failures`: how often in succession it could not be read.
    """

    after_id: int
    until_id: int = 0
    ids: tuple[int, ...] | None = None
    late: bool = False
    asked: bool = False
    failures: int = 0


def device_key(token: Device | None, named: str | None, user: str, capabilities: Iterable[Capability]) -> str:
    """What the device of a session is known by: its name, or, after a `~`, something made of what else is known."""
    if token is not None:
        return token.folded
    if named is not None:
        folded = fold_device(named)
        return folded if is_device_name(folded) else f"~~{_digest(folded)}"
    return f"~{user}~{_digest(' '.join(sorted(capabilities)))}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
