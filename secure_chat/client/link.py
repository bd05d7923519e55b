"""The thread that has the connection: it alone touches TLS and the chat's state, and connects again."""

from __future__ import annotations

import contextlib
import random
import select
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from secure_chat.client import administration, slash
from secure_chat.client.connection import Connection, ConnectionLost
from secure_chat.client.dial import CannotConnect
from secure_chat.client.events import Event, Tone, View
from secure_chat.client.outcome import ExitCode
from secure_chat.client.phases import CONNECTED, Phase
from secure_chat.client.secret_questions import NewPassword, NewRecoveryCodes
from secure_chat.client.signals import WAIT_SECONDS
from secure_chat.client.state import Chat
from secure_chat.client.texts import _
from secure_chat.errors import TrustError

INBOX_LINES = 256
"""How many typed lines may wait; a script that writes faster is not read meanwhile."""
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
SCRIPT_ATTEMPTS = 8
"""How often a script tries to connect again (about two minutes) before it gives up."""


@dataclass(frozen=True, slots=True)
class Typed:
    """A line of the user."""

    line: str


@dataclass(frozen=True, slots=True)
class EndOfInput:
    """There are no more lines."""


@dataclass(frozen=True, slots=True)
class Quit:
    """The user leaves, whatever is still waiting."""


Input = Typed | NewPassword | NewRecoveryCodes | EndOfInput | Quit


def pauses(chance: Callable[[], float] = random.random) -> Iterator[float]:
    """Seconds to wait before each attempt to connect again: doubled each time up to a limit, and between half
    and whole of it by `chance` (0 to 1), so that not everybody comes back at once.
    """
    longest = FIRST_PAUSE_SECONDS
    while True:
        yield longest * (0.5 + chance() / 2)
        longest = min(2 * longest, LONGEST_PAUSE_SECONDS)


