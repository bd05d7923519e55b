"""What our server says, and what the client says instead, so that it is in the user's language.

A template has `{}` for what differs: a name, a number, a time. Both sides of a pair have the same ones in the same
order. `tests/client/test_server_texts.py` finds refusals of the server that are missing here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from secure_chat.client.texts import _, marked

SAME = (
    # Who one is
    marked("Wrong name or password"),
    marked("Wrong name, or this token was revoked"),
    marked("A token is not enough for this: give the account's password"),
    marked("Too many wrong passwords; try again in {} s"),
    marked("Too many wrong codes; try again in {} s"),
    marked("The server is busy with logins; try again later"),
    marked("The server cannot use its disk; try again later"),
    marked("This account cannot be used now"),
    marked("This account was disabled"),
    marked("This account was removed"),
    marked("The password was set by an administrator: log in again with the new one"),
    marked("The password was changed: log in again with the new one"),
    marked("Your password is changed"),
    marked("Server is shutting down"),
    marked("The name {} is taken; choose another one"),
    marked("The name {} is taken"),
    # Codes and devices
    marked("You are logged in as {} already"),
    marked("Too many accounts were registered from your address; try again in {} min"),
    marked("There is no such code"),
    marked("This code is mistyped: a character is missing or wrong"),
    marked("This code is for {}"),
    marked("This code is for another name"),
    marked("This code was revoked"),
    marked("This code has been used already"),
    marked("This code has expired"),
    marked("This server has an administrator already"),
    marked("Registration is closed on this server"),
    marked("There are {} codes already; revoke some first, or wait until some expire"),
    marked("Your open invitations are for {} people; {} is the most"),
    marked("There is no invitation {}"),
    marked("An invitation has 1 to {} uses, not {}"),
    marked("An invitation is valid for a time such as 7d or 12h"),
    marked("A device's name has letters, digits, _ . and -, at most {} of them"),
    marked("There is a device {} already; revoke it first, or choose another name"),
    marked("{} has no device {}"),
    marked("{} has {} devices already; revoke one first"),
    # New passwords
    marked("The password holds a control character. Use letters, digits, signs and spaces."),
    marked("The password is longer than {} bytes. Choose a shorter one."),
    marked("The password is shorter than {} characters. Some words in a row make a good one."),
    marked("The password looks like the token of a device. Choose another one."),
    marked("The password is the account's name. Choose another one."),
    marked("The password is among the most common ones, which are guessed first. Choose another one."),
    # Talking
    marked("You cannot ignore yourself"),
    marked("You ignore {} people already"),
    marked("You are muted until {}"),
    marked("You are muted until {}; you can still write to administrators"),
    marked("You are muted in this room until {}"),
    marked("Operators of the room cannot be muted in it"),
    marked("Only who was given a voice may speak in this room now"),
    marked("You are banned from this room"),
    marked("Not online now; a private message will be delivered later"),
    marked("Input line was too long; it cannot be answered"),
    marked("{} takes at most {} targets at once; nothing was done"),
    marked("The server could not write to its disk; nothing was sent or changed; try again later"),
    marked(
        "The server could not write to its disk; it is not known whether this was kept; look before you repeat it"
    ),
    # What was done
    marked("Give this to {}; it is valid until {}: {}"),
    marked("Give this to {}, not over this chat; it is valid for 24 hours: {}"),
    marked("The invitation {} is revoked"),
    marked("There is no open invitation"),
    marked("{} open invitations"),
    marked("{}: for {}, {} of {} uses left, until {}, made by {}"),
    marked("The token of {}, shown only now; it is used as the password: {}"),
    marked("No device has a token"),
    marked("{} devices have a token"),
    marked("{}: since {}, last seen {} from {}, this device"),
    marked("{}: since {}, last seen {} from {}, connected"),
    marked("{}: since {}, last seen {} from {}"),
    marked("{}: since {}, last seen never"),
    marked("Recovery code {} of {}: {}"),
    marked("Keep them on paper: each sets a new password, once. Codes from before are worth nothing now"),
    marked("You ignore nobody"),
    marked("You ignore {} people"),
    marked("You ignore {}"),
    marked("You see nothing more of what {} says"),
    marked("You see again what {} says"),
    marked("You are muted in {} until {}"),
    marked("You are no longer muted in {}"),
    marked("You are no longer muted"),
    marked("Missing parameters"),
    marked("This search takes too long; name a room, a person or a time"),
    marked("Write at least one word to search for"),
    marked("At most {} words can be searched for at once"),
    marked("This is no way to ask"),
    marked("Messages could not be retrieved"),
    marked("Messages could not be retrieved; try again later"),
    marked("There is no such message here"),
    # Rooms
    marked("There is no such room, and only administrators may make one"),
    marked("You are in {} rooms already; leave one first"),
    marked("A topic can have at most {} bytes; nothing was changed"),
    marked("A reason can have at most {} bytes; nothing was done"),
    marked("The founder of a room stays its operator"),
    marked("Everybody is in the lobby: this mode is not for it"),
    marked("A key has 1 to {} bytes and no comma or space"),
    marked("A limit is a number from 1 to {}"),
    marked("A mask has 1 to {} bytes and no space"),
    marked("A room has at most {} bans"),
    marked("Whose role? Name a member"),
    # Names
    marked("The name {} is reserved"),
    marked("A name cannot begin with a digit or '-'"),
    marked("A name cannot be empty"),
    marked("A name cannot have a space in it"),
    marked("A name cannot have {} in it"),
    marked("A name cannot mix directions of writing like this"),
    marked("A name can have at most {} characters and {} bytes"),
    marked("A room's name begins with #"),
    marked("A room's name cannot be empty"),
    marked("A room's name cannot have a space in it"),
    marked("A room's name cannot have {} in it"),
    marked("A room's name cannot mix directions of writing like this"),
    marked("A room's name can have at most {} characters and {} bytes"),
)
"""Said as the server says it."""

OTHERWISE: Mapping[str, str] = {
    "The name {} is taken; REGISTER another one": marked("The name {} is taken; choose another one"),
    "REGISTER this name first, on this connection": marked("A code needs the name it is for, on this connection"),
    'Registration is closed; set [registration] mode = "invite" to invite people': marked(
        "Nobody can be invited: registration is closed on this server"
    ),
    "The founder of a room cannot be taken out of it": marked("The founder of a room cannot be put out of it"),
    "You are not in that room; join it first": marked("You are not in that room; go into it with /join first"),
    "Too many devices of this account are connected; disconnect one first": marked(
        "Too many of your devices are connected; disconnect one first"
    ),
    "Not enough parameters. Usage: {}": marked("Something is missing; the server expects: {}"),
    "There are no user modes here": marked("People have no modes on this server"),
    "Can't change mode for other users": marked("Modes of other people cannot be changed"),
    "is unknown mode char to me": marked("There is no such mode"),
}
"""Said in words that do not take IRC for known."""

TEMPLATES: Mapping[str, str] = {**{text: text for text in SAME}, **OTHERWISE}
_WITH_PLACES = [
    (re.compile("(.+)".join(map(re.escape, template.split("{}"))), re.DOTALL), own)
    # The longer first: a template that begins like another must not swallow its end.
    for template, own in sorted(TEMPLATES.items(), key=lambda pair: -len(pair[0]))
    if "{}" in template
]


def said_by_server(text: str) -> str | None:
    """A text of the server in words of ours; None where it is none of those above."""
    if own := TEMPLATES.get(text):
        return _(own)
    for pattern, own in _WITH_PLACES:
        if found := pattern.fullmatch(text):
            return _(own).format(*found.groups())
    return None
