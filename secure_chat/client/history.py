"""What was said before: asked for, collected from its batch, shown at once (IRCv3 `draft/chathistory`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from enum import Enum, auto
from typing import TYPE_CHECKING

from secure_chat.client.events import Tone
from secure_chat.client.handlers import is_own, on, said_event
from secure_chat.client.texts import _, plural
from secure_chat.protocol.message import Message
from secure_chat.protocol.names import fold, is_room

if TYPE_CHECKING:
    from secure_chat.client.state import Chat

CAPABILITY = "draft/chathistory"
READ_MARKER = "draft/read-marker"
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


@dataclass(frozen=True, slots=True)
class Found:
    """A message that was found: where it can be looked at."""

    target: str
    msgid: str


@dataclass(slots=True)
class History:
    """Requests under way, batches that are open, and up to where each conversation was seen."""

    requests: dict[str, Why] = field(default_factory=dict)
    """By label."""
    batches: dict[str, tuple[str, Why, list[Message]]] = field(default_factory=dict)
    latest: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Id and time of the last message seen, by the folded name of a room."""
    searches: dict[str, list[Message]] = field(default_factory=dict)
    """By the reference of a batch: what a search has found so far."""
    found: list[Found] = field(default_factory=list)
    """What the last search has found, in the order of its numbers."""
    markers: dict[str, str] = field(default_factory=dict)
    """Up to when the user has read, on any device: a time as the server writes it; "" for nothing."""

    def connected(self) -> None:
        """Nothing of before is answered any more."""
        self.requests.clear()
        self.batches.clear()
        self.searches.clear()

    def saw(self, room: str, message: Message) -> None:
        """A message of a room was shown."""
        msgid, time_text = message.tags.get("msgid"), message.tags.get("time", "")
        if msgid is not None and is_room(room):
            self.latest[fold(room)] = (msgid, max(time_text, self.latest.get(fold(room), ("", ""))[1]))

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
        return reference in self.batches or reference in self.searches

    def end(self, chat: Chat, reference: str) -> None:
        """A batch is whole: show it."""
        target, why, messages = self.batches.pop(reference, ("", Why.ASKED, []))
        if why in (Why.UNREAD, Why.COUNT):
            _tell_unread(chat, target, messages, why)
            return
        shown = []
        for message in messages:
            first = chat.seen.first_time(message.tags.get("msgid"))
            self.saw(target, message)
            event = said_event(chat, message) if first or why is Why.ASKED else None
            if event is not None:
                shown.append(event)
        if not shown:
            if why is Why.ASKED:
                chat.tell(Tone.ANSWER, _("nothing was said before that"), target)
            return
        heading = {
            Why.ASKED: _("what was said before:"),
            Why.START: _("what was said before:"),
            Why.MISSED: _("what was said while you were away:"),
        }[why]
        chat.tell(Tone.PRESENCE, heading, target)
        for event in shown:
            chat.show(event)
        if why is Why.MISSED and len(messages) >= MISSED_MESSAGES:
            chat.tell(Tone.PRESENCE, _("There is more: /history {count} shows it.").format(count=500), target)
        elif why is not Why.MISSED:
            chat.tell(Tone.PRESENCE, _("(end of what was said before)"), target)


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


def ask_at_start(chat: Chat) -> None:
    """The last screenful of the current room, and how much is unread in the others."""
    if chat.rooms.current is not None and not chat.scripted:
        ask(chat, Why.START, "LATEST", chat.rooms.current, "*", SCREENFUL_MESSAGES)
        ask_for_unread(chat, Why.UNREAD, besides=chat.rooms.current)


def ask_for_unread(chat: Chat, why: Why, besides: str = "") -> int:
    """How much is unread in our rooms; in how many we ask."""
    asked = 0
    for room in chat.rooms.names():
        marker = chat.history.markers.get(fold(room))
        if marker and fold(room) != fold(besides):
            ask(chat, why, "LATEST", room, f"timestamp={marker}", COUNTED_MESSAGES)
            asked += 1
    return asked


def mark_read(chat: Chat) -> None:
    """The user is at the keyboard: what the current room shows is read, on all devices."""
    room = chat.rooms.current
    if room is None or not chat.online or READ_MARKER not in chat.login.acknowledged:
        return
    _msgid, seen = chat.history.latest.get(fold(room), ("", ""))
    if seen > chat.history.markers.get(fold(room), ""):
        chat.history.markers[fold(room)] = seen
        chat.send(Message("MARKREAD", (room, f"timestamp={seen}")))


def _tell_unread(chat: Chat, room: str, messages: list[Message], why: Why) -> None:
    others = [message for message in messages if not is_own(chat, message.nick)]
    count = len(others)
    if not count and why is Why.UNREAD:
        return
    if not count:
        text = _("nothing unread")
    elif count >= COUNTED_MESSAGES:
        text = _("{count} unread messages or more").format(count=count)
    else:
        text = plural("{count} unread message", "{count} unread messages", count).format(count=count)
    chat.tell(Tone.ANSWER, text, room)


@on("MARKREAD", min_params=2)
def marker_told(chat: Chat, message: Message, label: str | None) -> None:  # noqa: ARG001 - a handler's signature
    """Up to when the user has read a conversation, on this or another device."""
    target, point = message.params[:2]
    chat.history.markers[fold(target)] = point.removeprefix("timestamp=").removeprefix("*")


def ask_for_missed(chat: Chat) -> None:
    """What was said in our rooms while the connection was lost."""
    for room in chat.rooms.names():
        msgid, _time = chat.history.latest.get(fold(room), ("", ""))
        if msgid:
            ask(chat, Why.MISSED, "AFTER", room, f"msgid={msgid}", MISSED_MESSAGES)


def ask(chat: Chat, why: Why, act: str, target: str, point: str, limit: int) -> None:
    """Ask, where the server can answer."""
    if CAPABILITY not in chat.login.acknowledged:
        return
    label = chat.ask("CHATHISTORY", act, target, point, str(limit))
    if label is not None:
        chat.history.requests[label] = why
