"""What workers are asked to do, and what they tell: values that cross between threads."""

from __future__ import annotations

import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from msgspec import Struct

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


class Send(Struct, frozen=True):
    """Send these bytes to one connection. With them it has everything up to `message_id`; 0 says nothing."""

    connection_id: int
    data: bytes
    message_id: int = 0


class SendEach(Struct, frozen=True):
    """Send to several connections, to each in its form. `message_id` as in Send."""

    connection_ids: tuple[int, ...]
    variants: Variants
    message_id: int = 0


class Publish(Struct, frozen=True):
    """Send to all subscribers of a topic but those in `skip`. `message_id` as in Send."""

    topic: int
    variants: Variants
    skip: Collection[int] = ()
    message_id: int = 0


class Subscribe(Struct, frozen=True):
    """From here on the connection gets what is published to the topic."""

    connection_id: int
    topic: int


class Unsubscribe(Struct, frozen=True):
    """From here on it does not."""

    connection_id: int
    topic: int


class SetForm(Struct, frozen=True):
    """From here on the connection sees this form of what is published."""

    connection_id: int
    form: int


class Authenticated(Struct, frozen=True):
    """The connection has logged in: its deadline ends, and it gets points for asking about each room it is in."""

    connection_id: int
    rooms: int


class MoreTime(Struct, frozen=True):
    """The connection has so long, from now on, to log in."""

    connection_id: int
    seconds: float


class Hold(Struct, frozen=True):
    """Do not read from the connection until Release: an answer to it is being worked on."""

    connection_id: int


class Release(Struct, frozen=True):
    """Read again."""

    connection_id: int


class TellDrained(Struct, frozen=True):
    """Report Drained when little is pending for the connection."""

    connection_id: int


class Close(Struct, frozen=True):
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


class Opened(Struct, frozen=True):
    """A connection has finished its handshake."""

    connection_id: int
    address: str
    exempt: bool


class Received(Struct, frozen=True):
    """A line has come; or, in its place, what was wrong with it."""

    connection_id: int
    line: Message | ProtocolError


class Lost(Struct, frozen=True):
    """A connection that had been Opened is gone."""

    connection_id: int
    reason: str


class Drained(Struct, frozen=True):
    """Little is pending for the connection."""

    connection_id: int


class Proven(Struct, frozen=True):
    """The peer has shown that it has received everything up to `message_id`."""

    connection_id: int
    message_id: int


Report = Opened | Received | Lost | Drained | Proven
