"""A whole server but for sockets and threads: the real engine on a real SQLite file, and clients in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from secure_chat.chat.deliveries import Job, ReadHistory, ReadMissed
from secure_chat.chat.hub import Hub
from secure_chat.chat.settings import Settings
from secure_chat.commands.startup import ensure_lobby
from secure_chat.errors import ProtocolError
from secure_chat.net import operations as op
from secure_chat.protocol.message import Message, parse
from secure_chat.protocol.sasl import encode_plain
from secure_chat.server.engine import Engine
from secure_chat.server.happenings import Asked, Happening
from secure_chat.server.history_pool import HistoryAnswerer
from secure_chat.server.ids import RandomIds
from secure_chat.server.jobs import work
from secure_chat.server.outcome import Outcome
from secure_chat.server.passwords import Hasher
from secure_chat.storage.history import HistoryReader
from secure_chat.storage.sqlite import SqliteStore
from tests.conversation.wire import Client
from tests.e2e.waiting import wait_for

START_US = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z."""
ADDRESS = "192.0.2.1"
HASHER = Hasher(b"p" * 32, rounds=4)
TURNS_LIMIT = 100
STEP_SECONDS = 0.1
"""Ticks in which one act has to come to rest."""


def password_of(name: str) -> str:
    """The password that accounts have here."""
    return f"{name}-password"


@cache
def hash_of(password: str) -> str:
    """Its hash: the same text each time, which is quicker."""
    return HASHER.hash(password)


