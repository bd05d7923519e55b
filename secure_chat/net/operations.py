"""What workers are asked to do, and what they tell: values that cross between threads."""

from __future__ import annotations

import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from secure_chat.errors import ProtocolError
from secure_chat.protocol.message import Message

Variants = Mapping[int, bytes]
"""Encoded lines by the form that a connection is set to see; a form that is missing sees nothing."""


@dataclass(frozen=True, slots=True)
class Adopt:
    """Take over a new connection."""

    connection_id: int
    socket: socket.socket = field(repr=False)
    address: str
    exempt: bool


@dataclass(frozen=True, slots=True)
class Send:
    """Send these bytes to one connection. With them it has everything up to `message_id`; 0 says nothing."""

    connection_id: int
    data: bytes
    message_id: int = 0


@dataclass(frozen=True, slots=True)
class SendEach:
    """Send to several connections, to each in its form. `message_id` as in Send."""

    connection_ids: tuple[int, ...]
    variants: Variants
    message_id: int = 0


@dataclass(frozen=True, slots=True)
class Publish:
    """Send to all subscribers of a topic but those in `skip`. `message_id` as in Send."""

    topic: int
    variants: Variants
    skip: Collection[int] = ()
    message_id: int = 0


@dataclass(frozen=True, slots=True)
class Subscribe:
    """From here on the connection gets what is published to the topic."""

    connection_id: int
    topic: int


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """From here on it does not."""

    connection_id: int
    topic: int


@dataclass(frozen=True, slots=True)
class SetForm:
    """From here on the connection sees this form of what is published."""

    connection_id: int
    form: int


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The connection has logged in: its deadline ends, and it gets points for asking about each room it is in."""

    connection_id: int
    rooms: int


@dataclass(frozen=True, slots=True)
class MoreTime:
    """The connection has so long, from now on, to log in."""

    connection_id: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Hold:
    """Do not read from the connection until Release: an answer to it is being worked on."""

    connection_id: int


@dataclass(frozen=True, slots=True)
class Release:
    """Read again."""

    connection_id: int


@dataclass(frozen=True, slots=True)
class TellDrained:
    """Report Drained when little is pending for the connection."""

    connection_id: int


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection after what is pending was sent."""

    connection_id: int
    reason: str


Operation = (
    Adopt
    | Send
    | SendEach
    | Publish
    | Subscribe
    | Unsubscribe
    | SetForm
    | Authenticated
    | MoreTime
    | Hold
    | Release
    | TellDrained
    | Close
)


@dataclass(frozen=True, slots=True)
class Opened:
    """A connection has finished its handshake."""

    connection_id: int
    address: str
    exempt: bool


@dataclass(frozen=True, slots=True)
class Received:
    """A line has come; or, in its place, what was wrong with it."""

    connection_id: int
    line: Message | ProtocolError


@dataclass(frozen=True, slots=True)
class Lost:
    """A connection that had been Opened is gone."""

    connection_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class Drained:
    """Little is pending for the connection."""

    connection_id: int


@dataclass(frozen=True, slots=True)
class Proven:
    """The peer has shown that it has received everything up to `message_id`."""

    connection_id: int
    message_id: int


Report = Opened | Received | Lost | Drained | Proven
