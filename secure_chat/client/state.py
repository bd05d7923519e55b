"""The client without its threads: bytes and typed lines in, lines to send and events to show out. Pure: the clock
(seconds, monotonic) and chance are passed in. One thread at a time.
"""

from __future__ import annotations

from collections.abc import Callable

from secure_chat.client import administration, incoming, numerics, slash
from secure_chat.client.catching_up import catch_up, mark_read
from secure_chat.client.device_token import TokenRequest
from secure_chat.client.events import Event, Kind, Said, Told, Tone, View
from secure_chat.client.handlers import handle
from secure_chat.client.history import History
from secure_chat.client.login import POST_ID, Login, LoginRefused, Step
from secure_chat.client.outcome import ExitCode
from secure_chat.client.phases import CONNECTED, TRANSITIONS, Phase
from secure_chat.client.posts import Outbox, Post, Seen
from secure_chat.client.refusals import ends_account, in_own_words
from secure_chat.client.rooms import Rooms
from secure_chat.client.silence import Silence
from secure_chat.client.split import room_for_text_bytes, split_text
from secure_chat.client.texts import _, plural
from secure_chat.errors import ProtocolError
from secure_chat.protocol.lines import LineBuffer
from secure_chat.protocol.message import SERVER_TAGS_LIMIT_BYTES, Message, Secret, parse

FINISH_SECONDS = 30.0
"""How long the end of input waits for the next confirmation of what was said."""
LEAVE_SECONDS = 5.0
"""How long a goodbye may take."""
WINDOW_POSTS = 32
"""How many unconfirmed posts a script may have before its next line is read."""
TABLE_MODULES = (administration, incoming, numerics)
"""Imported so that their commands and handlers are in the tables."""


