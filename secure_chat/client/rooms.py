"""The rooms that the user is in, and who is online in them."""

from __future__ import annotations

from collections.abc import Iterable
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
    """All rooms we are in, found by name in any spelling, in the order in which we came into them; and the
    current one, where a typed line goes.

    `scripted`: a line never goes to another room than a script meant. Where a room is refused or taken away,
    there is no current room until the script names one.
    """

    def __init__(self, *, scripted: bool = False) -> None:
        self.scripted = scripted
        self.current: str | None = None
        self.lobby: str | None = None
        self.asked_about: set[str] = set()
        """The folded names of rooms whose people the user asked for; the answer is not here yet."""
        self._rooms: dict[str, Room] = {}
        self._joining: dict[str, tuple[str | None, str | None]] = {}

    def get(self, name: str | None) -> Room | None:
        """The room of that name, or None."""
        return self._rooms.get(fold(name)) if name else None

    def is_current(self, name: str) -> bool:
        """Whether what is typed goes to the room of that name."""
        return self.current is not None and fold(self.current) == fold(name)

    def ask_for(self, name: str, label: str | None) -> None:
        """We asked to join, with `label`. What is typed from now on is meant for that room."""
        self._joining[fold(name)] = (label, self.current)
        self.current = name

    def enter(self, name: str) -> Room:
        """We are in the room now; what was known of it is forgotten, because the server tells it anew."""
        self._joining.pop(fold(name), None)
        self._rooms[fold(name)] = Room(name)
        if self.is_current(name):
            self.current = name
        return self._rooms[fold(name)]

    def refused(self, label: str | None, about: set[str]) -> None:
        """Something was refused: what had `label`, or without one what is `about` these folded names. If that was
        to join, we are not there.
        """
        for name, (join_label, previous) in list(self._joining.items()):
            if label == join_label if label is not None else name in about:
                del self._joining[name]
                if self.is_current(name):
                    self.current = self._instead(previous)

    def about_to_leave(self, name: str) -> None:
        """We asked to leave a room: what is typed from now on is meant for another. The lobby cannot be left."""
        if self.is_current(name) and fold(self.lobby or "") != fold(name):
            self.current = self._fallback(besides=name)

    def leave(self, name: str, *, by_own_wish: bool) -> None:
        """We are no longer in the room."""
        self._rooms.pop(fold(name), None)
        if self.is_current(name):
            self.current = self._fallback() if by_own_wish else self._instead(None)

    def clear(self) -> None:
        """A new login: we are in no room until the server puts us back. The current room stays in mind."""
        self._rooms.clear()
        self._joining.clear()
        self.asked_about.clear()

    def restored(self, *, first_time: bool) -> None:
        """The server has put us back into all our rooms."""
        if self.current is not None and self.get(self.current) is None:
            self.current = self._instead(None)
        elif self.current is None and (first_time or not self.scripted):
            self.current = self._fallback()

    def names(self) -> tuple[str, ...]:
        """The rooms' names."""
        return tuple(room.name for room in self._rooms.values())

    def people(self) -> frozenset[str]:
        """Everybody who is online in one of the rooms, without marks."""
        return frozenset(name.lstrip(PREFIXES) for room in self._rooms.values() for name in room.here.values())

    def with_person(self, name: str) -> list[Room]:
        """The rooms in which that person is."""
        return [room for room in self._rooms.values() if fold(name) in room.here]

    def _instead(self, previous: str | None) -> str | None:
        """What becomes current where the current room is not to be had."""
        if self.scripted:
            return None
        return previous if self.get(previous) else self._fallback()

    def _fallback(self, besides: str = "") -> str | None:
        """The lobby, or else the first of our rooms."""
        if lobby := self.get(self.lobby):
            return lobby.name
        return next((name for name in self.names() if fold(name) != fold(besides)), None)
