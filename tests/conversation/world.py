"""A small world that keeps a log of its own: who was a member of which room when what was said.

What its people may read follows from the log alone: `may_read` is the rule in plain words (design: store), and asks
nothing of the program.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from secure_chat.chat.history import Rights
from secure_chat.chat.settings import Settings
from tests.conversation.house import House
from tests.conversation.wire import Client, Seen

POST_ID = "secure-chat.internal/post-id"
CAPABILITIES = (
    *("batch", "draft/chathistory", "draft/event-playback", "draft/read-marker", "echo-message", "message-tags"),
    *("server-time", "soju.im/search", "standard-replies", POST_ID),
)
WORD = "kettle"
"""In everything that is said."""
SAID = ("PRIVMSG", "NOTICE")


@dataclass(frozen=True)
class Entry:
    """Something that was said or done: `place` is a room's name or the two people; `present` its members then."""

    msgid: str
    time: str
    command: str
    sender: str
    place: str | frozenset[str]
    present: frozenset[str]

    @property
    def was_said(self) -> bool:
        """Whether it is a message, not something that happened beside it."""
        return self.command in SAID


class World:
    """People with a client each, and the log. One act is one tick, a second after the one before."""

    def __init__(self, path: Path, rights: Rights, *people: str, replay_messages: int = 100) -> None:
        self.rights = rights
        settings = Settings(lobby="", grace_seconds=0, history_rights=rights, replay_messages=replay_messages)
        self.house = House(path, settings)
        self.members: dict[str, set[str]] = {}
        self.was_member: dict[str, set[str]] = {}
        self.ignores: set[tuple[str, str]] = set()
        self.removed: set[str] = set()
        self.erased: set[str] = set()
        self.log: dict[str, Entry] = {}
        self._numbers = 0
        for name in people:
            self.house.add_account(name)
        self.clients = {name: self.house.log_in(name, CAPABILITIES) for name in people}

    # What people do

    def say(self, sender: str, *targets: str, command: str = "PRIVMSG") -> None:
        """Say something, with an id of its own."""
        for target in targets:
            self._numbers += 1
            text = f"@{POST_ID}=id{self._numbers} {command} {target} :the {WORD} {self._numbers}"
            assert self._act(sender, text), f"{sender} may not speak to {target}"

    def join(self, name: str, *rooms: str) -> None:
        """Become a member."""
        for room in rooms:
            self._change(name, f"JOIN {room}", room, name, comes=True)

    def part(self, name: str, room: str) -> None:
        """Leave."""
        self._change(name, f"PART {room} :bye", room, name, comes=False)

    def kick(self, by: str, room: str, name: str) -> None:
        """Put somebody out."""
        self._change(by, f"KICK {room} {name} :out", room, name, comes=False)

    def at_once(self, room: str, *acts: tuple[str, str]) -> None:
        """Several people's JOIN, PART and words in one tick. Who does the first is a member, and sees them all."""
        lines = [(name, f"{act} {room} :the {WORD}" if act in SAID else f"{act} {room}") for name, act in acts]
        self.house.work(
            [h for name, line in lines for h in self.house.received(self.clients[name], f"{line}\r\n".encode())]
        )
        witness = [seen for seen in self.clients[acts[0][0]].unread if "msgid" in seen.tags]
        assert [(seen.source.partition("!")[0], seen.command) for seen in witness] == list(acts)
        for (name, act), seen in zip(acts, witness, strict=True):
            if act == "JOIN":
                self.members[room].add(name)
                self.was_member[room].add(name)
            self._take(self.clients[acts[0][0]], seen)
            if act == "PART":
                self.members[room].discard(name)
        for client in self.clients.values():
            client.unread.clear()

    def ban(self, by: str, room: str, name: str) -> None:
        """Keep somebody out: who is banned is no member any more when he comes the next time."""
        self._act(by, f"MODE {room} +b {name}!*@*")
        self.house.vanish(self.clients[name])
        self.clients[name] = self.house.log_in(name, CAPABILITIES)
        self.members[room].discard(name)

    def do(self, name: str, line: str) -> None:
        """Anything else that a room shows."""
        self._act(name, line)

    def ignore(self, name: str, other: str) -> None:
        """See nothing more of somebody."""
        self._act(name, f"IGNORE {other}")
        self.ignores.add((name, other))

    def remove(self, name: str, *, erase: bool = False) -> None:
        """The owner removes an account, and perhaps what it said."""
        answer = self.house.ask("user remove", name=name, messages="erase" if erase else "keep")
        assert "error" not in answer, answer
        self.removed.add(name)
        for members in self.members.values():
            members.discard(name)
        if erase:
            self.erased.add(name)
            for _ in range(10):
                self.house.pass_time(1)

    def _change(self, by: str, line: str, room: str, name: str, *, comes: bool) -> None:
        members = self.members.setdefault(room, set())
        if comes:
            # Who comes sees that he comes; who goes, that he goes.
            members.add(name)
            self.was_member.setdefault(room, set()).add(name)
        assert self._act(by, line), f"{line} by {by}"
        if not comes:
            members.discard(name)

    def _act(self, name: str, line: str) -> int:
        """Send a line, and take what comes of it into the log; how much that is."""
        self.house.pass_time(1)
        self.house.say(self.clients[name], line)
        known = len(self.log)
        for client in self.clients.values():
            for seen in client.unread:
                if "msgid" in seen.tags:
                    self._take(client, seen)
            client.unread.clear()
        return len(self.log) - known

    def _take(self, client: Client, seen: Seen) -> None:
        sender, target = seen.source.partition("!")[0], seen.params[0]
        place = target if target.startswith("#") else frozenset((sender, target))
        present = self.members.get(target, set()) if isinstance(place, str) else place
        entry = Entry(seen.tags["msgid"], seen.tags["time"], seen.command, sender, place, frozenset(present))
        known = self.log.setdefault(entry.msgid, entry)
        assert known == entry
        # To get it live is a way of reading, too; its sender has the echo. That somebody who is ignored comes and
        # goes is shown: who is in a room is not what they say.
        assert client.name in {*present, sender}, f"{client.name} got {seen.text}"
        assert not entry.was_said or (client.name, sender) not in self.ignores, f"{client.name} got {seen.text}"

    # The rule

    def may_read(self, reader: str, entry: Entry) -> bool:
        """From becoming a member until leaving, or, where the owner wants that, members everything; what is said in
        private only the two.
        """
        if entry.sender in self.erased:
            return False
        if isinstance(entry.place, str) and self.rights is Rights.ROOM and reader in self.members[entry.place]:
            return True
        return reader in entry.present

    def shows(self, reader: str, entry: Entry) -> bool:
        """What clients are shown: not what is said by somebody who is ignored."""
        ignored = entry.was_said and (reader, entry.sender) in self.ignores
        return self.may_read(reader, entry) and not ignored

    def readable(self, reader: str, place: str | frozenset[str] | None = None) -> Iterator[Entry]:
        """What a client of the reader is to be shown of a place, or of all."""
        for entry in self.log.values():
            if place in (None, entry.place) and self.shows(reader, entry):
                yield entry

    def name_of(self, reader: str, place: str | frozenset[str]) -> str:
        """What a reader calls a place."""
        if isinstance(place, str):
            return place
        return next(iter(place - {reader}), reader)

    # Reading

    def ask(self, reader: str, line: str) -> list[Seen]:
        """What the server answers, without the frame of a batch."""
        client = self.clients[reader]
        self.house.say(client, line)
        answer = [seen for seen in client.unread if seen.command != "BATCH"]
        client.unread.clear()
        return answer
