"""What a handler works with: the state to read, the effects to add."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from secure_chat.chat.accounts import Account
from secure_chat.chat.deliveries import Hangup, LogLine, ToRoom, ToSession
from secure_chat.chat.effects import Effect, SessionGone, SessionSet
from secure_chat.chat.errors import (
    CommandError,
    administrator_needed,
    no_such_nick,
    no_such_room,
    not_on_room,
    operator_needed,
)
from secure_chat.chat.hub import Hub
from secure_chat.chat.ports import Ids, Store
from secure_chat.chat.rooms import Role, Room
from secure_chat.chat.sessions import Phase, Session
from secure_chat.chat.settings import Settings
from secure_chat.chat.views import knows_of, nick_of, numeric, refusal_lines
from secure_chat.protocol.capabilities import Capability
from secure_chat.protocol.message import LINE_LIMIT_BYTES, NO_TAGS, Message
from secure_chat.protocol.numerics import Numeric
from secure_chat.protocol.relay import Relayed


class Context(Struct):
    """One unit of a tick: a command (or an element of its list), or something that happened.

    `now_us` is µs since 1970 UTC, `said_us` the same for what is said: it never goes back. `effects` is what has
    been decided so far; nothing of it is done before the handler returns, and nothing at all where it raises.
    Dispatcher thread only.
    """

    hub: Hub
    store: Store
    ids: Ids
    now_us: int
    said_us: int
    maybe_session: Session | None = None
    command: str = "*"
    tags: Mapping[str, str] = field(default_factory=lambda: NO_TAGS)
    label: str | None = None
    effects: list[Effect] = field(default_factory=list)
    if_lost: list[Effect] = field(default_factory=list)
    """What is done where the tick that this unit is in does not reach the disk."""
    answer: dict[str, object] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        """The owner's choices."""
        return self.hub.settings

    @property
    def session(self) -> Session:
        """The session that this unit is of, with the changes decided so far."""
        assert self.maybe_session is not None
        return self.maybe_session

    @property
    def account(self) -> Account:
        """The account of the session."""
        session = self.maybe_session
        assert session is not None
        assert session.account_id is not None
        return self.hub.accounts[session.account_id]

    def add(self, *effects: Effect) -> None:
        """Decide these effects, after those decided before."""
        self.effects.extend(effects)

    def change_session(self, **changes: object) -> None:
        """Decide that fields of the session change."""
        self.maybe_session = self.session.but(**changes)
        self.add(SessionSet(self.maybe_session))

    def tell(self, line: Message | Relayed) -> None:
        """Send a line to the session."""
        last = self.effects[-1] if self.effects else None
        if type(last) is ToSession and last.session_id == self.session.id:
            last.lines.append(line)
        else:
            self.effects.append(ToSession(self.session.id, [line]))

    def give_back(self, line: Message) -> None:
        """Send a line that repeats what the client sent. Raises 417 where it would be too long."""
        if line.body_bytes() > LINE_LIMIT_BYTES:
            raise CommandError("Input line was too long; it cannot be answered", Numeric.ERR_INPUTTOOLONG)
        self.tell(line)

    def reply(self, number: Numeric, *params: str) -> None:
        """Send the session a numeric reply."""
        self.tell(numeric(self.hub, self.session, number, *params))

    def note(self, command: str, code: str, text: str, *facts: str) -> None:
        """Tell the session that something was done: NOTE (IRCv3 `standard-replies`) with facts for programs before
        the text, or a NOTICE. What a person needs to know is in the text.
        """
        if self.session.has(Capability.STANDARD_REPLIES):
            self.tell(Message("NOTE", (command, code, *facts, text), self.settings.server))
        else:
            self.tell(Message("NOTICE", (nick_of(self.hub, self.session), text), self.settings.server))

    def relayed(self, command: str, *params: str, msgid: bool = True) -> Relayed:
        """Something that the session's account does, as others will see it."""
        account = self.account
        return Relayed(
            self.hub.source(account.id),
            command,
            params,
            self.said_us,
            account.name,
            self.ids.msgid() if msgid else None,
            self._client_tags(),
        )

    def _client_tags(self) -> Mapping[str, str]:
        if not self.tags or not self.session.has(Capability.MESSAGE_TAGS):
            return NO_TAGS
        return {key: value for key, value in self.tags.items() if key.startswith("+")}

    def to_room(self, room: Room, line: Relayed) -> None:
        """Tell everybody in the room, the session (in answer to its command) among them."""
        self.add(ToRoom(room.id, line, skip=(self.session.id,)), ToSession(self.session.id, [line]))

    def refuse(self, error: CommandError) -> None:
        """Answer with a refusal and keep what was decided; raising it would drop that."""
        for line in refusal_lines(self.hub, self.session, self.command, error):
            self.tell(line)

    def log(self, event: str, **facts: str | int) -> None:
        """A line for the owner's log."""
        self.add(LogLine(event, tuple(facts.items())))

    def close(self, session: Session, reason: str) -> None:
        """End a session: it gets ERROR with the reason, then its connection is closed."""
        self.add(*self.closing(session, reason))

    def closing(self, session: Session, reason: str) -> tuple[Effect, ...]:
        """The effects that end a session."""
        return (
            self.farewell(session, reason),
            ToSession(session.id, [Message("ERROR", (reason,))]),
            SessionSet(session.but(phase=Phase.CLOSING)),
            Hangup(session.id, reason),
            SessionGone(session.id, reason, self.now_us),
        )

    def farewell(self, session: Session, reason: str) -> LogLine:
        """The log's line about a session that ends."""
        account = self.hub.accounts.get(session.account_id) if session.account_id is not None else None
        shown = account.name if account is not None else "(not logged in)"
        return LogLine("disconnect", (("session", session.id), ("account", shown), ("reason", reason)))

    def owner_is_there(self) -> None:
        """An administrator is being made: who was told that there is none hears that it is so no more.

        (IRCv3 "Capability Negotiation", CAP DEL.)
        """
        if self.hub.has_administrator:
            return
        for session in self.hub.sessions.values():
            if session.has(Capability.CAP_NOTIFY):
                gone = ("CAP", (nick_of(self.hub, session), "DEL", str(Capability.OWNER_CODE)))
                self.add(ToSession(session.id, [Message(*gone, self.settings.server)]))

    def person(self, name: str) -> Account:
        """The account of this name. Raises 401."""
        account = self.hub.account_named(name)
        if account is None:
            raise no_such_nick(name)
        return account

    def room(self, name: str) -> Room:
        """The room of this name, where the session may know of it. Raises 403."""
        room = self.hub.room_named(name)
        if room is None or not knows_of(self.session, room):
            raise no_such_room(name)
        return room

    def room_of_member(self, name: str) -> Room:
        """The room of this name, of which the session's account must be a member. Raises 403, 442."""
        room = self.room(name)
        if self.account.id not in room.members:
            raise not_on_room(room.name)
        return room

    def require_operator(self, room: Room) -> None:
        """Raises 482 for who does not operate the room."""
        if (self.hub.role(room, self.account.id) or Role.MEMBER) < Role.OPERATOR:
            raise operator_needed(room.name)

    def require_administrator(self) -> None:
        """Raises 481 for who does not administer the server."""
        if not self.account.administrator:
            raise administrator_needed()
