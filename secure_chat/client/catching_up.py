"""What was said while nobody was here: asked for when a connection begins, and by /unread.

Of rooms we know which are ours. Who wrote in private is told by CHATHISTORY TARGETS, and what of it is read by the
marker of each conversation. So there are steps; a PING at the end of each finds when all is answered.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from secure_chat.client.events import Tone
from secure_chat.client.history import (
    CAPABILITY,
    COUNTED_MESSAGES,
    MISSED_MESSAGES,
    READ_MARKER,
    SCREENFUL_MESSAGES,
    Why,
    ask,
)
from secure_chat.client.texts import _
from secure_chat.protocol.message import Message
from secure_chat.protocol.names import fold, is_room

if TYPE_CHECKING:
    from secure_chat.client.state import Chat

NEEDED = frozenset({CAPABILITY, "batch", "labeled-response"})
"""Without these an answer does not show what it answers."""
FIRST = "1970-01-01T00:00:00.000Z"
LAST = "9999-12-31T23:59:59.999Z"
"""Not the time now: the clocks of a client and its server may differ by any amount."""
FUZZ = timedelta(seconds=10)
"""A time is not exact, and what comes twice is shown once (chathistory, "Client pseudocode")."""
TARGETS_LIMIT = 500
PRIVATE_LIMIT = 100
"""Of how many conversations with people, those with the latest messages, it is asked up to where they are read."""
PRIVATE_MESSAGES = 100
"""How much unread is shown of all of them together."""


def catch_up(chat: Chat, *, back: bool) -> None:
    """A connection begins, the first one or another (`back`): ask for what the user has not seen, and hold what is
    said now until that is shown.
    """
    history = chat.history
    if CAPABILITY not in chat.login.acknowledged or (chat.scripted and not back):
        history.is_complete = True
        return
    history.holds_rooms = history.holds_private = True
    asked = _ask_for_missed_in_rooms(chat) if back else _ask_at_start(chat)
    if back and history.since:
        since = _a_little_before(history.since)
        _find_people(chat, since, lambda names: _ask_for_missed_in_private(chat, names, since))
    elif READ_MARKER in chat.login.acknowledged and not chat.scripted:
        _find_people(chat, FIRST, lambda names: _ask_for_markers(chat, names, _ask_for_unread_in_private))
    else:
        _finish_when_answered(chat, asked=asked)


def count_unread(chat: Chat) -> None:
    """How much is unread, in our rooms and in private."""
    asked = _ask_for_unread_in_rooms(chat, Why.COUNT)

    def count(chat: Chat, names: list[str]) -> None:
        for name in names:
            _ask_since_marker(chat, Why.COUNT, name)
        if not asked and not names:
            known = any(chat.history.markers.values())
            text = _("nothing unread") if known else _("Nothing is known of what you have read yet.")
            chat.tell(Tone.ANSWER, text)

    if READ_MARKER in chat.login.acknowledged:
        _find_people(chat, FIRST, lambda targets: _ask_for_markers(chat, targets, count))
    else:
        count(chat, [])


def mark_read(chat: Chat) -> None:
    """The user is at the keyboard: what the current room shows is read, on all devices, and what came in private,
    which is shown whatever room is current.
    """
    if chat.scripted or not chat.online or READ_MARKER not in chat.login.acknowledged:
        return
    for place, seen in chat.history.latest.items():
        is_here = not is_room(place) or chat.rooms.is_current(place)
        if is_here and seen.time > chat.history.markers.get(place, ""):
            chat.history.markers[place] = seen.time
            chat.send(Message("MARKREAD", (seen.name, f"timestamp={seen.time}")))


# Rooms


def _ask_at_start(chat: Chat) -> bool:
    """The last screenful of the current room, and how much is unread in all; whether we ask for anything."""
    current = chat.rooms.current
    if current is not None:
        ask(chat, Why.START, "LATEST", current, "*", SCREENFUL_MESSAGES)
        # Where nothing is known of what was read here, what is shown is enough.
        is_known = bool(chat.history.markers.get(fold(current)))
        _ask_for_unread_in_rooms(chat, Why.UNREAD, besides="" if is_known else current)
    return current is not None


def _ask_for_unread_in_rooms(chat: Chat, why: Why, besides: str = "") -> int:
    """How much is unread in our rooms; in how many we ask."""
    known = [room for room in chat.rooms.names() if fold(room) in chat.history.markers]
    asked = [room for room in known if fold(room) != fold(besides)]
    for room in asked:
        _ask_since_marker(chat, why, room)
    return len(asked)


def _ask_for_missed_in_rooms(chat: Chat) -> bool:
    """What was said in our rooms while the connection was lost; whether we ask for anything."""
    points: dict[str, str] = {}
    for room in chat.rooms.names():
        if seen := chat.history.latest.get(fold(room)):
            points[room] = f"msgid={seen.msgid}"
        elif chat.history.since:
            points[room] = f"timestamp={_a_little_before(chat.history.since)}"
    for room, point in points.items():
        ask(chat, Why.MISSED, "AFTER", room, point, MISSED_MESSAGES)
    return bool(points)


# Conversations with people


def _find_people(chat: Chat, since: str, then: Callable[[list[tuple[str, str]]], None]) -> None:
    """Find with whom something was said since then: `then` gets their names and when that was, the latest last."""
    if not chat.login.acknowledged >= NEEDED:
        _when_answered(chat, lambda: then([]))
        return
    chat.ask("CHATHISTORY", "TARGETS", f"timestamp={LAST}", f"timestamp={since}", str(TARGETS_LIMIT))

    def found() -> None:
        # What was said to rooms up to now is shown: their requests came before.
        chat.history.release(chat, rooms_only=chat.history.holds_private)
        targets = [target for batch in chat.history.targets.values() for target in batch]
        chat.history.targets.clear()
        then(sorted((target for target in targets if not is_room(target[0])), key=lambda target: target[1]))

    _when_answered(chat, found)


def _ask_for_missed_in_private(chat: Chat, people: list[tuple[str, str]], since: str) -> None:
    for name, _time in people:
        ask(chat, Why.MISSED, "AFTER", name, f"timestamp={since}", MISSED_MESSAGES)
    _finish_when_answered(chat, asked=bool(people))


def _ask_for_markers(chat: Chat, people: list[tuple[str, str]], then: Callable[[Chat, list[str]], None]) -> None:
    """Ask up to where conversations are read; `then` gets the names where something is not."""
    people = people[-PRIVATE_LIMIT:]
    for name, _time in people:
        if fold(name) not in chat.history.markers:
            chat.ask("MARKREAD", name)

    def known() -> None:
        markers = chat.history.markers
        then(chat, [name for name, time in people if time > markers.get(fold(name), "")])

    if people:
        _when_answered(chat, known)
    else:
        known()


def _ask_for_unread_in_private(chat: Chat, names: list[str]) -> None:
    chat.history.private_shown = max(1, min(SCREENFUL_MESSAGES, PRIVATE_MESSAGES // max(1, len(names))))
    for name in names:
        _ask_since_marker(chat, Why.PRIVATE, name)
    _finish_when_answered(chat, asked=bool(names))


def _ask_since_marker(chat: Chat, why: Why, place: str) -> None:
    marker = chat.history.markers.get(fold(place))
    ask(chat, why, "LATEST", place, f"timestamp={marker}" if marker else "*", COUNTED_MESSAGES)


# Steps


def _when_answered(chat: Chat, then: Callable[[], None]) -> None:
    """When the server has answered everything that was asked up to now."""
    chat.history.steps[chat.put_barrier()] = then


def _finish_when_answered(chat: Chat, *, asked: bool) -> None:
    """When all of before is shown, what is said now is shown as it comes."""

    def finish() -> None:
        chat.history.is_complete = True
        chat.history.release(chat)

    if asked:
        _when_answered(chat, finish)
    else:
        finish()


def _a_little_before(time: str) -> str:
    """A time that is certainly before the one that a server has told."""
    try:
        return f"{datetime.fromisoformat(time) - FUZZ:%Y-%m-%dT%H:%M:%S.000Z}"
    except ValueError:
        return time
