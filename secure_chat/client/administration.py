"""Slash commands about who is here, and by what: invitations, devices, resets, ignoring, keeping order."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from secure_chat.client.catching_up import count_unread
from secure_chat.client.history import ASKED_LIMIT_MESSAGES, CAPABILITY, SCREENFUL_MESSAGES, Why, ask, moment
from secure_chat.client.slash import (
    SlashError,
    first_and_rest,
    person_of,
    require_connection,
    room_of,
    send_asked,
    slash,
    usage_of,
)
from secure_chat.client.texts import _, marked
from secure_chat.protocol.message import Secret
from secure_chat.protocol.names import is_room
from secure_chat.protocol.sasl import encode_chunks

if TYPE_CHECKING:
    from secure_chat.client.state import Chat


@slash(
    "invitation",
    usage=marked("/invitation [for=NAME] [uses=N] [expires=7d] [room=ROOM]"),
    what=marked("make a link that lets somebody in"),
)
def invitation(chat: Chat, rest: str) -> None:
    """Make an invitation."""
    send_asked(chat, "INVITATION", "ADD", *rest.split())


@slash("invitations", usage=marked("/invitations [revoke ID]"), what=marked("list or revoke invitations"))
def invitations(chat: Chat, rest: str) -> None:
    """List the open ones, or revoke one."""
    match rest.split():
        case []:
            send_asked(chat, "INVITATION", "LIST")
        case ["revoke", number]:
            send_asked(chat, "INVITATION", "REVOKE", number)
        case _:
            raise usage_of("invitations")


@slash(
    "history",
    usage=marked("/history [ROOM|NAME] [N|TIME]"),
    what=marked("show what was said before, here or elsewhere"),
)
def history(chat: Chat, rest: str) -> None:
    """The last N messages here, elsewhere or with somebody, or those since a time (18:30) or a day (2026-11-20)."""
    require_connection(chat)
    if CAPABILITY not in chat.login.acknowledged:
        raise SlashError(_("This server keeps no history."))
    first, _space, more = rest.partition(" ")
    if first and not first[0].isdigit():  # no name begins with a digit
        place, rest = room_of(chat, first) if is_room(first) else person_of(first), more.strip()
    else:
        place = room_of(chat, "")
    if not rest or (rest.isascii() and rest.isdigit()):
        count = min(max(int(rest or SCREENFUL_MESSAGES), 1), ASKED_LIMIT_MESSAGES)
        ask(chat, Why.ASKED, "LATEST", place, "*", count)
        return
    since = moment(rest, datetime.now(UTC).astimezone())
    if since is None:
        raise usage_of("history")
    ask(chat, Why.ASKED, "AFTER", place, f"timestamp={since}", ASKED_LIMIT_MESSAGES)


@slash("unread", usage=marked("/unread"), what=marked("count what you have not read, in your rooms and in private"))
def unread(chat: Chat, rest: str) -> None:  # noqa: ARG001 - every command is given the rest
    """Count anew."""
    require_connection(chat)
    count_unread(chat)


@slash("devices", usage=marked("/devices"), what=marked("list your devices"))
def devices(chat: Chat, rest: str) -> None:  # noqa: ARG001 - every command is given the rest
    """List devices that have a token."""
    send_asked(chat, "DEVICE", "LIST")


@slash(
    "device",
    usage=marked("/device add NAME, /device revoke NAME"),
    what=marked("make a token for another client or a bot; end one"),
    needs_text=True,
)
def device(chat: Chat, rest: str) -> None:
    """Add or revoke a device."""
    match rest.split():
        case ["add" | "revoke" as act, name]:
            send_asked(chat, "DEVICE", act.upper(), name)
        case _:
            raise usage_of("device")


@slash("reset", usage=marked("/reset NAME"), what=marked("help who forgot the password"), needs_text=True)
def reset(chat: Chat, rest: str) -> None:
    """Get a link that sets a new password."""
    send_asked(chat, "RESET", person_of(rest))


@slash("recovery", usage=marked("/recovery"), what=marked("get ten codes for when you forget your password"))
def recovery(chat: Chat, rest: str) -> None:  # noqa: ARG001
    """Only the keyboard can ask for the password; `recovery_codes` is what it calls."""
    raise SlashError(_("/recovery asks for the password itself, and only at a terminal."))


@slash("ignore", usage=marked("/ignore [NAME]"), what=marked("see nothing more of somebody; without a name: list"))
def ignore(chat: Chat, rest: str) -> None:
    """Ignore somebody, on all devices."""
    send_asked(chat, "IGNORE", *([person_of(rest)] if rest else []))


@slash("unignore", usage=marked("/unignore NAME"), what=marked("see somebody again"), needs_text=True)
def unignore(chat: Chat, rest: str) -> None:
    """End it."""
    send_asked(chat, "IGNORE", f"-{person_of(rest)}")


@slash("kick", usage=marked("/kick NAME [REASON]"), what=marked("put somebody out of this room"), needs_text=True)
def kick(chat: Chat, rest: str) -> None:
    """Put somebody out of the current room."""
    name, _space, reason = rest.partition(" ")
    reasons = [reason.strip()] if reason.strip() else []
    send_asked(chat, "KICK", room_of(chat, ""), person_of(name), *reasons)


@slash(
    "mute",
    usage=marked("/mute [ROOM] NAME DURATION [REASON]"),
    what=marked("silence a person, in a room or everywhere (10m, 2h, 1d, off)"),
    needs_text=True,
)
def mute(chat: Chat, rest: str) -> None:
    """Silence somebody for a while; the server lets operators in their room, administrators everywhere."""
    where: list[str] = []
    if rest.startswith("#"):
        room, rest = first_and_rest("mute", rest)
        where = [room_of(chat, room)]
    name, more = first_and_rest("mute", rest)
    duration, _space, reason = more.partition(" ")
    reasons = [reason.strip()] if reason.strip() else []
    send_asked(chat, "MUTE", *where, person_of(name), duration, *reasons)


def recovery_codes(chat: Chat, password: Secret) -> None:
    """Ask for ten codes. Raises SlashError."""
    chunk, *rest = encode_chunks(password.reveal().encode())
    if rest:
        raise SlashError(_("Your password is too long for this; change it first."))
    send_asked(chat, "RECOVERY", Secret(chunk))
