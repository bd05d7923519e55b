"""What the client has to show, as values. Texts of others in them are raw: `format` makes them harmless."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto


class Kind(Enum):
    """How something was said."""

    TEXT = auto()
    ACTION = auto()
    NOTICE = auto()


class Tone(Enum):
    """What a line that nobody said is about."""

    PRESENCE = auto()
    """Somebody came, left, or changed a room."""
    ANSWER = auto()
    """Something that was asked for, or that the server wants to say."""
    REFUSED = auto()
    """Something could not be done."""
    CONNECTION = auto()
    """Connected, lost, back again."""


@dataclass(frozen=True, slots=True)
class Said:
    """Somebody said something: in a room (`place` is its name), or in private (`place` is the other person)."""

    sender: str
    text: str
    place: str
    kind: Kind = Kind.TEXT
    own: bool = False
    private: bool = False
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A line from the program or the server. `place` is the room it is about, or ""."""

    tone: Tone
    text: str
    place: str = ""
    at: datetime | None = None


Event = Said | Told


@dataclass(frozen=True, slots=True)
class View:
    """What the keyboard's thread needs to know: an immutable copy."""

    room: str | None = None
    rooms: tuple[str, ...] = ()
    people: frozenset[str] = frozenset()
    online: bool = False
