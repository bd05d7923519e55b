"""What was said before: asked for, collected from its batch, shown at once (IRCv3 `draft/chathistory`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from enum import Enum, auto
from typing import TYPE_CHECKING

from secure_chat.client.events import Said, Tone
from secure_chat.client.handlers import is_own, on, said_event
from secure_chat.client.texts import _, plural
from secure_chat.protocol.message import Message
from secure_chat.protocol.names import fold, is_room

if TYPE_CHECKING:
    from secure_chat.client.state import Chat

CAPABILITY = "draft/chathistory"
READ_MARKER = "draft/read-marker"
TARGETS = "draft/chathistory-targets"
SCREENFUL_MESSAGES = 20
MISSED_MESSAGES = 100
COUNTED_MESSAGES = 100
ASKED_LIMIT_MESSAGES = 1_000


class Why(Enum):
    """Why history was asked for: it decides how it is shown."""

    ASKED = auto()
    """The user wants to see it, again perhaps."""
    START = auto()
    """The last screenful, at the first login."""
    MISSED = auto()
    """What was said while the connection was lost."""
    UNREAD = auto()
    """Only how much there is, if there is any."""
    COUNT = auto()
    """How much there is, asked for by the user."""
    PRIVATE = auto()
    """What somebody wrote in private that is unread on all devices: a screenful of it is shown."""


@dataclass(frozen=True, slots=True)
class Found:
    """A message that was found: where it can be looked at."""

    target: str
    msgid: str


@dataclass(frozen=True, slots=True)
class Latest:
    """The last message seen of a conversation: the room's name or the other person's; the time is the server's."""

    name: str
    msgid: str
    time: str


@dataclass(slots=True)
class History:
    """Requests under way, batches that are open, and up to where each conversation was seen."""

    requests: dict[str, Why] = field(default_factory=dict)
    """By label."""
    batches: dict[str, tuple[str, Why, list[Message]]] = field(default_factory=dict)
    latest: dict[str, Latest] = field(default_factory=dict)
    """By the folded name of a room or a person."""
    searches: dict[str, list[Message]] = field(default_factory=dict)
    """By the reference of a batch: what a search has found so far."""
    found: list[Found] = field(default_factory=list)
    """What the last search has found, in the order of its numbers."""
    markers: dict[str, str] = field(default_factory=dict)
    """Up to when the user has read, on any device: a time as the server writes it; "" for nothing."""
    targets: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    """By the reference of a batch: conversations, and when the last was said there."""
    steps: dict[str, Callable[[], None]] = field(default_factory=dict)
    """What to do when the server has answered everything before the PING with this token."""
    held: list[Message] = field(default_factory=list)
    """What is said now while what was said before it is still to come."""
    holds_rooms: bool = False
    holds_private: bool = False
    heard: str = ""
    """The latest time that the server has told."""
    since: str = ""
    """Up to when all is seen of the connections before this one; "" where that is not known."""
    is_complete: bool = False
    """Whether what was said before this connection has come."""
    private_shown: int = SCREENFUL_MESSAGES
    """How much is shown of each conversation with something unread."""

    def connected(self) -> None:
        """Nothing of before is answered any more; what was held comes again with what was missed."""
        self.requests.clear()
        self.batches.clear()
        self.searches.clear()
        self.targets.clear()
        self.steps.clear()
        self.held.clear()
        self.holds_rooms = self.holds_private = False
        if self.is_complete:
            self.since, self.is_complete = self.heard, False
        # The server tells those of rooms again; another device may have read on in private.
        self.markers = {name: marker for name, marker in self.markers.items() if is_room(name)}

    def hear(self, message: Message) -> None:
        """Something has come that is not of before."""
        self.heard = max(self.heard, message.tags.get("time", ""))

    def hold(self, message: Message, *, private: bool) -> bool:
        """Keep what somebody says now, if what was said before it is still to come; whether it is."""
        holds = self.holds_private if private else self.holds_rooms
        if holds:
            self.held.append(message)
        return holds

    def release(self, chat: Chat, *, rooms_only: bool = False) -> None:
        """Show what was held: all before it is shown."""
        self.holds_rooms, self.holds_private = False, rooms_only
        held, self.held = self.held, []
        for message in held:
            event = said_event(chat, message)
            if event is not None and not self.hold(message, private=event.private):
                show_said(chat, message, event)

    def saw(self, place: str, message: Message) -> None:
        """A message of a room, or of a conversation with a person, was shown."""
        msgid, time_text = message.tags.get("msgid"), message.tags.get("time", "")
        known = self.latest.get(fold(place))
        if msgid is not None and (known is None or time_text >= known.time):
            self.latest[fold(place)] = Latest(place, msgid, time_text)

    def begin(self, reference: str, target: str, label: str | None) -> None:
        """A batch of history begins."""
        why = self.requests.pop(label, Why.ASKED) if label is not None else Why.ASKED
        self.batches[reference] = (target, why, [])

    def collect(self, message: Message) -> bool:
        """Keep a line of a batch of history; whether it was one."""
        reference = message.tags.get("batch", "")
        if reference in self.batches:
            self.batches[reference][2].append(message)
        elif reference in self.searches:
            self.searches[reference].append(message)
        elif reference in self.targets and message.params[:1] == ("TARGETS",) and len(message.params) > 2:
            self.targets[reference].append((message.params[1], message.params[2]))
        return any(reference in kind for kind in (self.batches, self.searches, self.targets))

    def end(self, chat: Chat, reference: str) -> None:
        """A batch is whole: show it."""
        target, why, messages = self.batches.pop(reference, ("", Why.ASKED, []))
        match why:
            case Why.UNREAD | Why.COUNT:
                _tell_unread(chat, target, messages, why)
            case Why.PRIVATE:
                _show_unread(chat, target, messages)
            case _:
                _show(chat, target, messages, why)


