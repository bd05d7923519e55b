"""What of the configuration the rules need, as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class RegistrationMode(Enum):
    """How accounts come to be."""

    INVITE = "invite"
    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Settings:
    """The owner's choices. `host` stands in every source; `lobby` is "" where there is none."""

    server: str = "chat.local"
    network: str = "SecureChat"
    host: str = "chat.local"
    version: str = "secure-chat"
    created: str = ""
    motd: Sequence[str] = ()
    lobby: str = "#lobby"
    quiet_members: int = 200
    registration: RegistrationMode = RegistrationMode.INVITE
    grace_seconds: float = 15
    everyone_creates_rooms: bool = True
    rooms_per_account: int = 50
    sessions_per_account: int = 16
    minimum_characters: int = 8
    refuse_common: bool = True
    log_messages: bool = False
