"""What people do: messages, joining and leaving, topics; and the lines that keep a connection going."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secure_chat.client.events import Tone
from secure_chat.client.handlers import is_own, on, said_event, tell
from secure_chat.client.history import TARGETS, show_said
from secure_chat.client.phases import Phase
from secure_chat.client.searching import SEARCH, show_found
from secure_chat.client.texts import _
from secure_chat.protocol.message import Message
from secure_chat.protocol.names import fold, is_room

if TYPE_CHECKING:
    from secure_chat.client.state import Chat


@on("PRIVMSG", "NOTICE", min_params=2)
def said(chat: Chat, message: Message, label: str | None) -> None:
    """Somebody said something; if we did, it is stored now, and that is when we show it."""
    target, body = message.params[:2]
    if "!" not in (message.source or "") and message.command == "NOTICE":
        tell(chat, message, Tone.ANSWER, body)
        return
    if is_own(chat, message.nick):
        chat.source = message.source
        _confirm(chat, label, target, body)
    event = said_event(chat, message)
    if event is not None and not chat.history.hold(message, private=event.private):
        show_said(chat, message, event)


def _confirm(chat: Chat, label: str | None, target: str, body: str) -> None:
    """Take the post out of the outbox whose echo this is. Without a label it is another device's message, unless
    the server knows no labels.
    """
    if label is None and "labeled-response" in chat.login.acknowledged:
        return
    if chat.outbox.take(label, target, body) is not None:
        chat.confirmed()


@on("JOIN", min_params=1)
def joined(chat: Chat, message: Message, label: str | None) -> None:  # noqa: ARG001 - a handler's signature
    """Somebody came into a room, or came online in it; for ourselves the server tells all about it next."""
    name = message.params[0]
    if not is_room(name) or " " in name:
        return
    if is_own(chat, message.nick):
        chat.source = message.source if "!" in (message.source or "") else chat.source
        room = chat.rooms.enter(name)
        room.announce = not chat.is_returning
        if chat.rooms.current is None and chat.phase is Phase.READY and not chat.scripted:
            chat.rooms.current = name
    elif room_here := chat.rooms.get(name):
        room_here.here[fold(message.nick)] = message.nick
        tell(chat, message, Tone.PRESENCE, _("{name} has joined").format(name=message.nick), room_here.name)


@on("PART", min_params=1)
def parted(chat: Chat, message: Message, label: str | None) -> None:  # noqa: ARG001
    """Somebody left a room for good."""
    name = message.params[0]
    if is_own(chat, message.nick):
        chat.rooms.leave(name, by_own_wish=True)
        tell(chat, message, Tone.PRESENCE, _("you have left"), name)
    elif room := chat.rooms.get(name):
        room.here.pop(fold(message.nick), None)
        text = _("{name} has left").format(name=message.nick)
        tell(chat, message, Tone.PRESENCE, _with_reason(text, message.params[1:]), room.name)


@on("QUIT")
def went_offline(chat: Chat, message: Message, label: str | None) -> None:  # noqa: ARG001
    """Somebody's last session has ended."""
    rooms = chat.rooms.with_person(message.nick)
    for room in rooms:
        room.here.pop(fold(message.nick), None)
    text = _with_reason(_("{name} has gone offline").format(name=message.nick), message.params)
    tell(chat, message, Tone.PRESENCE, text, ", ".join(room.name for room in rooms))


@on("KICK", min_params=2)
def kicked(chat: Chat, message: Message, label: str | None) -> None:  # noqa: ARG001
    """Somebody was put out of a room."""
    name, person = message.params[:2]
    if is_own(chat, person):
        chat.rooms.leave(name, by_own_wish=False)
        text = _("{name} has put you out of the room").format(name=message.nick)
    else:
        if room := chat.rooms.get(name):
            room.here.pop(fold(person), None)
        text = _("{name} has put {person} out of the room").format(name=message.nick, person=person)
    tell(chat, message, Tone.PRESENCE, _with_reason(text, message.params[2:]), name)


@on("NICK", min_params=1)
def renamed(chat: Chat, message: Message, label: str | None) -> None:  # noqa: ARG001
    """Somebody's name is spelled anew; ours is set to the account's name at the login."""
    old, new = message.nick, message.params[0]
    if is_own(chat, old):
        chat.login.nick = new
    for room in chat.rooms.with_person(old):
        del room.here[fold(old)]
        room.here[fold(new)] = new
        if not is_own(chat, new):
            text = _("{old} is called {new} now").format(old=old, new=new)
            tell(chat, message, Tone.PRESENCE, text, room.name)


@on("TOPIC", min_params=2)
def topic_set(chat: Chat, message: Message, label: str | None) -> None:  # noqa: ARG001
    """Somebody set or cleared a topic."""
    name, text = message.params[:2]
    if room := chat.rooms.get(name):
        room.topic = text
    line = _("{name} has set the topic: {text}") if text else _("{name} has removed the topic")
    tell(chat, message, Tone.PRESENCE, line.format(name=message.nick, text=text), name)


@on("MODE", min_params=2)
def modes_set(chat: Chat, message: Message, label: str | None) -> None:  # noqa: ARG001
    """Somebody changed a room's modes. What the server itself repeats at each arrival is not news."""
    if "!" in (message.source or "") and is_room(message.params[0]):
        text = _("{name} has set {modes}").format(name=message.nick, modes=" ".join(message.params[1:]))
        tell(chat, message, Tone.PRESENCE, text, message.params[0])


@on("INVITE", min_params=2)
def invited(chat: Chat, message: Message, label: str | None) -> None:  # noqa: ARG001
    """Somebody was invited to a room."""
    person, room = message.params[:2]
    if is_own(chat, person):
        text = _("{name} invites you to {room}. /join {room} goes there.").format(name=message.nick, room=room)
        tell(chat, message, Tone.ANSWER, text)


@on("PING")
def asked_for_life(chat: Chat, message: Message, label: str | None) -> None:  # noqa: ARG001
    """The server wants to know whether we are there."""
    chat.send(Message("PONG", message.params[:1]))


@on("PONG", min_params=1)
def answered(chat: Chat, message: Message, label: str | None) -> None:  # noqa: ARG001
    """Everything that we sent before the PING is answered."""
    token = message.params[-1]
    if (step := chat.history.steps.pop(token, None)) is not None:
        step()
    chat.barrier_reached(token)


@on("ERROR", min_params=1)
def farewell(chat: Chat, message: Message, label: str | None) -> None:  # noqa: ARG001
    """The server is about to close the connection and says why."""
    chat.farewell = message.params[-1]


@on("BATCH", min_params=1)
def batch(chat: Chat, message: Message, label: str | None) -> None:
    """A group of lines begins or ends; the label of the group is that of each line in it."""
    reference = message.params[0]
    if not reference.startswith("+"):
        chat.batches.pop(reference[1:], None)
        if reference[1:] in chat.history.batches:
            chat.history.end(chat, reference[1:])
        elif reference[1:] in chat.history.searches:
            show_found(chat, chat.history.searches.pop(reference[1:]))
    elif message.params[1:2] == ("chathistory",) and len(message.params) > 2:
        chat.history.begin(reference[1:], message.params[2], label)
    elif message.params[1:2] == (TARGETS,):
        chat.history.targets[reference[1:]] = []
    elif message.params[1:2] == (SEARCH,):
        chat.history.searches[reference[1:]] = []
    else:
        chat.batches[reference[1:]] = label


def _with_reason(text: str, reason: tuple[str, ...]) -> str:
    return f"{text} ({reason[0]})" if reason and reason[0] else text
