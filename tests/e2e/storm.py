"""People who talk without end while the server is killed, stopped or has a bad disk, and log what they see.

What has no echo is sent again with the same id: after a refusal, and on the next connection.
"""

from __future__ import annotations

import re
import signal
import ssl
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

from secure_chat.protocol.sasl import encode_plain
from tests.e2e.crowd import DEVICE, add_people
from tests.e2e.fault_judge import Log, Post, Seen
from tests.e2e.irc_client import OPEN, IrcClient
from tests.e2e.server_process import ServerProcess
from tests.e2e.waiting import wait_for

SENDERS = tuple(f"sender{number}" for number in range(1, 9))
LISTENER = "listener"
END_SECONDS = 10.0
UNANSWERED_POSTS = 8
"""So many posts of each sender are under way: every tick holds many, and every fault meets some."""
CAPABILITIES = (
    "batch draft/chathistory echo-message labeled-response message-tags sasl secure-chat.internal/post-id "
    "server-time standard-replies"
)
WITH_REPLAY = CAPABILITIES.replace("draft/chathistory ", "")
"""The server itself gives what was missed to who cannot ask for it."""
_POST = re.compile(r"@\S*\bmsgid=([^; ]+)\S* :([^! ]+)!\S+ PRIVMSG #lobby :?(\S+)$")
_LABEL = re.compile(r"@\S*\blabel=([^; ]+)")
_BATCH = re.compile(r"@\S*\bbatch=([^; ]+)")
_PAGE = 1000


class Talker:
    """One person, in one thread at a time; `log` outlives every server."""

    def __init__(self, name: str, token: str, *, capabilities: str = CAPABILITIES) -> None:
        self.log = Log(name)
        self.refusals = 0
        self._token = token
        self._capabilities = capabilities
        self._waiting: dict[str, None] = {}
        self._again: set[str] = set()
        self._last = ""
        self._batches: dict[str, str] = {}

    def talk(self, server: ServerProcess, context: ssl.SSLContext) -> None:
        """Until the connection ends: what has no echo again, then more and more."""
        self._visit(server, context, talks=self.log.name != LISTENER, stays=True)

    def make_up(self, server: ServerProcess, context: ssl.SSLContext) -> None:
        """Until everything has its echo. Fails where the connection ends before that."""
        assert self._visit(server, context, talks=False, stays=False), self.log.name

    def listen(self, server: ServerProcess, context: ssl.SSLContext, last: str) -> None:
        """Until a post with this text has come: first what was missed."""
        self._last = last
        assert self._visit(server, context, talks=False, stays=True), self.log.name

    def _visit(self, server: ServerProcess, context: ssl.SSLContext, *, talks: bool, stays: bool) -> bool:
        client = None
        try:
            client = IrcClient(server.port, None, context=context)
            return self._enter(client) and self._converse(client, talks=talks, stays=stays)
        except (ConnectionError, ssl.SSLError):  # the server is gone; one that hangs is another error
            return False
        finally:
            if client is not None:
                client.close()
                OPEN.remove(client)

    def _enter(self, client: IrcClient) -> bool:
        name = self.log.name
        chunks = [f"AUTHENTICATE {chunk}" for chunk in encode_plain(name, self._token)]
        client.send(f"CAP REQ :{self._capabilities}", "AUTHENTICATE PLAIN", *chunks)
        client.send(f"NICK {name}", "USER storm 0 * :A storm", "CAP END", "PING entered")
        self.log.connections.append([])
        return all(self._note(client, line) for line in _until(client, "PONG", "entered"))

    def _converse(self, client: IrcClient, *, talks: bool, stays: bool) -> bool:
        self._again |= self._waiting.keys()
        client.send(*map(_post, self._waiting))
        while self._waiting or (stays and not self._is_heard(self._last)):
            if talks:
                client.send(*(_post(self._next()) for _ in range(UNANSWERED_POSTS - len(self._waiting))))
            line = client.line()
            if not self._note(client, line):
                return False
            refused = self._refused(line or "")
            if refused:
                self.refusals += 1
                self._again.add(refused)
                client.send(_post(refused))
        client.send("PING made-up")
        return all(self._note(client, line) for line in _until(client, "PONG", "made-up"))

    def _next(self) -> str:
        text = f"{self.log.name}-{len(self.log.posted)}"
        self.log.posted.append(text)
        self._waiting[text] = None
        return text

    def _refused(self, line: str) -> str:
        """The text of the post that the disk did not take, where a line says so: by its label, or its batch's."""
        label = _LABEL.match(line)
        if label is not None and " BATCH +" in line:
            self._batches[line.split()[3].removeprefix("+")] = label[1]
        if " FAIL PRIVMSG " not in line:
            return ""
        assert " FAIL PRIVMSG STORAGE_ERROR " in line, line
        batch = _BATCH.match(line)
        return label[1] if label is not None else self._batches[batch[1]] if batch is not None else ""

    def _is_heard(self, text: str) -> bool:
        connection = self.log.connections[-1]
        return bool(connection) and connection[-1].post.text == text

    def _note(self, client: IrcClient, line: str | None) -> bool:
        """Write a post into the log; False where the connection has ended."""
        if line is not None and line.startswith("PING "):
            client.send(f"PONG {line.removeprefix('PING ')}")
        found = _POST.match(line or "")
        if found is not None:
            post = Post(*found.groups())
            is_own = post.sender == self.log.name
            self.log.connections[-1].append(Seen(post, again=is_own and post.text in self._again))
            if is_own:
                self._waiting.pop(post.text, None)
        return line is not None


