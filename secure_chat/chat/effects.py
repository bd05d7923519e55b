"""What a decided command does: values, first staged in the store, then applied to the hub.

A handler returns effects and deliveries in the order in which they are to happen; applying an effect may itself
yield deliveries.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from msgspec import Struct

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


class Append(Struct, frozen=True):
    """Store a message at the end of its conversation."""

    message: NewMessage


class AccountSet(Struct, frozen=True):
    """An account is new, or has changed."""

    account: Account


class RoomSet(Struct, frozen=True):
    """A room is new, or its topic or modes have changed."""

    record: RoomRecord


class MemberSet(Struct, frozen=True):
    """An account becomes a member of a room, or gets another role there."""

    room_id: int
    account_id: int
    role: Role


class MemberGone(Struct, frozen=True):
    """An account is no longer a member of a room."""

    room_id: int
    account_id: int


class BanSet(Struct, frozen=True):
    """A ban is added to a room."""

    room_id: int
    ban: Ban


class BanGone(Struct, frozen=True):
    """A ban is taken from a room."""

    room_id: int
    mask: str


class Invited(Struct, frozen=True):
    """An account may join a room whatever its modes are; `invited=False` ends it."""

    room_id: int
    account_id: int
    invited: bool = True


class PositionSet(Struct, frozen=True):
    """Where a device is, is kept."""

    account_id: int
    device: str
    position: Position


class PositionGone(Struct, frozen=True):
    """A device's position is forgotten."""

    account_id: int
    device: str


class LoginRemembered(Struct, frozen=True):
    """The account logged in from this address: strangers there do not slow it down."""

    account_id: int
    address: str
    time_us: int


class Audited(Struct, frozen=True):
    """An administrative act: who did what to whom."""

    actor: str
    act: str
    subject: str
    detail: str
    time_us: int


class CodeSet(Struct, frozen=True):
    """A code is new, or has changed."""

    code: Code


class CodeGone(Struct, frozen=True):
    """A code is forgotten."""

    digest: bytes


class DeviceSet(Struct, frozen=True):
    """A device is new, or was seen."""

    device: Device


class DeviceGone(Struct, frozen=True):
    """A device's token is worth nothing any more."""

    device: Device


class Ignored(Struct, frozen=True):
    """An account no longer sees what another says; `ignored=False` ends it."""

    account_id: int
    other_id: int
    ignored: bool = True


class RoomMuted(Struct, frozen=True):
    """An account may not speak in a room until then (µs since 1970 UTC); 0 ends it."""

    room_id: int
    account_id: int
    until_us: int


class ReadMarked(Struct, frozen=True):
    """An account has read a conversation up to a time (ms since 1970 UTC)."""

    account_id: int
    place: Conversation
    time_ms: int


class ErasureBegun(Struct, frozen=True):
    """Everything that the account said is to be erased, in steps; what else is kept of it alone goes at once."""

    account_id: int


class Forgot(Struct, frozen=True):
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


class SessionSet(Struct, frozen=True):
    """A session is new, or has changed."""

    session: Session


class Attached(Struct, frozen=True):
    """A session that has authenticated joins its account's sessions: the first brings the account online."""

    session_id: int
    now_us: int


class SessionGone(Struct, frozen=True):
    """A session has ended. Without `lingers_until_us` its account, were it the last, is offline at once."""

    session_id: int
    quit_text: str
    now_us: int
    lingers_until_us: int | None = None


class LingeringEnded(Struct, frozen=True):
    """The grace after the last session of an account has passed."""

    account_id: int
    now_us: int


class RoomShown(Struct, frozen=True):
    """A session sees that it is in a room: JOIN, topic, names. `msgid`: that of the JOIN where it happens now."""

    session_id: int
    room_id: int
    time_us: int
    msgid: str | None = None


class MarkerShown(Struct, frozen=True):
    """The sessions of an account see up to where it has read; `target` is the conversation's name to it."""

    account_id: int
    place: Conversation
    target: str


class PositionMoved(Struct, frozen=True):
    """A device has received more; that is kept a little later."""

    account_id: int
    device: str
    position: Position


class Stored(Struct, frozen=True):
    """The store has numbered the messages of a command; this is the last one's number."""

    message_id: int


class LoginFailed(Struct, frozen=True):
    """A password was wrong."""

    address: str
    folded: str
    now_us: int


class LoginSucceeded(Struct, frozen=True):
    """A password was right."""

    address: str
    folded: str


class Registered(Struct, frozen=True):
    """An account was made from this address, without a code."""

    address: str
    now_us: int


class SettingsSet(Struct, frozen=True):
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
