"""What leaves the rules once a tick is on disk: values that `server` turns into bytes and calls."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from msgspec import Struct

from secure_chat.chat.history import MissedQuery, Question
from secure_chat.protocol.capabilities import Profile
from secure_chat.protocol.message import Message, Secret
from secure_chat.protocol.relay import Relayed


class ToSession(Struct, frozen=True):
    """Lines for one session. In answer to its own command they carry the command's label.

    (A list, to which `Context.tell` adds: a greeting is twenty lines.)
    """

    session_id: int
    lines: list[Message | Relayed]


class ToSessions(Struct, frozen=True):
    """One thing told to several sessions, each in its form."""

    session_ids: tuple[int, ...]
    line: Relayed


class ToRoom(Struct, frozen=True):
    """One thing told to every enrolled session of a room but those in `skip`."""

    room_id: int
    line: Relayed
    skip: Collection[int] = ()


class Enrol(Struct, frozen=True):
    """From here on the session gets what is told to the room."""

    session_id: int
    room_id: int


class Withdraw(Struct, frozen=True):
    """From here on the session gets nothing more of the room."""

    session_id: int
    room_id: int


class Reprofile(Struct, frozen=True):
    """From here on the session sees this form of what is relayed."""

    session_id: int
    profile: Profile


class Welcomed(Struct, frozen=True):
    """The session is registered: its registration deadline ends, and it asks about `rooms` rooms at once."""

    session_id: int
    rooms: int


class Hangup(Struct, frozen=True):
    """Close the session's connection after what was sent; `reason` goes to the log."""

    session_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class CheckPassword:
    """Ask the pool whether the password is that of the account; its answer comes as `PasswordChecked`.

    `stored` is the hash to check against, None where there is no such account (it takes as long).
    `new_password` is to be hashed if the check succeeds. `device` is what the login calls the device.
    """

    session_id: int
    purpose: str
    identity: str
    address: str
    account_id: int | None
    epoch: int
    known: bool
    password: Secret = field(repr=False)
    stored: str | None = field(repr=False)
    new_password: Secret | None = field(default=None, repr=False)
    label: str | None = None
    device: str | None = None


@dataclass(frozen=True, slots=True)
class HashPassword:
    """Ask the pool for the hash of a new password; its answer comes as `PasswordHashed`."""

    session_id: int
    purpose: str
    address: str
    password: Secret = field(repr=False)
    label: str | None = None

    @property
    def known(self) -> bool:
        """Whether the account and the address logged in together before: strangers wait for members."""
        return False


class ReadHistory(Struct, frozen=True):
    """Ask a reader what was said before; its answer comes as `HistoryRead`, encoded for this profile."""

    session_id: int
    question: Question
    profile: Profile
    batch: bool
    label: str | None = None


class ReadMissed(Struct, frozen=True):
    """Ask a reader for the next page of what a session missed; its answer comes as `MissedRead`.

    `ids` are those found before and not given yet; None to look for them.
    """

    session_id: int
    query: MissedQuery
    ids: tuple[int, ...] | None
    profile: Profile
    batch: bool


@dataclass(frozen=True, slots=True)
class Encoded:
    """Lines for one session, encoded already: with them it has everything up to `message_id` (0: says nothing)."""

    session_id: int
    data: bytes = field(repr=False)
    message_id: int = 0


Job = CheckPassword | HashPassword | ReadHistory | ReadMissed


class MoreTime(Struct, frozen=True):
    """The session has so long, from now on, to log in."""

    session_id: int
    seconds: float


class PageOnDrain(Struct, frozen=True):
    """Go on with the session's replay when little is pending for it."""

    session_id: int


class LogLine(Struct, frozen=True):
    """Something for the owner's log: an event's name and its facts; never a message's text."""

    event: str
    facts: tuple[tuple[str, str | int], ...] = ()


Delivery = (
    ToSession
    | ToSessions
    | ToRoom
    | Enrol
    | Withdraw
    | Reprofile
    | Welcomed
    | Hangup
    | CheckPassword
    | HashPassword
    | ReadHistory
    | ReadMissed
    | Encoded
    | MoreTime
    | PageOnDrain
    | LogLine
)
