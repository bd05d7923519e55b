"""What the server answers and refuses: numerics, FAIL, WARN and NOTE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secure_chat.client.events import Tone
from secure_chat.client.handlers import on, tell
from secure_chat.client.refusals import in_own_words
from secure_chat.client.rooms import PREFIXES
from secure_chat.client.texts import _, plural
from secure_chat.protocol.message import Message
from secure_chat.protocol.names import fold
from secure_chat.protocol.sasl import is_token

if TYPE_CHECKING:
    from secure_chat.client.state import Chat

COMMANDS = frozenset(
    {"AWAY", "JOIN", "LIST", "MUTE", "NAMES", "PART", "PASSWORD", "PING", "PRIVMSG", "QUIT", "TOPIC", "WHOIS"}
    | {"AUTHENTICATE", "CAP", "KICK", "NICK", "USER"}
)
"""What a refusal of something that we sent may name as the command refused."""
LOBBY_IS = "secure-chat.internal/LOBBY="
NAMES_SHOWN = 30
"""How many names of a room are listed unasked; the rest are counted."""


@on(
    *("001", "002", "003", "004", "042", "250", "251", "252", "253", "254", "255", "265", "266", "312", "315"),
    *("318", "321", "329", "330", "333", "369", "375", "396", "900", "901", "903", "907"),
    *("AUTHENTICATE", "CAP", "ACK", "TAGMSG", "AWAY", "ACCOUNT", "CHGHOST", "SETNAME"),
)
def unshown(chat: Chat, message: Message, label: str | None) -> None:
    """Nothing that a person wants to read."""


@on("005")
def supported(chat: Chat, message: Message, label: str | None) -> None:  # noqa: ARG001
    """What the server is like; we want to know the lobby's name."""
    for token in message.params[1:]:
        if token.startswith(LOBBY_IS):
            chat.rooms.lobby = token.removeprefix(LOBBY_IS) or None


@on("372", min_params=2)
def message_of_the_day(chat: Chat, message: Message, label: str | None) -> None:  # noqa: ARG001
    """A line of the owner's welcome, shown once and not after each reconnect."""
    if not chat.was_ready:
        tell(chat, message, Tone.ANSWER, message.params[-1].removeprefix("- "))


@on("376", "422")
def end_of_welcome(chat: Chat, message: Message, label: str | None) -> None:  # noqa: ARG001
    """The welcome is at its end."""
    chat.welcomed()


@on("331", "332", min_params=3)
def topic_is(chat: Chat, message: Message, label: str | None) -> None:  # noqa: ARG001
    """A room's topic, asked for or told on arrival."""
    name, text = message.params[1], message.params[2] if message.command == "332" else ""
    if room := chat.rooms.get(name):
        room.topic = text
    if not chat.is_returning:
        line = _("topic: {text}").format(text=text) if text else _("there is no topic")
        tell(chat, message, Tone.ANSWER, line, name)


@on("353", min_params=4)
def names_are(chat: Chat, message: Message, label: str | None) -> None:  # noqa: ARG001
    """Some of the people in a room."""
    name, names = message.params[-2], message.params[-1].split()
    if room := chat.rooms.get(name):
        room.list_names(names)
    else:
        chat.rooms.asked_about.discard(fold(name))
        tell(chat, message, Tone.ANSWER, _("here now: {names}").format(names=", ".join(names)), name)


@on("366", min_params=2)
def names_end(chat: Chat, message: Message, label: str | None) -> None:  # noqa: ARG001
    """The list of people in a room is whole."""
    name = message.params[1]
    room, asked = chat.rooms.get(name), fold(name) in chat.rooms.asked_about
    chat.rooms.asked_about.discard(fold(name))
    if room is None:
        if asked:
            tell(chat, message, Tone.ANSWER, _("no such room, or nobody is there"), name)
        return
    room.list_complete()
    if room.announce or asked:
        room.announce = False
        names = sorted(room.here.values(), key=lambda shown: fold(shown.lstrip(PREFIXES)))
        limit = len(names) if asked else NAMES_SHOWN
        text = _("here now: {names}").format(names=", ".join(names[:limit]))
        if more := max(0, len(names) - limit):
            text += plural(" and {count} more", " and {count} more", more).format(count=more)
        tell(chat, message, Tone.ANSWER, text, room.name)


@on("322", min_params=3)
def room_listed(chat: Chat, message: Message, label: str | None) -> None:  # noqa: ARG001
    """One room of a list."""
    name, count, topic = message.params[1], message.params[2], "".join(message.params[3:])
    online = int(count) if count.isdecimal() else 0
    text = plural("{count} person online", "{count} people online", online).format(count=online)
    tell(chat, message, Tone.ANSWER, f"{text}; {topic}" if topic else text, name)


@on("323")
def rooms_end(chat: Chat, message: Message, label: str | None) -> None:  # noqa: ARG001
    """The list of rooms is whole; ours may not be in it."""
    text = _("Your rooms: {rooms}").format(rooms=", ".join(chat.rooms.names()) or _("none"))
    tell(chat, message, Tone.ANSWER, text)


