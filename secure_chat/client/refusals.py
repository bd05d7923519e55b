"""The server's refusals and farewells in the client's own words, so that they are in the user's language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from secure_chat.client.server_texts import said_by_server
from secure_chat.client.texts import _, marked

ACCOUNT_ENDINGS = (
    "This account was disabled",
    "This account was removed",
    "The password was set",
    "The password was changed",
    "This device was revoked",
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
    "CONFLICT": Own(marked("This is in conflict with what is stored; nothing was done")),
    "INTERNAL_ERROR": Own(marked("The server made a mistake; this was not done")),
    "INVALID_CREDENTIALS": Own(marked("Wrong name or password")),
    "INVALID_POST_ID": Own(marked("The server does not accept this message's number; nothing was sent")),
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
    "432": Own(marked("This cannot be a name"), facts=True),
    "441": Own(marked("That person is not in the room")),
    "442": Own(marked("You are not in that room")),
    "443": Own(marked("That person is in the room already")),
    "447": Own(marked("Your name is that of your account and cannot be changed")),
    "464": Own(marked("the server does not accept this name and password"), facts=True),
    "467": Own(marked("This cannot be the key of a room"), facts=True),
    "471": Own(marked("This room is full")),
    "472": Own(marked("There is no such mode")),
    "473": Own(marked("This room is only for who was invited; ask one of its members")),
    "474": Own(marked("You are banned from this room")),
    "475": Own(marked("This room needs its key: /join ROOM KEY")),
    "478": Own(marked("The list of bans is full")),
    "481": Own(marked("Only administrators may do that")),
    "482": Own(marked("Only operators of the room may do that")),
    "501": Own(marked("People have no modes on this server")),
    "502": Own(marked("Modes of other people cannot be changed")),
    "696": Own(marked("This mode cannot be set like this"), facts=True),
    "904": Own(marked("the server does not accept this name and password"), facts=True),
}
"""By the code of a FAIL, or by numeric."""


def in_own_words(text: str, key: str = "") -> str:
    """What the server says in `text`, in words of ours where we know what it means: by the text itself, else by
    `key`, which is the numeric or the code of a FAIL. Else the text as it is.
    """
    if known := said_by_server(text):
        return known
    own = KEYS.get(key)
    if own is None:
        return text
    return f"{_(own.text)} ({text})" if own.facts and text and text != own.text else _(own.text)


def ends_account(farewell: str) -> bool:
    """Whether it makes no sense to log in again after this farewell of the server."""
    return farewell.startswith(ACCOUNT_ENDINGS)
