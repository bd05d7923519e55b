"""Devices that come and go in every way there is, and talk meanwhile; and the judge of what each was given.

None of them has `draft/chathistory`: the server gives them what they missed. Times are seconds, monotonic; chance
decides what a device does, the system's scheduling when.
"""

from __future__ import annotations

import random
import re
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from secure_chat.protocol.sasl import encode_plain
from tests.e2e.irc_client import OPEN, IrcClient

LOBBY, ROOM, OWN_ROOM = "#lobby", "#room", "#changing"
"""OWN_ROOM is one that people leave and join again."""
CAPABILITIES = (
    "sasl",
    "sasl server-time",
    "batch message-tags sasl server-time",
    "batch echo-message message-tags sasl server-time",
    "account-tag echo-message message-tags sasl server-time znc.in/self-message",
)
POLL_SECONDS = 0.05
ABORTING = struct.pack("ii", 1, 0)
"""SO_LINGER: a closed socket sends RST."""
END = "that-is-all"
SHOWN = 5
_POST = re.compile(r":([^! ]+)!\S+ PRIVMSG (\S+) :?(?:\[\S+ \S+ UTC\] )?(\S+)$")
_MOVE = re.compile(rf":([^! ]+)!\S+ (JOIN|PART) :?{OWN_ROOM}\b")
_RECEIPT = re.compile(r"PING :?(secure-chat-receipt-\d+)$")


class Said(NamedTuple):
    """A post on its way: who says it, from which device, where, and when it was sent."""

    sender: str
    device: str
    target: str
    text: str
    at: float


@dataclass
class Visit:
    """One connection: what it was shown, when, and how many of that the server knows it has."""

    shown: list[tuple[str, float]] = field(default_factory=list)
    offered: int = 0
    """So many had been shown before the question that was answered last."""
    proven: int = 0
    """The same, when a later line showed that the server has got the answer."""
    welcomed_at: float | None = None
    ended_at: float = 0.0


