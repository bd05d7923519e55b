"""The table of what to do with each message of the server."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from secure_chat.client.events import Kind, Said, Told, Tone
from secure_chat.protocol.message import Message
from secure_chat.protocol.names import fold, is_room

if TYPE_CHECKING:
    from secure_chat.client.state import Chat

ACTION = "\x01ACTION "
"""How a text begins that says what somebody does (CTCP)."""
Handler = Callable[["Chat", Message, str | None], None]
"""Takes in one message; the text is the label of ours that it answers, also from around a batch."""

HANDLERS: dict[str, tuple[int, Handler]] = {}
"""By command or numeric: how many parameters the message must have, and what to do with it."""


def on(*commands: str, min_params: int = 0) -> Callable[[Handler], Handler]:
    """Enter the decorated function into the table; messages with fewer parameters are left out."""

    def enter(handler: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(commands, (min_params, handler)))
        return handler

    return enter


def handle(chat: Chat, message: Message) -> None:
    """Take in one message. One that nobody knows is left out, as Modern IRC asks of clients."""
    if chat.history.collect(message):
        return
    chat.history.hear(message)
    label = message.tags.get("label") or chat.batches.get(message.tags.get("batch", ""))
    row = message.command
    if row not in HANDLERS and row.isdigit():
        row = "refusal" if row[0] in "45" or row == "696" else "number"
    min_params, handler = HANDLERS.get(row, (0, _ignore))
    if len(message.params) >= min_params:
        handler(chat, message, label)


def _ignore(chat: Chat, message: Message, label: str | None) -> None:
    """Nothing."""


def said_event(chat: Chat, message: Message) -> Said | None:
    """What a PRIVMSG or NOTICE of somebody shows; None for what is not for people (CTCP), or no such message."""
    if message.command not in ("PRIVMSG", "NOTICE") or len(message.params) < 2:
        return None
    target, body = message.params[:2]
    if body.startswith("\x01") and not body.startswith(ACTION):
        return None
    kind = Kind.NOTICE if message.command == "NOTICE" else Kind.TEXT
    if body.startswith(ACTION):
        kind, body = Kind.ACTION, body.removeprefix(ACTION).rstrip("\x01")
    own = is_own(chat, message.nick)
    room_name = target[target.find("#") :] if "#" in target[:2] else target
    private = not is_room(room_name)
    room = chat.rooms.get(room_name)
    place = room.name if room else room_name
    if private and not own:
        place = message.nick
    return Said(message.nick, body, place, kind, own=own, private=private, at=sent_at(message))


def is_own(chat: Chat, name: str) -> bool:
    """Whether the name is ours."""
    return fold(name) == fold(chat.nick)


def sent_at(message: Message) -> datetime | None:
    """When the server says that it happened (IRCv3 `server-time`)."""
    try:
        return datetime.fromisoformat(message.tags["time"])
    except (KeyError, ValueError):
        return None


def tell(chat: Chat, message: Message, tone: Tone, text: str, place: str = "") -> None:
    """Show a line about `message`, with its time."""
    chat.show(Told(tone, text, place, sent_at(message)))
