"""What of the configuration the rules need, as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from secure_chat.chat.history import Rights


class Inviter(Enum):
    """Who may invite."""

    ADMINISTRATORS = "administrators"
    EVERYONE = "everyone"


@dataclass(frozen=True, slots=True)
class Reach:
    """How people reach the server from outside, as links say it.

    `address` is `host:port`; `pin` the fingerprint of the key, "" where the system's trust is enough. `trouble`
    says why no link can be made, and what mends that; "" where it can. `ca` is the certificate (PEM) of our own
    authority and `sha1` the fingerprint of the server's certificate, for clients that want those.
    """

    address: str = "localhost:6697"
    pin: str = ""
    trouble: str = ""
    ca: str = field(default="", repr=False)
    sha1: str = ""


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
    inviter: Inviter = Inviter.ADMINISTRATORS
    reach: Reach = Reach()
    history_messages: int = 1000
    search_messages: int = 100
    history_rights: Rights = Rights.MEMBERSHIP
    replay_messages: int = 100
    """Of one conversation, to a client that cannot ask itself."""
    keep_days: int = 0
    """After how many days messages are forgotten; 0 is never."""
    grace_seconds: float = 15
    everyone_creates_rooms: bool = True
    rooms_per_account: int = 50
    sessions_per_account: int = 16
    registrations_per_address: int = 5
    minimum_characters: int = 8
    refuse_common: bool = True
    log_messages: bool = False
