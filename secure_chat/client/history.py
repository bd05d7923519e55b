"""What was said before: asked for, collected from its batch, shown at once (IRCv3 `draft/chathistory`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from enum import Enum, auto
from typing import TYPE_CHECKING

from secure_chat.client.events import Tone
from secure_chat.client.handlers import said_event
from secure_chat.client.texts import _
from secure_chat.protocol.message import Message
from secure_chat.protocol.names import fold, is_room

if TYPE_CHECKING:
    from secure_chat.client.state import Chat

CAPABILITY = "draft/chathistory"
SCREENFUL_MESSAGES = 20
MISSED_MESSAGES = 100
ASKED_LIMIT_MESSAGES = 1_000


class Why(Enum):
    """Why history was asked for: it decides how it is shown."""

    ASKED = auto()
    """The user wants to see it, again perhaps."""
    START = auto()
    """The last screenful, at the first login."""
    MISSED = auto()
    """What was said while the connection was lost."""


@dataclass(slots=True)
class History:
    """Requests under way, batches that are open, and up to where each conversation was seen."""

    requests: dict[str, Why] = field(default_factory=dict)
    """By label."""
    batches: dict[str, tuple[str, Why, list[Message]]] = field(default_factory=dict)
    latest: dict[str, str] = field(default_factory=dict)
    """The id of the last message seen, by the folded name of a room."""

    def connected(self) -> None:
        """Nothing of before is answered any more."""
        self.requests.clear()
        self.batches.clear()

    def saw(self, room: str, msgid: str | None) -> None:
        """A message of a room was shown."""
        if msgid is not None and is_room(room):
            self.latest[fold(room)] = msgid

    def begin(self, reference: str, target: str, label: str | None) -> None:
        """A batch of history begins."""
        why = self.requests.pop(label, Why.ASKED) if label is not None else Why.ASKED
        self.batches[reference] = (target, why, [])

    def collect(self, message: Message) -> bool:
        """Keep a line of a batch of history; whether it was one."""
        batch = self.batches.get(message.tags.get("batch", ""))
        if batch is not None:
            batch[2].append(message)
        return batch is not None

    def end(self, chat: Chat, reference: str) -> None:
        """A batch is whole: show it."""
        target, why, messages = self.batches.pop(reference, ("", Why.ASKED, []))
        shown = []
        for message in messages:
            first = chat.seen.first_time(message.tags.get("msgid"))
            self.saw(target, message.tags.get("msgid"))
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
    """The last screenful of the current room."""
    if chat.rooms.current is not None and not chat.scripted:
        ask(chat, Why.START, "LATEST", chat.rooms.current, "*", SCREENFUL_MESSAGES)


def ask_for_missed(chat: Chat) -> None:
    """What was said in our rooms while the connection was lost."""
    for room in chat.rooms.names():
        msgid = chat.history.latest.get(fold(room))
        if msgid is not None:
            ask(chat, Why.MISSED, "AFTER", room, f"msgid={msgid}", MISSED_MESSAGES)


def ask(chat: Chat, why: Why, act: str, target: str, point: str, limit: int) -> None:
    """Ask, where the server can answer."""
    if CAPABILITY not in chat.login.acknowledged:
        return
    label = chat.ask("CHATHISTORY", act, target, point, str(limit))
    if label is not None:
        chat.history.requests[label] = why
