"""The rooms that the user is in, and who is online in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from secure_chat.protocol.names import fold

PREFIXES = "~&@%+"
"""Marks that the server puts in front of a name: operators and the like."""


@dataclass(slots=True)
class Room:
    """A room we are in. `here` maps a folded name to the name as shown, with its marks in front."""

    name: str
    topic: str = ""
    here: dict[str, str] = field(default_factory=dict)
    listing: dict[str, str] = field(default_factory=dict)
    announce: bool = False
    """Whether the next complete list of names is to be shown."""

    def list_names(self, names: Iterable[str]) -> None:
        """Take in one line of a list of names; `list_complete` makes the list count."""
        self.listing.update((fold(name.lstrip(PREFIXES)), name) for name in names)

    def list_complete(self) -> None:
        """The list of names is whole: it replaces what was known."""
        self.here, self.listing = self.listing, {}


class Rooms:
    """All rooms we are in, found by name in any spelling, in the order in which we came into them."""

    def __init__(self) -> None:
        self._rooms: dict[str, Room] = {}

    def __iter__(self) -> Iterator[Room]:
        return iter(self._rooms.values())

    def __len__(self) -> int:
        return len(self._rooms)

    def get(self, name: str | None) -> Room | None:
        """The room of that name, or None."""
        return self._rooms.get(fold(name)) if name else None

    def enter(self, name: str) -> Room:
        """We are in the room now; what was known of it is forgotten, because the server tells it anew."""
        self._rooms[fold(name)] = Room(name)
        return self._rooms[fold(name)]

    def leave(self, name: str) -> None:
        """We are no longer in the room."""
        self._rooms.pop(fold(name), None)

    def clear(self) -> None:
        """We are in no room."""
        self._rooms.clear()

    def names(self) -> tuple[str, ...]:
        """The rooms' names."""
        return tuple(room.name for room in self._rooms.values())

    def people(self) -> frozenset[str]:
        """Everybody who is online in one of the rooms, without marks."""
        return frozenset(name.lstrip(PREFIXES) for room in self._rooms.values() for name in room.here.values())

    def with_person(self, name: str) -> list[Room]:
        """The rooms in which that person is."""
        return [room for room in self._rooms.values() if fold(name) in room.here]
