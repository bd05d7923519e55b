"""The server's refusals and farewells in the client's own words, so that they are in the user's language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from secure_chat.client.texts import _, marked

ACCOUNT_ENDINGS = (
    "This account was disabled",
    "This account was removed",
    "The password was set",
    "The password was changed",
)
"""How farewells begin after which this account and password cannot come back."""


@dataclass(frozen=True, slots=True)
class Own:
    """A text of ours, English; pass it to `_` where it is shown. `facts`: the server's own text says more than it
    (until when, why), so both are shown.
    """

    text: str
    facts: bool = False


KEYS: Mapping[str, Own] = {
    "CANNOT_LEAVE": Own(marked("Everybody is in the lobby; it cannot be left")),
    "CANNOT_KICK": Own(marked("Nobody can be put out of the lobby; /mute NAME 10m silences somebody")),
    "CANNOT_MUTE": Own(marked("Administrators cannot be muted")),
    "INTERNAL_ERROR": Own(marked("The server made a mistake; this was not done")),
    "INVALID_CREDENTIALS": Own(marked("Wrong name or password")),
    "INVALID_DURATION": Own(
        marked("A duration is a number and s, m, h or d, at most a year (10m, 2h, 1d), or off")
    ),
    "MUTED": Own(marked("You are muted, and can write only to administrators"), facts=True),
    "POST_ID_REUSED": Own(marked("Another message has taken this one's number; nothing was sent")),
    "STORAGE_ERROR": Own(marked("The server could not store this, so it was not done; try again later")),
    "TOO_MANY_SESSIONS": Own(marked("Too many of your devices are connected; disconnect one first")),
    "TRY_AGAIN_LATER": Own(marked("Too many attempts; try again later"), facts=True),
    "WEAK_PASSWORD": Own(marked("The new password is too easy to guess"), facts=True),
    "401": Own(marked("There is nobody of that name")),
    "403": Own(marked("There is no such room")),
    "404": Own(marked("You cannot speak in this room now"), facts=True),
    "405": Own(marked("You are in too many rooms; leave one first")),
    "417": Own(marked("This is too long; nothing was done")),
    "433": Own(marked("This name belongs to somebody else")),
    "442": Own(marked("You are not in that room")),
    "447": Own(marked("Your name is that of your account and cannot be changed")),
    "464": Own(marked("the server does not accept this name and password"), facts=True),
    "471": Own(marked("This room is full")),
    "473": Own(marked("This room is only for who was invited; ask one of its members")),
    "474": Own(marked("You are banned from this room")),
    "475": Own(marked("This room needs its key: /join ROOM KEY")),
    "481": Own(marked("Only administrators may do that")),
    "482": Own(marked("Only operators of the room may do that")),
    "904": Own(marked("the server does not accept this name and password"), facts=True),
}
"""By the code of a FAIL, or by numeric."""

TEXTS: Mapping[str, str] = {
    "Not online now; a private message will be delivered later": marked(
        "Not online now; a private message will be delivered later"
    ),
    "There is no such room, and only administrators may make one": marked(
        "There is no such room, and only administrators may make one"
    ),
    "The founder of a room cannot be taken out of it": marked("The founder of a room cannot be put out of it"),
    "You are not in that room; join it first": marked("You are not in that room; go into it with /join first"),
    "Only who was given a voice may speak in this room now": marked(
        "Only who was given a voice may speak in this room now"
    ),
    "You are banned from this room": marked("You are banned from this room"),
    "Wrong name or password": marked("Wrong name or password"),
    "The server is busy with logins; try again later": marked("The server is busy with logins; try again later"),
    "The server cannot use its disk; try again later": marked("The server cannot use its disk; try again later"),
    "This account cannot be used now": marked("This account cannot be used now"),
    "Your password is changed": marked("Your password is changed"),
    "Server is shutting down": marked("Server is shutting down"),
    "This account was disabled": marked("This account was disabled"),
    "This account was removed": marked("This account was removed"),
    "The password was set by an administrator: log in again with the new one": marked(
        "The password was set by an administrator: log in again with the new one"
    ),
    "The password was changed: log in again with the new one": marked(
        "The password was changed: log in again with the new one"
    ),
    "Too many devices of this account are connected; disconnect one first": marked(
        "Too many of your devices are connected; disconnect one first"
    ),
}
"""Where a code or numeric has several meanings, or there is none: by what our server says."""

_THROTTLED = re.compile("Too many wrong passwords; try again in ([0-9]+) s")


def in_own_words(text: str, key: str = "") -> str:
    """What the server says in `text`, in words of ours where we know what it means: by the text itself, else by
    `key`, which is the numeric or the code of a FAIL. Else the text as it is.
    """
    if known := TEXTS.get(text):
        return _(known)
    if throttled := _THROTTLED.fullmatch(text):
        return _("Too many wrong passwords; try again in {seconds} s").format(seconds=throttled[1])
    own = KEYS.get(key)
    if own is None:
        return text
    return f"{_(own.text)} ({text})" if own.facts and text and text != own.text else _(own.text)


def ends_account(farewell: str) -> bool:
    """Whether it makes no sense to log in again after this farewell of the server."""
    return farewell.startswith(ACCOUNT_ENDINGS)