def show_said(chat: Chat, message: Message, event: Said) -> None:
    """Show what somebody says now, or said just before, unless it was shown already."""
    if chat.seen.first_time(message.tags.get("msgid")):
        _notice_partner(chat, event)
        chat.history.saw(event.place, message)
        chat.show(event)


def _notice_partner(chat: Chat, event: Said) -> None:
    if event.private and not event.own:
        chat.partner = event.sender
        chat.people.add(event.sender)


def _show(chat: Chat, target: str, messages: list[Message], why: Why) -> None:
    shown = _events(chat, target, messages, again=why is Why.ASKED)
    if not shown:
        if why is Why.ASKED:
            chat.tell(Tone.ANSWER, _("nothing was said before that"), target)
        return
    missed = why is Why.MISSED
    heading = _("what was said while you were away:") if missed else _("what was said before:")
    chat.tell(Tone.PRESENCE, heading, target)
    for event in shown:
        if missed:
            _notice_partner(chat, event)
        chat.show(event)
    if not missed:
        chat.tell(Tone.PRESENCE, _("(end of what was said before)"), target)
    elif len(messages) >= MISSED_MESSAGES:
        command = f"/history {target} 500"
        chat.tell(Tone.PRESENCE, _("There is more: {command} shows it.").format(command=command), target)


def _events(chat: Chat, target: str, messages: list[Message], *, again: bool = False) -> list[Said]:
    """What to show of messages: those that were not shown yet, or all of them (`again`)."""
    shown = []
    for message in messages:
        first = chat.seen.first_time(message.tags.get("msgid"))
        chat.history.saw(target, message)
        event = said_event(chat, message) if first or again else None
        if event is not None:
            shown.append(event)
    return shown


def _show_unread(chat: Chat, name: str, messages: list[Message]) -> None:
    """Show the last of what somebody wrote in private, and say how much more is unread."""
    events = _events(chat, name, messages)
    if not chat.history.markers.get(fold(name)):
        # No client of theirs keeps a marker there; but who has answered has read.
        answered = max((number for number, event in enumerate(events, 1) if event.own), default=0)
        events = events[answered:]
    count = sum(not event.own for event in events)
    if not count:
        return
    chat.tell(Tone.ANSWER, _unread(count, len(messages)), name)
    shown = events[-chat.history.private_shown :]
    for event in shown:
        _notice_partner(chat, event)
        chat.show(event)
    if more := len(events) - len(shown):
        text = plural(
            "{count} more came before: {command} shows it",
            "{count} more came before these: {command} shows them",
            more,
        )
        chat.tell(Tone.ANSWER, text.format(count=more, command=f"/history {name} {len(events)}"), name)


def moment(text: str, now: datetime) -> str | None:
    """A time as people write it (18:30 of today, 2026-11-20, 2026-11-20 18:30, in the zone of `now`), as points of
    history are written; None for what is no time.
    """
    try:
        if ":" in text and "-" not in text:
            clock = time.fromisoformat(text.zfill(5))
            found = datetime.combine(now.date(), clock, now.tzinfo)
        else:
            found = datetime.fromisoformat(text).replace(tzinfo=now.tzinfo)
    except ValueError:
        return None
    return f"{found.astimezone(UTC):%Y-%m-%dT%H:%M:%S.000Z}"


def _tell_unread(chat: Chat, place: str, messages: list[Message], why: Why) -> None:
    count = sum(not is_own(chat, message.nick) for message in messages)
    if not count:
        if why is Why.COUNT and is_room(place):
            chat.tell(Tone.ANSWER, _("nothing unread"), place)
        return
    text = _unread(count, len(messages))
    if not is_room(place) or (chat.rooms.is_current(place) and len(messages) > SCREENFUL_MESSAGES):
        text += f" (/history {place} {len(messages)})"
    chat.tell(Tone.ANSWER, text, place)


def _unread(count: int, came: int) -> str:
    """So many are unread, of as many as `came`: there may be more where these are as many as were asked for."""
    if came >= COUNTED_MESSAGES:
        return _("{count} unread messages or more").format(count=count)
    return plural("{count} unread message", "{count} unread messages", count).format(count=count)


@on("MARKREAD", min_params=2)
def marker_told(chat: Chat, message: Message, label: str | None) -> None:  # noqa: ARG001 - a handler's signature
    """Up to when the user has read a conversation, on this or another device."""
    target, point = message.params[:2]
    chat.history.markers[fold(target)] = point.removeprefix("timestamp=").removeprefix("*")


def ask(chat: Chat, why: Why, act: str, target: str, point: str, limit: int) -> None:
    """Ask, where the server can answer."""
    if CAPABILITY not in chat.login.acknowledged:
        return
    label = chat.ask("CHATHISTORY", act, target, point, str(limit))
    if label is not None:
        chat.history.requests[label] = why