class Link:
    """Runs a chat over a connection that is made anew when it is lost.

    `run` is the link's thread; `put`, `view` and `wait_until_ready` are for the others. `show` is called on the
    link's thread. `clock` gives monotonic seconds.
    """

    def __init__(
        self,
        chat: Chat,
        dial: Callable[[], ssl.SSLSocket],
        show: Callable[[list[Event]], None],
        *,
        clock: Callable[[], float],
        new_pauses: Callable[[], Iterator[float]] = pauses,
    ) -> None:
        self._chat = chat
        self._dial = dial
        self._show = show
        self._clock = clock
        self._new_pauses = new_pauses
        # Begun anew only by a whole login: a server that lets nobody in is asked ever more rarely.
        self._attempts = enumerate(new_pauses())
        self._inbox: deque[Input] = deque()
        self._change = threading.Condition()
        self._over = False
        self._ready = False
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self.view = View()

    # For the other threads

    def put(self, item: Input) -> None:
        """Hand over what the user typed; a script waits while too much is waiting. When all is over nothing
        happens.
        """
        patient = self._chat.scripted and not isinstance(item, Quit)
        with self._change:
            self._change.wait_for(lambda: self._over or not patient or len(self._inbox) < INBOX_LINES)
            if self._over:
                return
            self._inbox.appendleft(item) if isinstance(item, Quit) else self._inbox.append(item)
            # A full wake-up pipe wakes as well as one more byte in it.
            with contextlib.suppress(BlockingIOError):
                self._wake_in.send(b"!")

    def wait_until_ready(self) -> bool:
        """Wait for the first login; False when all is over before it."""
        with self._change:
            while not self._change.wait_for(lambda: self._over or self._ready, WAIT_SECONDS):
                pass
            return self._ready

    @property
    def is_over(self) -> bool:
        """Whether the link's thread has done all it will do."""
        return self._over

    # The link's thread

    def run(self, tls: ssl.SSLSocket) -> ExitCode:
        """Chat over a trusted connection, and those after it, until the user leaves or there is no way on."""
        try:
            connection: ssl.SSLSocket | None = tls
            while connection is not None:
                self._talk(Connection(connection))
                self._publish()
                connection = self._connect_again() if self._chat.phase is Phase.OFFLINE else None
            self._publish()
        finally:
            with self._change:
                self._over = True
                self._wake_in.close()
                self._wake_out.close()
                self._change.notify_all()
        return self._chat.exit_code if self._chat.exit_code is not None else ExitCode.CONNECTION_LOST

    def _talk(self, connection: Connection) -> None:
        """Chat until the connection is lost or not wanted any more."""
        chat = self._chat
        chat.connected(self._clock())
        try:
            while True:
                self._take_input()
                connection.send(chat.take_lines())
                self._publish()
                if chat.phase not in CONNECTED:
                    return
                if self._wait(connection):
                    chat.receive(connection.receive(), self._clock())
                chat.tick(self._clock())
                if chat.online:
                    self._attempts = enumerate(self._new_pauses())
        except ConnectionLost as error:
            chat.lost(str(error), self._clock())
        finally:
            connection.close()

    def _wait(self, connection: Connection) -> bool:
        """Wait for bytes, for input, for room to write or for a deadline; whether there may be bytes."""
        if connection.has_more:
            return True
        sending = [connection] if connection.wants_to_write else []
        reading: list[Connection | socket.socket] = [connection, self._wake_out]
        readable, _writable, _failed = select.select(
            reading, sending, [], self._seconds_until(self._chat.deadline())
        )
        self._drain_wakes(self._wake_out in readable)
        return connection in readable

    def _connect_again(self) -> ssl.SSLSocket | None:
        """A new connection after pauses; None where it was given up."""
        chat = self._chat
        for attempt, pause_seconds in self._attempts:
            if chat.scripted and attempt == SCRIPT_ATTEMPTS:
                chat.give_up(_("The server did not come back."))
                return None
            self._pause(self._clock() + pause_seconds)
            if chat.phase is not Phase.OFFLINE:
                return None
            try:
                return self._dial()
            except CannotConnect as error:
                text = _("Still no connection: {why} Trying again; /quit leaves.").format(why=error)
                chat.tell(Tone.CONNECTION, text)
            except TrustError as error:
                chat.end(ExitCode.NOT_TRUSTED, str(error))
                return None
            self._publish()
        raise AssertionError

    def _pause(self, until: float) -> None:
        """Wait, and do meanwhile what the user wants."""
        chat = self._chat
        while chat.phase is Phase.OFFLINE and self._clock() < until:
            self._publish()
            wait_seconds = self._seconds_until(min(until, chat.deadline()))
            readable, _writable, _failed = select.select([self._wake_out], [], [], wait_seconds)
            self._drain_wakes(bool(readable))
            self._take_input()
            chat.tick(self._clock())

    def _seconds_until(self, deadline: float) -> float | None:
        return None if deadline == float("inf") else max(0.0, deadline - self._clock())

    def _drain_wakes(self, woken: bool) -> None:
        if woken:
            self._wake_out.recv(4096)

    def _take_input(self) -> None:
        while item := self._next_input():
            match item:
                case Typed(line):
                    self._chat.typed(line, self._clock())
                case EndOfInput():
                    self._chat.end_of_input(self._clock())
                case Quit():
                    self._chat.quit(at_once=True)
                case NewPassword(old, new):
                    self._do(lambda: slash.change_password(self._chat, old, new))
                case NewRecoveryCodes(password):
                    self._do(lambda: administration.recovery_codes(self._chat, password))

    def _next_input(self) -> Input | None:
        """The next thing typed, if the chat takes one now; a Quit is taken at any time."""
        with self._change:
            if not self._inbox or not (self._chat.takes_input or isinstance(self._inbox[0], Quit)):
                return None
            item = self._inbox.popleft()
            self._change.notify_all()
            return item

    def _do(self, action: Callable[[], None]) -> None:
        try:
            action()
        except slash.SlashError as error:
            self._chat.tell(Tone.REFUSED, str(error))

    def _publish(self) -> None:
        """Show what there is to show, and let the other threads know how things are."""
        before, self.view = self.view, self._chat.view()
        events = self._chat.take_events()
        # The prompt shows the room and whether we are online: it is drawn anew even where there is nothing to say.
        if events or (before.room, before.online) != (self.view.room, self.view.online):
            self._show(events)
        if self._chat.was_ready and not self._ready:
            with self._change:
                self._ready = True
                self._change.notify_all()
