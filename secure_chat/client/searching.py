"""/search and /goto: finding what was said, and looking around there (soju.im/search)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from secure_chat.client.events import Tone
from secure_chat.client.handlers import said_event
from secure_chat.client.history import CAPABILITY, SCREENFUL_MESSAGES, Found, Why, ask, moment
from secure_chat.client.slash import SlashError, person_of, require_connection, room_name_of, slash, usage_of
from secure_chat.client.texts import _, marked
from secure_chat.protocol.message import Message, escape_tag_value
from secure_chat.protocol.names import is_room

if TYPE_CHECKING:
    from secure_chat.client.state import Chat

SEARCH = "soju.im/search"
FOUND_MESSAGES = 50
_OPTION = re.compile(r"(from|in|after|before):(\S+)")


def show_found(chat: Chat, messages: list[Message]) -> None:
    """Show what a search has found, numbered for /goto; the newest is the last, and the first in number."""
    events = [(message, event) for message in messages if (event := said_event(chat, message)) is not None]
    chat.history.found = [Found(event.place, message.tags.get("msgid", "")) for message, event in reversed(events)]
    if not events:
        chat.tell(Tone.ANSWER, _("Nothing was found."))
        return
    for number, (_message, event) in zip(range(len(events), 0, -1), events, strict=True):
        chat.tell(Tone.ANSWER, _("number {number}:").format(number=number), event.place)
        chat.show(event)
    chat.tell(Tone.ANSWER, _("/goto NUMBER shows what was said around it."))


@slash(
    "search",
    usage=marked("/search [from:NAME] [in:ROOM] [after:DATE] [before:DATE] words"),
    what=marked('find messages: words, "phrases", prefix*'),
    needs_text=True,
)
def search(chat: Chat, rest: str) -> None:
    """Search in all that one may read."""
    require_connection(chat)
    if SEARCH not in chat.login.acknowledged:
        raise SlashError(_("This server cannot search."))
    attributes = {key: _attribute(key, value) for key, value in _OPTION.findall(rest)}
    words = " ".join(_OPTION.sub(" ", rest).split())
    if not words and not attributes:
        raise usage_of("search")
    attributes |= ({"text": words} if words else {}) | {"limit": str(FOUND_MESSAGES)}
    chat.ask("SEARCH", ";".join(f"{key}={escape_tag_value(value)}" for key, value in attributes.items()))


def _attribute(key: str, value: str) -> str:
    if key == "from":
        return person_of(value)
    if key == "in":
        return room_name_of(value) if is_room(value) else person_of(value)
    time = moment(value, datetime.now(UTC).astimezone())
    if time is None:
        raise SlashError(_("“{text}” is not a date such as 2026-11-20 or a time such as 18:30.").format(text=value))
    return time.removeprefix("timestamp=")


@slash(
    "goto", usage=marked("/goto NUMBER"), what=marked("show what was said around a message found"), needs_text=True
)
def goto(chat: Chat, rest: str) -> None:
    """Show the surroundings of what was found."""
    require_connection(chat)
    found = chat.history.found
    if not (rest.isascii() and rest.isdigit() and 0 < int(rest) <= len(found)):
        raise SlashError(_("There is no number {number}: /search first.").format(number=rest))
    chosen = found[int(rest) - 1]
    if CAPABILITY not in chat.login.acknowledged or not chosen.msgid:
        raise SlashError(_("This server keeps no history."))
    ask(chat, Why.ASKED, "AROUND", chosen.target, f"msgid={chosen.msgid}", SCREENFUL_MESSAGES)
