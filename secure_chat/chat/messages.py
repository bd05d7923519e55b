"""Messages and the conversations they belong to, as the store keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct, field

from secure_chat.protocol.message import NO_TAGS
from secure_chat.protocol.relay import Relayed

POST_ID_LIMIT_CHARACTERS = 64


class Kind(StrEnum):
    """What a stored message is."""

    POST = "post"
    NOTICE = "notice"
    JOIN = "join"
    PART = "part"
    KICK = "kick"
    TOPIC = "topic"
    MODE = "mode"
    ERASED = "erased"
    """What was said here is gone; shown nowhere."""

    @property
    def command(self) -> str:
        """The command it is relayed with."""
        return "PRIVMSG" if self is Kind.POST else self.name

    def text_of(self, params: tuple[str, ...]) -> str:
        """What is kept of the parameters it was relayed with, beside its place and its subject."""
        match self:
            case Kind.POST | Kind.NOTICE:
                return params[1]
            case Kind.KICK:
                return params[2]
            case Kind.MODE:
                return " ".join(params[1:])
            case _:
                return params[1] if len(params) > 1 else ""

    def params_of(self, target: str, subject: str, text: str) -> tuple[str, ...]:
        """The parameters again."""
        match self:
            case Kind.JOIN:
                return (target,)
            case Kind.PART:
                return (target, text) if text else (target,)
            case Kind.KICK:
                return (target, subject, text)
            case Kind.MODE:
                return (target, *text.split(" "))
            case _:
                return (target, text)


class InRoom(Struct, frozen=True):
    """The conversation of a room."""

    room_id: int


class Between(Struct, frozen=True):
    """The conversation of two accounts: who sent this message, and to whom."""

    sender_id: int
    recipient_id: int


Conversation = InRoom | Between


def other_end(account_id: int, place: Conversation) -> int:
    """What an account knows a conversation by: the room's number, or the other account's. (They are drawn from one
    pool of random numbers, so that none is both.)
    """
    if isinstance(place, InRoom):
        return place.room_id
    return place.recipient_id if place.sender_id == account_id else place.sender_id


class PostId(Struct, frozen=True):
    """The id a client made for its post, and what was posted: the same id with another digest is refused."""

    id: str
    digest: bytes


class NewMessage(Struct, frozen=True):
    """A message to be stored. `time_us` is µs since 1970 UTC; `relayed` is what people see of it.

    `subject_id` is the account that a KICK is about. `device` is that of the session that says it.
    """

    conversation: Conversation
    kind: Kind
    sender_id: int
    user: str
    relayed: Relayed
    post_id: PostId | None = None
    subject_id: int | None = None
    device: str | None = None

    @property
    def msgid(self) -> str:
        """Its globally unique id."""
        assert self.relayed.msgid is not None
        return self.relayed.msgid

    @property
    def text(self) -> str:
        """What is kept of its parameters."""
        return self.kind.text_of(self.relayed.params)


class StoredMessage(Struct, frozen=True):
    """A message read from the store. `user` is the USER name that the sender had."""

    conversation: Conversation
    sequence: int
    msgid: str
    kind: Kind
    sender_id: int
    user: str
    text: str
    time_us: int
    client_tags: Mapping[str, str] = field(default_factory=lambda: NO_TAGS)