class Chat:
    """One user's chat over any number of connections, one after the other.

    `scripted`: lines come from a script, so a line never goes to another room than the script meant, and the end
    of input waits until everything said is confirmed. `token_request`: how a token takes the password's place.
    """

    def __init__(
        self,
        identity: str,
        password: Secret,
        *,
        new_id: Callable[[], str],
        scripted: bool = False,
        token_request: TokenRequest | None = None,
    ) -> None:
        self.identity = identity
        self.password = password
        self.next_password: Secret | None = None
        self.scripted = scripted
        self.token_request = token_request
        self.phase = Phase.OFFLINE
        self.exit_code: ExitCode | None = None
        self.was_ready = False
        self.login = Login(identity, password)
        self.source: str | None = None
        self.rooms = Rooms(scripted=scripted)
        self.partner: str | None = None
        self.people: set[str] = set()
        self.outbox = Outbox()
        self.batches: dict[str, str | None] = {}
        self.history = History()
        self.farewell = ""
        self.refused: tuple[str | None, str] | None = None
        """The label and the text of the last FAIL, until the next numeric that refuses something."""
        self.seen = Seen()
        self._new_id = new_id
        self._labels = 0
        self._now = 0.0
        self._silence = Silence()
        self._finish_by: float | None = None
        self._barriers: set[str] = set()
        self._lines: list[bytes] = []
        self._events: list[Event] = []
        self._buffer = LineBuffer(tags_limit_bytes=SERVER_TAGS_LIMIT_BYTES)

    # What comes in

    def connected(self, now: float) -> None:
        """There is a trusted connection."""
        self._now = now
        self._silence.heard(now)
        self._barriers.clear()
        self.batches.clear()
        self.history.connected()
        self.farewell = ""
        self.refused = None
        self._buffer = LineBuffer(tags_limit_bytes=SERVER_TAGS_LIMIT_BYTES)
        self.login = Login(self.identity, self.password)
        self._go(Phase.LOGIN)
        for message in self.login.begin():
            self.send(message)

    def receive(self, data: bytes, now: float) -> None:
        """Bytes of the server. What it says that is not the protocol is told and left out."""
        self._now = now
        self._silence.heard(now)
        for line in self._buffer.feed(data):
            if self.phase not in CONNECTED:
                return
            try:
                if not isinstance(line, bytes):
                    raise line
                self._take(parse(line))
            except ProtocolError as error:
                self.tell(
                    Tone.CONNECTION, _("The server sent a line that cannot be read ({why}).").format(why=error)
                )

    def typed(self, line: str, now: float) -> None:
        """A line of the user: a slash command, or something to say in the current room."""
        self._now = now
        line = line.rstrip("\r\n").replace("\0", " ").replace("\r", " ").replace("\n", " ")
        mark_read(self)
        name = slash.command_in(line)
        if name is not None:
            try:
                slash.run(self, line if line.startswith("/") else f"/{name}")
            except slash.SlashError as error:
                self.tell(Tone.REFUSED, str(error))
        elif line.strip():
            self.say_here(line[1:] if line.startswith("//") else line)

    def end_of_input(self, now: float) -> None:
        """The script is at its end: leave when everything said is confirmed and everything asked is answered."""
        self._now = now
        if self.phase is Phase.OVER:
            return
        self._finish_by = now + FINISH_SECONDS
        if self.phase is Phase.READY:
            self.put_barrier()

    def lost(self, why: str, now: float) -> None:
        """The connection is gone, or was given up. It is OFFLINE now, or OVER where there is no way on."""
        self._now = now
        why = in_own_words(self.farewell) or why
        if self.phase not in CONNECTED:
            return
        if self.phase is Phase.LEAVING:
            self.end(ExitCode.QUIT)
        elif ends_account(self.farewell):
            self._tell_unconfirmed()
            self.end(ExitCode.LOGIN_REFUSED, why)
        elif not self.was_ready:
            text = _("The server closed the connection during the login: {why}").format(why=why)
            self.end(ExitCode.CANNOT_CONNECT, text)
        elif self._finish_by is not None and not self.outbox:
            self.end(ExitCode.QUIT)
        else:
            self._go(Phase.OFFLINE)
            self._tell_lost(why)

    def tick(self, now: float) -> None:
        """Time has passed: call it whenever `deadline` has come."""
        self._now = now
        if self._finish_by is not None and now >= self._finish_by:
            self._too_late()
        elif now >= self._silence.ask_at(self.phase):
            self._silence.asked(now)
            self.send(Message("PING", ("alive",)))
        elif now >= self._silence.lost_at(self.phase):
            self.lost(_("nothing has been heard from the server for a while"), now)

    def deadline(self) -> float:
        """When `tick` wants to be called, on the clock of `now`; infinity where nothing is waited for."""
        finish_by = float("inf") if self._finish_by is None else self._finish_by
        return min(finish_by, self._silence.ask_at(self.phase), self._silence.lost_at(self.phase))

    # What goes out

    def take_lines(self) -> bytes:
        """What is to be sent, and forgotten here."""
        lines, self._lines = self._lines, []
        return b"".join(lines)

    def take_events(self) -> list[Event]:
        """What is to be shown, and forgotten here."""
        events, self._events = self._events, []
        return events

    @property
    def takes_input(self) -> bool:
        """Whether a typed line may be given now. A script waits for its login and for confirmations."""
        if self.phase in (Phase.OVER, Phase.LEAVING):
            return False
        if not self.scripted:
            return self.was_ready
        return self.phase is Phase.READY and len(self.outbox) < WINDOW_POSTS and self._finish_by is None

    @property
    def online(self) -> bool:
        """Whether commands can be sent."""
        return self.phase is Phase.READY

    @property
    def is_returning(self) -> bool:
        """Whether the server is putting us back after a lost connection: what it tells then is not news."""
        return self.was_ready and self.phase is Phase.RESTORING

    @property
    def nick(self) -> str:
        """The account's name."""
        return self.login.nick

    def view(self) -> View:
        """What the keyboard's thread may know."""
        return View(self.rooms.current, self.rooms.names(), self.rooms.people() | self.people, self.online)

    # What the slash commands and the handlers of messages use

    def send(self, message: Message) -> None:
        """Send a line; it must be allowed on the wire."""
        self._lines.append(message.encode())

    def ask(self, command: str, *params: str) -> str | None:
        """Send a command with a label, and give the label; None where the server knows none."""
        label = None
        if "labeled-response" in self.login.acknowledged:
            label = self._new_label()
        self.send(Message(command, params, tags={"label": label} if label else {}))
        return label

    def tell(self, tone: Tone, text: str, place: str = "") -> None:
        """Show a line."""
        self._events.append(Told(tone, text, place))

    def show(self, event: Event) -> None:
        """Show an event."""
        self._events.append(event)

    def say_here(self, text: str, kind: Kind = Kind.TEXT) -> None:
        """Say something in the current room."""
        if self.rooms.current is None:
            self.tell(Tone.REFUSED, _("You are in no room. Go into one with /join ROOM."))
        else:
            self.say(self.rooms.current, text, kind)

    def say(self, target: str, text: str, kind: Kind = Kind.TEXT) -> None:
        """Say something to a room or a person, in as many posts as it takes; unsent posts wait for the server."""
        frame_bytes = len("\x01ACTION \x01") if kind is Kind.ACTION else 0
        limit_bytes = room_for_text_bytes(self.nick, self.source, "PRIVMSG", target) - frame_bytes
        for part in split_text(text, limit_bytes):
            self.outbox.add(Post(self._new_id(), target, part, kind))
        if self.phase is Phase.READY:
            self._send_posts()
        elif not self.scripted:
            self.tell(Tone.CONNECTION, _("Kept: it is sent when the connection is back."))

    def confirmed(self) -> None:
        """Something said is confirmed or refused: the end of input may have come nearer."""
        if self._finish_by is not None:
            self._finish_by = self._now + FINISH_SECONDS
        self._leave_if_finished()

    def welcomed(self) -> None:
        """The welcome is at its end: the server puts us back into our rooms, and a PING finds the end of that."""
        if self.phase is Phase.RESTORING and not self._barriers:
            self.put_barrier()

    def put_barrier(self) -> str:
        """Ask for a sign that everything sent up to now is answered; its token (see `barrier_reached`)."""
        token = f"barrier-{self._new_label()}"
        self._barriers.add(token)
        self.send(Message("PING", (token,)))
        return token

    def barrier_reached(self, token: str) -> None:
        """The server has answered everything that was sent before this PING."""
        self._barriers.discard(token)
        if self.phase is Phase.RESTORING and not self._barriers:
            self._ready()
        else:
            self._leave_if_finished()

    def quit(self, *, at_once: bool = False) -> None:
        """The user wants to go. A script waits for its confirmations as at the end of its input, a person, or
        somebody who wants to go `at_once`, only for a moment.
        """
        if self.scripted and self.phase is Phase.READY and not at_once:
            self.end_of_input(self._now)
        elif self.phase is Phase.READY and self.outbox:
            self._finish_by = self._now + LEAVE_SECONDS
        elif self.phase in (Phase.LOGIN, Phase.RESTORING, Phase.READY):
            self._leave()
        elif self.phase is Phase.OFFLINE:
            self._tell_unconfirmed()
            self.end(ExitCode.CONNECTION_LOST if self.scripted and self.outbox else ExitCode.QUIT)

    def give_up(self, why: str) -> None:
        """The server does not come back."""
        self._tell_unconfirmed()
        self.end(ExitCode.CONNECTION_LOST, why)

    def end(self, code: ExitCode, text: str = "") -> None:
        """It is over, and `text` says why."""
        if text:
            self.tell(Tone.CONNECTION, text)
        self.exit_code = code
        self._go(Phase.OVER)

    # Inside

    def _go(self, phase: Phase) -> None:
        assert phase in TRANSITIONS[self.phase], f"no way from {self.phase} to {phase}"
        self.phase = phase

    def _new_label(self) -> str:
        self._labels += 1
        return str(self._labels)

    def _take(self, message: Message) -> None:
        if self.login.step is not Step.WELCOMED or message.command == "CAP":
            try:
                for answer in self.login.receive(message):
                    self.send(answer)
            except LoginRefused as error:
                self._refused(error)
                return
            if self.phase is Phase.LOGIN and self.login.step is Step.WELCOMED:
                self._go(Phase.RESTORING)
                self.rooms.clear()
        handle(self, message)

    def _refused(self, error: LoginRefused) -> None:
        if not self.was_ready:
            self.end(ExitCode.LOGIN_REFUSED, _("The login was refused: {why}").format(why=error))
        elif error.temporary:
            self.lost(str(error), self._now)
        else:
            self._tell_unconfirmed()
            self.end(ExitCode.LOGIN_REFUSED, _("The login was refused: {why}").format(why=error))

    def _ready(self) -> None:
        back = self.was_ready
        self._go(Phase.READY)
        self.was_ready = True
        self.rooms.restored(first_time=not back)
        text = _("Back again as {name}.") if back else _("Connected as {name}. /help lists what you can do.")
        self.tell(Tone.CONNECTION, text.format(name=self.nick))
        if self.token_request is not None:
            self.token_request.begin(self)
        catch_up(self, back=back)
        self._send_posts()
        if self._finish_by is not None:
            self.put_barrier()

    def _send_posts(self) -> None:
        for post in self.outbox.send(self._new_label):
            self.send(post.message(self.login.acknowledged))
            if "echo-message" not in self.login.acknowledged:
                self.outbox.take(post.label)
                private = self.rooms.get(post.target) is None
                self.show(Said(self.nick, post.text, post.target, post.kind, own=True, private=private))

    def _leave_if_finished(self) -> None:
        if self._finish_by is not None and self.phase is Phase.READY and not self.outbox and not self._barriers:
            self._leave()

    def _leave(self) -> None:
        self._go(Phase.LEAVING)
        self._finish_by = self._now + LEAVE_SECONDS
        self.send(Message("QUIT"))

    def _too_late(self) -> None:
        """The wait at the end has been long enough."""
        self._finish_by = None
        if self.phase is Phase.LEAVING:
            self.end(ExitCode.QUIT)
        elif self.phase in CONNECTED or self.phase is Phase.OFFLINE:
            self._tell_unconfirmed()
            self.end(ExitCode.CONNECTION_LOST if self.scripted else ExitCode.QUIT)

    def _tell_lost(self, why: str) -> None:
        uncertain = self.outbox.connection_lost(repeatable=POST_ID in self.login.acknowledged)
        self.tell(
            Tone.CONNECTION,
            _(
                "The connection to the server is lost: {why}. Trying again by itself; what you write is kept "
                "and sent when it is back. /quit leaves."
            ).format(why=why),
        )
        for post in uncertain:
            text = _("This may not have arrived, and this server cannot tell: {text}").format(text=post.text)
            self.tell(Tone.REFUSED, text, post.target)

    def _tell_unconfirmed(self) -> None:
        if count := len(self.outbox):
            text = plural(
                "{count} message of yours was not confirmed by the server.",
                "{count} messages of yours were not confirmed by the server.",
                count,
            )
            self.tell(Tone.CONNECTION, text.format(count=count))
