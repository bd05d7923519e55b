"""What the rules ask of storage and of chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from secure_chat.chat.accounts import Account
from secure_chat.chat.codes import Code
from secure_chat.chat.devices import Device
from secure_chat.chat.effects import Durable
from secure_chat.chat.forgetting import Forgetting
from secure_chat.chat.history import MissedQuery
from secure_chat.chat.messages import PostId, StoredMessage
from secure_chat.chat.positions import Position
from secure_chat.chat.rooms import Ban, Role, RoomRecord
from secure_chat.errors import StorageError
from secure_chat.protocol.message import Secret
from secure_chat.protocol.relay import Relayed


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The durable state: what `Hub.load` begins with."""

    accounts: Sequence[Account] = ()
    rooms: Sequence[RoomRecord] = ()
    members: Sequence[tuple[int, int, Role]] = ()
    """(room, account, role)"""
    bans: Sequence[tuple[int, Ban]] = ()
    invitations: Sequence[tuple[int, int]] = ()
    """(room, account)"""
    room_mutes: Sequence[tuple[int, int, int]] = ()
    """(room, account, until when)"""
    codes: Sequence[Code] = ()
    devices: Sequence[Device] = ()
    ignores: Sequence[tuple[int, int]] = ()
    """(who ignores, whom)"""
    markers: Sequence[tuple[int, int, int]] = ()
    """(account, `other_end` of the conversation, up to when it has read, in ms)"""
    positions: Sequence[tuple[int, str, Position]] = ()
    """(account, device, up to where it has received)"""
    last_us: int = 0
    """The time of the last message, in µs since 1970 UTC."""
    last_id: int = 0
    """Its number."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """An administrative act as it was recorded. `time_us` is µs since 1970 UTC."""

    time_us: int
    actor: str
    act: str
    subject: str
    detail: str


class AlreadyPosted(Exception):
    """The post's id is known and its content is the same; `first` is what was stored then (without its sequence and
    tags, where the message itself is gone).
    """

    def __init__(self, first: StoredMessage) -> None:
        super().__init__("already posted")
        self.first = first


class PostIdReused(Exception):
    """The post's id is known, with another content."""


class Conflict(StorageError):
    """A constraint of the store is in the way of this command alone; nothing of it was kept."""


class StoreFailed(StorageError):
    """The store did not work; what has become of the tick is unknown until `recover` says so."""


class Store(Protocol):
    """Storage, as the dispatcher uses it: `stage` for each command of a tick, then `commit` once."""

    def load(self) -> Snapshot:
        """The durable state. Raises StoreFailed."""

    def stage(self, effects: Sequence[Durable]) -> int:
        """Do one command's effects, all or none, in the tick's transaction; nothing is on disk yet.

        The number of the last message among them, 0 where there is none: later messages have greater numbers.
        Raises AlreadyPosted, PostIdReused, Conflict (the tick goes on) or StoreFailed (the tick is lost). A message
        by itself may be written no sooner than with `commit`: nothing of it can be in conflict but its post id,
        unless by a bug of ours, and that costs the tick.
        """

    def commit(self) -> None:
        """Write and sync to disk what the tick has staged; nothing to do where nothing was. Raises StoreFailed."""

    def recover(self) -> bool:
        """After StoreFailed: reopen everything; whether the failed tick is on disk. Raises StoreFailed."""

    def posted(self, account_id: int, post_id: PostId) -> StoredMessage | None:
        """What an account has posted with this id and this content, where it is still kept. Raises StoreFailed."""

    def missed(self, query: MissedQuery, at_most: int) -> list[Relayed] | None:
        """What the query asks for, without its limit, those of the tick included, oldest first; None where it is
        more than `at_most`. Raises StoreFailed.
        """

    def logged_in_from(self, account_id: int, address: str, since_us: int) -> bool:
        """Whether the account logged in from the address since then. Raises StoreFailed."""

    def audited(self, limit: int, since_us: int) -> list[AuditEntry]:
        """The last administrative acts since then, the oldest first. Raises StoreFailed."""

    def to_forget(self, before_us: int, now_us: int) -> Forgetting | None:
        """What the next step of forgetting is about, where messages from before `before_us` are too old (µs since
        1970 UTC, as `now_us`); None where nothing is left. Raises StoreFailed.
        """

    def keeps_up(self) -> bool:
        """Whether a step of forgetting may come: not while much that was written is still to be put in its place.
        Never waits: that begins, in another thread, when this is asked.
        """

    def files_are_clean(self) -> bool:
        """Whether the files hold nothing of what was forgotten. Never waits: what can be done about it begins when
        this is asked, in another thread.
        """


class Ids(Protocol):
    """Where new ids come from: unique, and not to be guessed."""

    def msgid(self) -> str:
        """A new message id: letters, digits, `-`, `_`."""

    def number(self) -> int:
        """A new positive id of 63 bits, for an account or a room."""

    def code(self) -> Secret:
        """A new one-time code of 130 random bits, as people get it."""

    def token(self) -> Secret:
        """A new device token of 256 random bits."""
