"""What a decided command does: values, first staged in the store, then applied to the hub.

A handler returns effects and deliveries in the order in which they are to happen; applying an effect may itself
yield deliveries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from secure_chat.chat.accounts import Account
from secure_chat.chat.codes import Code
from secure_chat.chat.deliveries import Delivery
from secure_chat.chat.devices import Device
from secure_chat.chat.forgetting import Forgetting
from secure_chat.chat.messages import Conversation, NewMessage
from secure_chat.chat.positions import Position
from secure_chat.chat.rooms import Ban, Role, RoomRecord
from secure_chat.chat.sessions import Session
from secure_chat.chat.settings import Settings


@dataclass(frozen=True, slots=True)
class Append:
    """Store a message at the end of its conversation."""

    message: NewMessage


@dataclass(frozen=True, slots=True)
class AccountSet:
    """An account is new, or has changed."""

    account: Account


@dataclass(frozen=True, slots=True)
class RoomSet:
    """A room is new, or its topic or modes have changed."""

    record: RoomRecord


@dataclass(frozen=True, slots=True)
class MemberSet:
    """An account becomes a member of a room, or gets another role there."""

    room_id: int
    account_id: int
    role: Role


@dataclass(frozen=True, slots=True)
class MemberGone:
    """An account is no longer a member of a room."""

    room_id: int
    account_id: int


@dataclass(frozen=True, slots=True)
class BanSet:
    """A ban is added to a room."""

    room_id: int
    ban: Ban


@dataclass(frozen=True, slots=True)
class BanGone:
    """A ban is taken from a room."""

    room_id: int
    mask: str


@dataclass(frozen=True, slots=True)
class Invited:
    """An account may join a room whatever its modes are; `invited=False` ends it."""

    room_id: int
    account_id: int
    invited: bool = True


@dataclass(frozen=True, slots=True)
class PositionSet:
    """Where a device is, is kept."""

    account_id: int
    device: str
    position: Position


@dataclass(frozen=True, slots=True)
class PositionGone:
    """A device's position is forgotten."""

    account_id: int
    device: str


@dataclass(frozen=True, slots=True)
class LoginRemembered:
    """The account logged in from this address: strangers there do not slow it down."""

    account_id: int
    address: str
    time_us: int


@dataclass(frozen=True, slots=True)
class Audited:
    """An administrative act: who did what to whom."""

    actor: str
    act: str
    subject: str
    detail: str
    time_us: int


@dataclass(frozen=True, slots=True)
class CodeSet:
    """A code is new, or has changed."""

    code: Code


@dataclass(frozen=True, slots=True)
class CodeGone:
    """A code is forgotten."""

    digest: bytes


@dataclass(frozen=True, slots=True)
class DeviceSet:
    """A device is new, or was seen."""

    device: Device


@dataclass(frozen=True, slots=True)
class DeviceGone:
    """A device's token is worth nothing any more."""

    device: Device


@dataclass(frozen=True, slots=True)
class Ignored:
    """An account no longer sees what another says; `ignored=False` ends it."""

    account_id: int
    other_id: int
    ignored: bool = True


@dataclass(frozen=True, slots=True)
class RoomMuted:
    """An account may not speak in a room until then (µs since 1970 UTC); 0 ends it."""

    room_id: int
    account_id: int
    until_us: int


@dataclass(frozen=True, slots=True)
class ReadMarked:
    """An account has read a conversation up to a time (ms since 1970 UTC)."""

    account_id: int
    place: Conversation
    time_ms: int


@dataclass(frozen=True, slots=True)
class ErasureBegun:
    """Everything that the account said is to be erased, in steps; what else is kept of it alone goes at once."""

    account_id: int


@dataclass(frozen=True, slots=True)
class Forgot:
    """A step of forgetting. Messages from before `before_us` are too old (µs since 1970 UTC, as `now_us`)."""

    what: Forgetting
    before_us: int
    now_us: int


Durable = (
    Append
    | AccountSet
    | RoomSet
    | MemberSet
    | MemberGone
    | BanSet
    | BanGone
    | Invited
    | PositionSet
    | PositionGone
    | LoginRemembered
    | Audited
    | CodeSet
    | CodeGone
    | DeviceSet
    | DeviceGone
    | Ignored
    | RoomMuted
    | ReadMarked
    | ErasureBegun
    | Forgot
)
_DURABLE: frozenset[type] = frozenset(get_args(Durable))


@dataclass(frozen=True, slots=True)
class SessionSet:
    """A session is new, or has changed."""

    session: Session


@dataclass(frozen=True, slots=True)
class Attached:
    """A session that has authenticated joins its account's sessions: the first brings the account online."""

    session_id: int
    now_us: int


@dataclass(frozen=True, slots=True)
class SessionGone:
    """A session has ended. Without `lingers_until_us` its account, were it the last, is offline at once."""

    session_id: int
    quit_text: str
    now_us: int
    lingers_until_us: int | None = None


@dataclass(frozen=True, slots=True)
class LingeringEnded:
    """The grace after the last session of an account has passed."""

    account_id: int
    now_us: int


@dataclass(frozen=True, slots=True)
class RoomShown:
    """A session sees that it is in a room: JOIN, topic, names. `msgid`: that of the JOIN where it happens now."""

    session_id: int
    room_id: int
    time_us: int
    msgid: str | None = None


@dataclass(frozen=True, slots=True)
class MarkerShown:
    """The sessions of an account see up to where it has read; `target` is the conversation's name to it."""

    account_id: int
    place: Conversation
    target: str


@dataclass(frozen=True, slots=True)
class PositionMoved:
    """A device has received more; that is kept a little later."""

    account_id: int
    device: str
    position: Position


@dataclass(frozen=True, slots=True)
class Stored:
    """The store has numbered the messages of a command; this is the last one's number."""

    message_id: int


@dataclass(frozen=True, slots=True)
class LoginFailed:
    """A password was wrong."""

    address: str
    folded: str
    now_us: int


@dataclass(frozen=True, slots=True)
class LoginSucceeded:
    """A password was right."""

    address: str
    folded: str


@dataclass(frozen=True, slots=True)
class Registered:
    """An account was made from this address, without a code."""

    address: str
    now_us: int


@dataclass(frozen=True, slots=True)
class SettingsSet:
    """The owner's choices have changed."""

    settings: Settings


Passing = (
    SessionSet
    | Attached
    | SessionGone
    | LingeringEnded
    | RoomShown
    | MarkerShown
    | PositionMoved
    | Stored
    | LoginFailed
    | LoginSucceeded
    | Registered
    | SettingsSet
)
Effect = Durable | Passing | Delivery


def durable_of(effects: Sequence[Effect]) -> list[Durable]:
    """Those effects that the store keeps, in order."""
    return [effect for effect in effects if type(effect) in _DURABLE]  # type: ignore[misc]