@on("301", min_params=3)
def is_away(chat: Chat, message: Message, label: str | None) -> None:  # noqa: ARG001
    """Whom we wrote to, or asked about, is away."""
    text = _("{name} is away: {text}").format(name=message.params[1], text=message.params[2])
    tell(chat, message, Tone.ANSWER, text)


@on("313", min_params=2)
def person_is_administrator(chat: Chat, message: Message, label: str | None) -> None:  # noqa: ARG001
    """Somebody administers the server."""
    text = _("{name} is an administrator of this server").format(name=message.params[1])
    tell(chat, message, Tone.ANSWER, text)


@on("311", "314", min_params=3)
def person_is(chat: Chat, message: Message, label: str | None) -> None:  # noqa: ARG001
    """Who somebody is."""
    text = _("{name} calls themselves “{real}”").format(name=message.params[1], real=message.params[-1])
    tell(chat, message, Tone.ANSWER, text)


@on("317", min_params=3)
def person_idle(chat: Chat, message: Message, label: str | None) -> None:  # noqa: ARG001
    """How long somebody has been silent."""
    seconds = message.params[2]
    minutes = int(seconds) // 60 if seconds.isdecimal() else 0
    text = plural(
        "{name} has been silent for {count} minute", "{name} has been silent for {count} minutes", minutes
    )
    tell(chat, message, Tone.ANSWER, text.format(name=message.params[1], count=minutes))


@on("319", min_params=3)
def person_in(chat: Chat, message: Message, label: str | None) -> None:  # noqa: ARG001
    """Which rooms somebody is in."""
    text = _("{name} is in {rooms}").format(name=message.params[1], rooms=", ".join(message.params[-1].split()))
    tell(chat, message, Tone.ANSWER, text)


@on("305", "306")
def own_absence(chat: Chat, message: Message, label: str | None) -> None:  # noqa: ARG001
    """We are away, or no longer."""
    text = _("You are marked as away.") if message.command == "306" else _("You are no longer marked as away.")
    tell(chat, message, Tone.ANSWER, text)


@on("number")
def any_number(chat: Chat, message: Message, label: str | None) -> None:  # noqa: ARG001
    """Any other numeric: its words as they are."""
    tell(chat, message, Tone.ANSWER, _in_words(message.params[1:]))


@on("NOTE", "WARN", min_params=3)
def noted(chat: Chat, message: Message, label: str | None) -> None:  # noqa: ARG001
    """The server remarks on a command (IRCv3 `standard-replies`)."""
    if chat.token_request is not None and chat.token_request.answered(chat, message):
        return
    if message.params[:2] == ("PASSWORD", "CHANGED") and chat.next_password is not None:
        if not is_token(chat.password.reveal()):
            chat.password = chat.next_password
        chat.next_password = None
    tell(chat, message, Tone.ANSWER, in_own_words(message.params[-1]))


@on("FAIL", min_params=3)
def failed(chat: Chat, message: Message, label: str | None) -> None:
    """A command is refused (IRCv3 `standard-replies`)."""
    if chat.token_request is not None and chat.token_request.refused(chat, message):
        return
    if message.params[0] == "PASSWORD":
        chat.next_password = None
    chat.refused = (label, message.params[-1])
    _refuse(chat, message, label, message.params[1], message.params[2:])


@on("refusal", min_params=2)
def any_refusal(chat: Chat, message: Message, label: str | None) -> None:
    """A command is refused by a numeric. One that only repeats a FAIL, for clients without those, is left out."""
    told, chat.refused = chat.refused, None
    if told is not None and told[0] == label and (label is not None or told[1] == message.params[-1]):
        return
    _refuse(chat, message, label, message.command, message.params[1:])


def _refuse(chat: Chat, message: Message, label: str | None, key: str, words: tuple[str, ...]) -> None:
    """Show a refusal, and undo what waited for the command: a post, or going into a room. `key` is the code or the
    numeric.
    """
    chat.rooms.refused(label, {fold(word) for word in words[:-1]})
    post = None
    if label is not None or "labeled-response" not in chat.login.acknowledged:
        post = chat.outbox.take(label, words[0] if len(words) > 1 else "")
    why = in_own_words(words[-1], key)
    if post is None:
        # The command's name means nothing to people who typed a slash command.
        about = [word for word in words[:-1] if word not in COMMANDS]
        tell(chat, message, Tone.REFUSED, _in_words((*about, why)))
        return
    text = _("Not sent: {why} Your text was: {text}").format(why=_sentence(why), text=post.text)
    tell(chat, message, Tone.REFUSED, text, post.target)
    chat.confirmed()


def _in_words(words: tuple[str, ...]) -> str:
    """The parameters of a reply: what it is about, then its text."""
    about = ", ".join(words[:-1])
    text = words[-1] if words else ""
    return f"{about}: {text}" if about else text


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
