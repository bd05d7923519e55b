"""Sees every line that clients get, and knows which of them may not have come."""

from __future__ import annotations

from collections.abc import Iterable

import apsw

from tests.conversation.house import House
from tests.conversation.wire import Client, Seen

ROOM_COMMANDS = {"JOIN", "PART", "KICK", "TOPIC", "MODE"}


def said(seen: Seen) -> str:
    """What was said, without the time that a replay puts before it."""
    return seen.params[-1].rpartition("] ")[2]


class Witness:
    """Looks again and again, after each act; `private` and `proven` are told to it, the rest it finds."""

    def __init__(self, house: House, names: Iterable[str]) -> None:
        self.house = house
        self.reader = apsw.Connection(str(house.path))
        self.private: dict[str, tuple[str, str]] = {}
        """What was said in private: by whom, to whom."""
        self.heard: dict[str, set[str]] = {name: set() for name in names}
        """What of it has come, by name."""
        self.given: dict[int, set[str]] = {}
        """What was said to each client."""
        self.proven: dict[tuple[str, str | None], set[str]] = {}
        """What devices have shown to have: it must not come again."""
        self._looked_at: dict[int, int] = {}
        self._could_see: dict[str, set[int]] = {}
        self._sequences: dict[tuple[int, int], int] = {}

    def look(self) -> None:
        """Look at each line that came since the last time."""
        hub = self.house.hub
        memberships = {
            account.folded: hub.rooms_of.get(account.id, set()).copy() for account in hub.accounts.values()
        }
        for client in self.house.clients.values():
            for seen in client.all[self._looked_at.get(client.id, 0) :]:
                self._check(client, seen, memberships)
            self._looked_at[client.id] = len(client.all)
        self._could_see = memberships

    def _check(self, client: Client, seen: Seen, memberships: dict[str, set[int]]) -> None:
        """One line that a client got: as a member before or after the act."""
        hub, own = self.house.hub, client.name.casefold()
        sender = seen.source.partition("!")[0]
        if seen.command in {"PRIVMSG", "NOTICE", "TAGMSG"} and sender.casefold() in hub.account_ids:
            assert not hub.ignores(self._account_id(own), self._account_id(sender)), seen.text
        if seen.command in {"PRIVMSG", "NOTICE"} and seen.params[0].startswith("#"):
            if sender.casefold() in hub.account_ids:
                self._check_was_member(own, said(seen))
        elif seen.command in {"TAGMSG", *ROOM_COMMANDS} and seen.params[0].startswith("#"):
            room_id = hub.room_ids[seen.params[0].casefold()]
            assert room_id in memberships[own] | self._could_see.get(own, set()), seen.text
        elif seen.command == "PRIVMSG":
            assert own in (seen.params[0].casefold(), sender.casefold()), seen.text
            said_by, said_to = self.private[said(seen)]
            assert (said_by, said_to.casefold()) == (sender.casefold(), seen.params[0].casefold())
            self.heard[client.name].add(said(seen))
        if seen.command == "PRIVMSG":
            self._check_stored(client, seen)

    def _check_was_member(self, own: str, text: str) -> None:
        """Who is told what is said in a room was a member when it was said."""
        sql = (
            "SELECT 1 FROM message AS m JOIN conversation AS c ON c.id = m.conversation_id JOIN membership AS s"
            " ON s.room_id = c.room_id WHERE m.text = ? AND s.account_id = ? AND m.sequence >= s.from_sequence"
            " AND m.sequence <= coalesce(s.until_sequence, m.sequence)"
        )
        assert self.reader.execute(sql, (text, self._account_id(own))).fetchone() is not None, text

    def device_of(self, client: Client) -> tuple[str, str | None]:
        """By what the server knows the device of a client that is here."""
        return client.name.casefold(), self.house.hub.sessions[client.id].device

    def _check_stored(self, client: Client, seen: Seen) -> None:
        """It is on disk; and posts of a room come in the order of their sequence."""
        sql = "SELECT conversation_id, sequence, recipient_id FROM message WHERE text = ?"
        ((conversation, sequence, recipient),) = self.reader.execute(sql, (said(seen),))
        if client.id in self.house.hub.sessions:
            device = self.device_of(client)
            assert said(seen) not in self.proven.get(device, set()), "given again after it was proven"
            self.given.setdefault(client.id, set()).add(said(seen))
        if recipient is None:
            assert self._sequences.get((client.id, conversation), 0) < sequence
            self._sequences[client.id, conversation] = sequence

    def _account_id(self, name: str) -> int:
        return self.house.hub.account_ids[name.casefold()]
