"""Rooms: members, roles, modes, bans."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntFlag

from secure_chat.protocol.masks import matches
from secure_chat.protocol.modes import ModeChange

DEFAULT_FLAGS = frozenset("nt")
BANS_LIMIT = 64
"""Bans kept for one room."""
TOPIC_LIMIT_BYTES = 270
"""So that 332 fits into a line, whatever the names."""
KEY_LIMIT_BYTES = 23


class Role(IntFlag):
    """What a member is in a room: a sum, as a voice and the operator's rights are given apart.

    Compared as numbers a role at least as great may do as much.
    """

    MEMBER = 0
    VOICED = 1
    OPERATOR = 2
    FOUNDER = 4

    def prefixes(self, *, all_of_them: bool) -> str:
        """The signs in front of the name in NAMES and WHO: the highest, or all with `multi-prefix`."""
        return _ALL_SIGNS[self] if all_of_them else _SIGNS[self]

    @property
    def modes(self) -> str:
        """The letters by which MODE gives this role; "" for a plain member."""
        return _LETTERS[self]


# By the number of the role: NAMES asks for each member of a room, and flags are slow.
_ALL_SIGNS = ("", "+", "@", "@+", "@", "@+", "@", "@+")
_SIGNS = tuple(signs[:1] for signs in _ALL_SIGNS)
_LETTERS = ("", "v", "o", "ov", "o", "ov", "o", "ov")


@dataclass(frozen=True, slots=True)
class Topic:
    """A room's topic: who (the source) set it when (µs since 1970 UTC)."""

    text: str
    by: str
    time_us: int


@dataclass(frozen=True, slots=True)
class Ban:
    """Who matches the mask cannot join nor speak."""

    mask: str
    by: str
    time_us: int


@dataclass(frozen=True, slots=True)
class RoomModes:
    """A room's modes: flags (`imnst`), the key and the limit of members."""

    flags: frozenset[str] = DEFAULT_FLAGS
    key: str | None = None
    limit: int | None = None

    def changes(self, *, with_key: bool) -> Iterator[ModeChange]:
        """The MODE changes that would set these modes; the key itself is shown to members only."""
        for flag in sorted(self.flags):
            yield ModeChange(True, flag)
        if self.key is not None:
            yield ModeChange(True, "k", self.key if with_key else "*")
        if self.limit is not None:
            yield ModeChange(True, "l", str(self.limit))


@dataclass(frozen=True, slots=True)
class RoomRecord:
    """What is stored of a room itself. `name` is as shown, `folded` makes it unique.

    The founder stays the founder while away: whoever made the room operates it on coming back.
    """

    id: int
    name: str
    folded: str
    created_us: int
    founder_id: int | None = None
    topic: Topic | None = None
    modes: RoomModes = field(default_factory=RoomModes)


@dataclass(slots=True)
class Room:
    """A room. Only `chat.apply` changes it."""

    record: RoomRecord
    members: dict[int, Role] = field(default_factory=dict)
    bans: dict[str, Ban] = field(default_factory=dict)
    invited: set[int] = field(default_factory=set)
    muted: dict[int, int] = field(default_factory=dict)
    """Until when an account may not speak here, in µs since 1970 UTC."""

    @property
    def id(self) -> int:
        """The room's number in the store."""
        return self.record.id

    @property
    def name(self) -> str:
        """The name as it is shown."""
        return self.record.name

    def has(self, flag: str) -> bool:
        """Whether this flag is set."""
        return flag in self.record.modes.flags

    def bans_source(self, source: str) -> bool:
        """Whether a ban matches this `nick!user@host`."""
        return any(matches(mask, source) for mask in self.bans)