class Person:
    """What its devices share: when it was surely in OWN_ROOM, and when it may have left."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.stays: list[list[float]] = []
        """[since when surely, until when surely], the last one without an end while it goes on."""
        self.lock = threading.Lock()

    def joined(self, at: float) -> None:
        """Somebody saw the JOIN."""
        with self.lock:
            if not self.stays or len(self.stays[-1]) == 2:
                self.stays.append([at])

    def parts(self, at: float) -> None:
        """A PART is about to be sent."""
        with self.lock:
            if self.stays and len(self.stays[-1]) == 1:
                self.stays[-1].append(at)

    def was_in(self, since: float, until: float) -> bool:
        """Surely, all the time."""
        with self.lock:
            return any(stay[0] < since and (len(stay) == 1 or until < stay[1]) for stay in self.stays)


class Rover:
    """One device, in a thread of its own."""

    def __init__(
        self, person: Person, device: str, token: str, others: Sequence[str], chance: random.Random
    ) -> None:
        self.person, self.device, self._token, self._others, self._chance = person, device, token, others, chance
        self.capabilities = chance.choice(CAPABILITIES)
        self.answers = chance.choice((True, True, False))
        self.visits: list[Visit] = []
        self.said: list[Said] = []
        self._moves = device.endswith("0")
        """Whether this device takes its person out of OWN_ROOM, and back."""
        self._parting = False
        """It has sent a PART and not seen it happen: a JOIN that comes is from before."""

    @property
    def name(self) -> str:
        """What it is called when it is found wanting."""
        return f"{self.person.name}/{self.device}"

    def rove(self, port: int, context: ssl.SSLContext, stop: threading.Event) -> None:
        """Come, talk, and go, until it is enough."""
        while not stop.wait(self._chance.choice((0.0, 0.1, self._chance.uniform(0, 2)))):
            visit = Visit()
            try:
                client = self._come(port, context, visit)
            except OSError:  # no server just now
                continue
            try:
                self._stay(client, visit, time.monotonic() + self._chance.choice((0.2, 1.0, 4.0, 7.0)), stop)
                self._go(client, visit)
            except (OSError, EOFError):
                pass
            finally:
                client.close()
                OPEN.remove(client)
                visit.ended_at = time.monotonic()

    def come_last(self, port: int, context: ssl.SSLContext) -> None:
        """Come once more, and read everything, to END."""
        visit = Visit()
        client = self._come(port, context, visit)
        while not any(text == END for text, _ in visit.shown):
            self._note(client, visit, answers=False)
        client.send("PING all")
        while " all" not in (line := self._note(client, visit, answers=False)) or "PONG" not in line:
            continue
        client.close()
        visit.ended_at = time.monotonic()

    def _come(self, port: int, context: ssl.SSLContext, visit: Visit) -> IrcClient:
        client = IrcClient(port, None, context=context)
        name = self.person.name
        chunks = [f"AUTHENTICATE {chunk}" for chunk in encode_plain(name, self._token)]
        self.visits.append(visit)
        self._parting = False
        try:
            client.send(f"CAP REQ :{self.capabilities}", "AUTHENTICATE PLAIN", *chunks)
            client.send(f"NICK {name}", "USER rover 0 * :A rover", "CAP END")
            while not re.search(r"^\S+ (376|422) ", self._note(client, visit)):
                continue
            visit.welcomed_at = time.monotonic()
        except (OSError, EOFError) as error:
            client.close()
            OPEN.remove(client)
            visit.ended_at = time.monotonic()
            raise ConnectionError from error
        return client

    def _stay(self, client: IrcClient, visit: Visit, until: float, stop: threading.Event) -> None:
        answers = self.answers if self._chance.random() < 0.8 else not self.answers
        while time.monotonic() < until and not stop.is_set():
            if self._chance.random() < 0.3:
                self._say(client)
            if self._moves and self._chance.random() < 0.03:
                self._move(client)
            if self._chance.random() < 0.01:
                stop.wait(self._chance.uniform(0, 1))  # reads nothing meanwhile
            client.socket.settimeout(self._chance.uniform(0, POLL_SECONDS))
            try:
                while True:
                    self._note(client, visit, answers=answers)
            except TimeoutError:
                pass

    def _say(self, client: IrcClient) -> None:
        targets = (LOBBY, LOBBY, ROOM, OWN_ROOM, self._chance.choice(self._others))
        lines = []
        for _ in range(self._chance.choice((1, 1, 1, 5))):
            target = self._chance.choice(targets)
            text = f"{self.person.name}-{self.device}-{len(self.said)}"
            self.said.append(Said(self.person.name, self.device, target, text, time.monotonic()))
            lines.append(f"PRIVMSG {target} :{text}")
        client.send(*lines)

    def _move(self, client: IrcClient) -> None:
        if self._chance.random() < 0.5:
            self.person.parts(time.monotonic())
            self._parting = True
            client.send(f"PART {OWN_ROOM}")
        else:
            client.send(f"JOIN {OWN_ROOM}")

    def _go(self, client: IrcClient, visit: Visit) -> None:
        how = self._chance.choice(("quit", "quit", "drop", "abort"))
        if how == "quit":
            client.socket.settimeout(5)
            client.send("QUIT")
            while True:
                self._note(client, visit, answers=False)
        if how == "abort":
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORTING)

    def _note(self, client: IrcClient, visit: Visit, *, answers: bool = True) -> str:
        """Read a line. Raises EOFError at the end, TimeoutError where none comes."""
        line, now = client.line(), time.monotonic()
        if line is None:
            raise EOFError
        assert " NAK " not in line, line
        client.seen.clear()
        if found := _RECEIPT.search(line):
            if answers:
                visit.offered = len(visit.shown)
                client.send(f"PONG :{found[1]}", "PING proven")
        elif line.startswith("PING "):
            client.send(f"PONG {line.removeprefix('PING ')}")
        elif " PONG " in line and line.endswith("proven"):
            visit.proven = visit.offered
        elif found := _POST.search(line):
            visit.shown.append((found[3], now))
        elif self._moves and (found := _MOVE.search(line)) and found[1] == self.person.name:
            if found[2] == "PART":
                self._parting = False
            elif not self._parting:
                self.person.joined(now)
        return line


def faults(rovers: Sequence[Rover], killed_at: Sequence[float]) -> Iterator[str]:
    """What is wrong, in words. `killed_at`: when the server was killed: what it knew of proofs may be forgotten."""
    people = {rover.person.name: rover.person for rover in rovers}
    first_shown: dict[str, float] = {}
    for rover in rovers:
        for visit in rover.visits:
            for text, at in visit.shown:
                first_shown[text] = min(at, first_shown.get(text, at))
    said = [one for rover in rovers for one in rover.said if one.text in first_shown]
    texts = {one.text for one in said} | {END}
    for rover in rovers:
        shown = Counter(text for visit in rover.visits for text, _ in visit.shown)
        due = [one for one in said if _is_due(one, rover, people[rover.person.name], first_shown[one.text])]
        missing = [one for one in due if not shown[one.text]]
        yield from _told(f"{rover.name} ({rover.capabilities}) was never shown", missing, f" of {len(due)}")
        yield from _told(f"{rover.name} was shown what nobody said", shown.keys() - texts)
        yield from _repeated(rover, killed_at)


def _is_due(one: Said, rover: Rover, person: Person, shown_at: float) -> bool:
    first = next((visit.welcomed_at for visit in rover.visits if visit.welcomed_at is not None), None)
    if first is None or one.at < first:
        return False
    if (one.sender, one.device) == (person.name, rover.device):
        return False
    if one.target == OWN_ROOM:
        return person.was_in(one.at, shown_at)
    return one.target in (LOBBY, ROOM, person.name)


def _repeated(rover: Rover, killed_at: Sequence[float]) -> Iterator[str]:
    for number, visit in enumerate(rover.visits):
        once = Counter(text for text, _ in visit.shown)
        yield from _told(f"{rover.name} was shown twice in a visit", [t for t, count in once.items() if count > 1])
        proven = {text for text, _ in visit.shown[: visit.proven]}
        later = rover.visits[number + 1 : number + 2]
        for other in later:
            if any(visit.shown[0][1] < at < other.ended_at for at in killed_at if visit.shown):
                continue
            again = [text for text, _ in other.shown if text in proven]
            yield from _told(f"{rover.name} was shown again what it had proven", again)


def _told(what: str, things: Iterable[object], more: str = "") -> Iterator[str]:
    found = list(things)
    if found:
        yield f"{what}: {len(found)}{more}, such as {', '.join(map(str, [*found[:SHOWN], found[-1]]))}"
