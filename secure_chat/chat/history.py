"""Questions about what was said before: values, answered from the store away from the dispatcher."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from secure_chat.chat.messages import Conversation
from secure_chat.protocol.search import Term


class Rights(Enum):
    """What a member of a room may read of it."""

    MEMBERSHIP = "membership"
    """What was said while one was a member."""
    ROOM = "room"
    """Everything, while one is a member; afterwards what was said while one was."""


@dataclass(frozen=True, slots=True)
class Point:
    """A place in a conversation: a message's id, or a time in ms since 1970 UTC."""

    msgid: str = ""
    time_ms: int = 0


class End(Enum):
    """From which end messages are taken, where there are more than may be given."""

    OLDEST = auto()
    NEWEST = auto()
    MIDDLE = auto()
    """Half before the point `after`, and the rest from it on."""


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """Messages of a conversation that `reader_id` may read, between two points that are not part of it.

    At most `limit`; `events`: also what happened in the room beside what was said. `target` is the conversation's
    name, and `act` how it was asked for, as the answer says it.
    """

    reader_id: int
    place: Conversation
    target: str
    end: End
    limit: int
    after: Point | None = None
    before: Point | None = None
    events: bool = False
    act: str = "*"


@dataclass(frozen=True, slots=True)
class TargetsQuery:
    """Conversations of `reader_id` whose last message is between two times (ms since 1970 UTC), oldest first.

    At most `limit`: those with the oldest last message, or the newest.
    """

    reader_id: int
    after_ms: int
    before_ms: int
    limit: int
    end: End = End.OLDEST


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """At most `limit` messages that `reader_id` may read and in which all `terms` are: the first ones from
    `after_ms` on, or, without that, the last ones.

    `place`: only in this conversation, whose name is `target`; `sender_id`: only of this account. The times are in
    ms since 1970 UTC; what was said at them is found too.
    """

    reader_id: int
    terms: tuple[Term, ...]
    limit: int
    place: Conversation | None = None
    target: str = ""
    sender_id: int | None = None
    after_ms: int | None = None
    before_ms: int | None = None


@dataclass(frozen=True, slots=True)
class MissedQuery:
    """What `reader_id` may read beyond the message `after_id` and has not said itself from this device.

    Of each conversation the newest `limit`. `own_private`: also what other devices of the account said in private.
    `reader` is the account's name; `host` stands in every source. `until_id`: nothing beyond this message; None
    asks for what is said while the session is there, and only behind.
    """

    reader_id: int
    reader: str
    device: str
    after_id: int
    limit: int
    rights: Rights
    host: str
    until_id: int | None
    own_private: bool


Question = HistoryQuery | TargetsQuery | SearchQuery