def _post(text: str) -> str:
    return f"@label={text};secure-chat.internal/post-id={text} PRIVMSG #lobby :{text}"


def _until(client: IrcClient, *words: str) -> Iterator[str | None]:
    """Every line to the one that has these words, or to the end of the connection (None)."""
    line: str | None = ""
    while line is not None and not all(word in line for word in words):
        line = client.line()
        yield line


class Storm:
    """SENDERS and a listener, in a home of theirs."""

    def __init__(self, home: Path, *, listener_capabilities: str = CAPABILITIES) -> None:
        self.home = home
        tokens = add_people(home, (*SENDERS, LISTENER))
        self.people = [Talker(name, token) for (name, _), token in tokens.items()]
        self.listener = Talker(LISTENER, tokens[LISTENER, DEVICE], capabilities=listener_capabilities)
        self.people[-1] = self.listener
        self.context = ssl.create_default_context(cafile=str(home / "certs" / "ca.pem"))

    @property
    def logs(self) -> list[Log]:
        """What everybody saw."""
        return [person.log for person in self.people]

    def wait_for_posts(self, server: ServerProcess, posts: int) -> bool:
        """Until the listener has seen so many more, or the server has ended; whether it goes on."""
        log = self.listener.log
        seen = sum(map(len, log.connections))
        wait_for(lambda: server.process.poll() is not None or sum(map(len, log.connections)) >= seen + posts)
        return server.process.poll() is None

    @contextmanager
    def raging(self, server: ServerProcess) -> Iterator[None]:
        """Meanwhile all talk; then they are waited for: within END_SECONDS the server has to end."""
        with ThreadPoolExecutor(len(self.people)) as pool:
            talking = [pool.submit(person.talk, server, self.context) for person in self.people]
            yield
            late = wait(talking, END_SECONDS).not_done
            if late:
                server.stop(signal.SIGKILL)
            assert not late, server.text
            _all(talking)

    def make_up(self, server: ServerProcess) -> None:
        """All senders send again what has no echo, and get it."""
        with ThreadPoolExecutor(len(self.people)) as pool:
            _all([pool.submit(person.make_up, server, self.context) for person in self.people[:-1]])


def _all(done: Sequence[Future[None]]) -> None:
    for one in done:
        one.result()


def history(client: IrcClient, room: str = "#lobby") -> list[Post]:
    """All that the server has of a room, oldest first, page by page."""
    found: list[Post] = []
    after = "timestamp=2020-01-01T00:00:00.000Z"
    while True:
        client.send(f"CHATHISTORY AFTER {room} {after} {_PAGE}")
        client.expect(r" BATCH \+")
        start = len(client.seen)
        client.expect(r" BATCH -")
        page = [Post(*match.groups()) for line in client.seen[start:] if (match := _POST.match(line))]
        if not page:
            return found
        found += page
        after = f"msgid={page[-1].msgid}"