class House:
    """The server. Everything that a client sends is carried out, to its end, before the call returns."""

    def __init__(self, path: Path, settings: Settings | None = None) -> None:
        self.path = path
        self.settings = settings or Settings(lobby="", grace_seconds=0)
        self.now_us = START_US
        self.clients: dict[int, Client] = {}
        self._last_id = 0
        self.start()

    def start(self) -> None:
        """Open the store and begin, with nobody connected."""
        self.store = SqliteStore(self.path)
        self.hub = Hub(self.settings)
        self.hub.load(self.store.load())
        self.engine = Engine(self.hub, self.store, RandomIds(), lambda: self.now_us)
        self.engine.run_once(ensure_lobby)
        self.engine.forgetting.begin()
        reader = HistoryReader(self.path, self.settings.host, self.settings.history_rights)
        self.history = HistoryAnswerer(reader, self.settings.server)
        self.clients = {}

    def stop(self) -> None:
        """Close the store; connections end without a word."""
        for client in self.clients.values():
            client.closed = "the server ended"
        self.store.close()

    # What clients do

    def connect(self, name: str, address: str = ADDRESS) -> Client:
        """A new connection."""
        self._last_id += 1
        client = Client(name, self._last_id)
        self.clients[client.id] = client
        self.work([op.Opened(client.id, address, False)])
        return client

    def send(self, client: Client, data: bytes) -> None:
        """Bytes from a client, as its worker would read them."""
        self.work(self.received(client, data))

    def received(self, client: Client, data: bytes) -> list[Happening]:
        """What the worker would report of these bytes; who says QUIT has received all there was."""
        reports: list[Happening] = []
        for line in client.incoming.feed(data):
            parsed = _parsed(line)
            if isinstance(parsed, Message) and parsed.command == "QUIT":
                reports.append(op.Proven(client.id, client.delivered_id))
            reports.append(op.Received(client.id, parsed))
        return reports

    def prove(self, client: Client) -> None:
        """A client shows that it has received everything up to now."""
        self.work([op.Proven(client.id, client.delivered_id)])

    def say(self, client: Client, *lines: str) -> None:
        """Whole lines from a client, in one tick."""
        self.send(client, "".join(f"{line}\r\n" for line in lines).encode())

    def vanish(self, client: Client, reason: str = "Connection reset") -> None:
        """The connection is lost without a word."""
        self._end(client, reason)
        self.work([op.Lost(client.id, reason)])

    def log_in(self, name: str, capabilities: Iterable[str] = (), address: str = ADDRESS) -> Client:
        """Connect and log in; `alice@laptop` is a device of alice. What came is read."""
        client = self.connect(name, address)
        account = name.partition("@")[0]
        wanted = " ".join(["sasl", *capabilities])
        (payload,) = encode_plain(name, password_of(account))
        self.say(client, "CAP LS 302", f"CAP REQ :{wanted}", "AUTHENTICATE PLAIN", f"AUTHENTICATE {payload}")
        self.say(client, f"NICK {account}", f"USER {account} 0 * :{account.title()}", "CAP END")
        assert any(seen.command == "001" for seen in client.unread), [seen.text for seen in client.unread]
        for one in self.clients.values():
            one.unread.clear()
        return client

    # What else happens

    def pass_time(self, seconds: float) -> None:
        """Move the clock, and let happen what is due."""
        self.now_us += int(seconds * 1_000_000)
        self.work([])

    def ask(self, operation: str, **request: Any) -> dict[str, Any]:
        """Ask for an operation, as the command-line tool does; a `password` is hashed first."""
        if "password" in request:
            request["password_hash"] = hash_of(request.pop("password"))
        answers: list[dict[str, Any]] = []
        self.work([Asked(operation, request, answers.append)])
        wait_for(lambda: self._go_on_until(answers))
        (answer,) = answers
        return answer

    def _go_on_until(self, answers: list[dict[str, Any]]) -> bool:
        """What takes many steps is answered at its end."""
        if not answers:
            self.pass_time(STEP_SECONDS)
        return bool(answers)

    def add_account(self, name: str, *, administrator: bool = False, password: str | None = None) -> None:
        """An account with the usual password."""
        answer = self.ask(
            "user add", name=name, password=password or password_of(name), administrator=administrator
        )
        assert "error" not in answer, answer

    def work(self, happenings: Sequence[Happening]) -> None:
        """Tick until nothing is left to do."""
        todo = deque([list(happenings)])
        for _ in range(TURNS_LIMIT):
            if not todo:
                break
            outcomes = self.engine.tick(todo.popleft())
            more = [happening for outcome in outcomes for happening in self.release(outcome)]
            if more:
                todo.append(more)
        assert not todo, "the server does not come to rest"
        for client in self.clients.values():
            client.read()

    def release(self, outcome: Outcome) -> list[Happening]:
        """Do what a worker, the pool and the control socket would do; what they report."""
        reports: list[Happening] = []
        for operation in outcome.operations:
            reports += self._carry_out(operation)
        reports += [self._work(job) for job in outcome.jobs]
        if outcome.answered is not None:
            outcome.answered(outcome.answer)
        return reports

    def _work(self, job: Job) -> Happening:
        """What the threads beside the dispatcher would do."""
        if isinstance(job, ReadHistory | ReadMissed):
            return self.history.answer(job)
        return work(HASHER, self.settings, job)

    def _carry_out(self, operation: op.Operation) -> list[Happening]:
        match operation:
            case op.Send(connection_id, data, message_id):
                self.clients[connection_id].add(data, message_id)
            case op.SendEach(connection_ids, variants, message_id):
                for connection_id in connection_ids:
                    self.clients[connection_id].add_form_of(variants, message_id)
            case op.Publish(topic, variants, skip, message_id):
                for client in self.clients.values():
                    if topic in client.topics and client.id not in skip:
                        client.add_form_of(variants, message_id)
            case op.Subscribe(connection_id, topic):
                self.clients[connection_id].topics.add(topic)
            case op.Unsubscribe(connection_id, topic):
                self.clients[connection_id].topics.discard(topic)
            case op.SetForm(connection_id, form):
                self.clients[connection_id].form = form
            case op.Authenticated(connection_id):
                self.clients[connection_id].authenticated = True
            case op.TellDrained(connection_id):
                return [op.Drained(connection_id)]
            case op.Close(connection_id, reason) if self.clients[connection_id].closed is None:
                self._end(self.clients[connection_id], reason)
                return [op.Lost(connection_id, reason)]
            case _:
                pass
        return []

    def _end(self, client: Client, reason: str) -> None:
        client.closed = reason
        client.topics.clear()


def _parsed(line: bytes | ProtocolError) -> Any:
    if isinstance(line, ProtocolError):
        return line
    try:
        return parse(line)
    except ProtocolError as error:
        return error
