"""Slash commands: a row and a short function each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from secure_chat.client.events import Kind, Tone
from secure_chat.client.texts import _, marked
from secure_chat.errors import SecureChatError
from secure_chat.protocol.message import Message, Secret
from secure_chat.protocol.names import InvalidName, check_account_name, check_room_name, fold
from secure_chat.protocol.sasl import encode_chunks

if TYPE_CHECKING:
    from secure_chat.client.state import Chat


class SlashError(SecureChatError):
    """A slash command cannot be done; nothing was sent. The text says why."""


Action = Callable[["Chat", str], None]
"""Does a command, given what was typed after its name. Raises SlashError."""


@dataclass(frozen=True, slots=True)
class Row:
    """One command. `usage` and `what` are English; pass them to `_` where they are shown."""

    name: str
    usage: str
    what: str
    action: Action
    needs_text: bool


COMMANDS: dict[str, Row] = {}


def slash(*names: str, usage: str, what: str, needs_text: bool = False) -> Callable[[Action], Action]:
    """Enter the decorated function into the table, under the first of `names` and its other names.

    `needs_text`: it is not called with nothing behind its name.
    """

    def enter(action: Action) -> Action:
        for name in names:
            COMMANDS[name] = Row(names[0], usage, what, action, needs_text)
        return action

    return enter


def run(chat: Chat, line: str) -> None:
    """Do the command in `line`, which begins with a slash. Raises SlashError; an unknown command is never sent."""
    name, rest = split_line(line)
    row = COMMANDS.get(name)
    if row is None:
        raise SlashError(
            _("There is no command /{name}. /help lists them; to say text that begins with / write //.").format(
                name=name
            )
        )
    if row.needs_text and not rest:
        raise usage_of(row.name)
    row.action(chat, rest)


def command_in(line: str) -> str | None:
    """The name, in lower case, of the command that a typed line is (the word "exit" is one); None for text."""
    if line.startswith("/") and not line.startswith("//"):
        return split_line(line)[0]
    return "exit" if line.strip() == "exit" else None


def split_line(line: str) -> tuple[str, str]:
    """The command's name without its slash, in lower case, and the rest."""
    name, _space, rest = line[1:].partition(" ")
    return name.casefold(), rest.strip()


@slash("msg", usage=marked("/msg NAME text"), what=marked("say something to one person"), needs_text=True)
def msg(chat: Chat, rest: str) -> None:
    """Say something in private."""
    name, text = first_and_rest("msg", rest)
    name = person_of(name)
    chat.people.add(name)
    chat.say(name, text)


@slash("r", usage=marked("/r text"), what=marked("answer the last private message"), needs_text=True)
def answer(chat: Chat, rest: str) -> None:
    """Answer whoever wrote in private last."""
    if chat.partner is None:
        raise SlashError(_("Nobody has written to you in private yet."))
    chat.say(person_of(chat.partner), rest)


@slash("join", usage=marked("/join ROOM"), what=marked("go into a room, or make it"), needs_text=True)
def join(chat: Chat, rest: str) -> None:
    """Join a room; it is the current one from now on, so that the next line goes there or nowhere."""
    name, _space, key = rest.partition(" ")
    room = room_name_of(name)
    if known := chat.rooms.get(room):
        chat.rooms.current = known.name
        return
    label = send_asked(chat, "JOIN", room, *([key.strip()] if key.strip() else []))
    chat.rooms.ask_for(room, label)


@slash("leave", "part", usage=marked("/leave [ROOM]"), what=marked("leave a room for good"))
def leave(chat: Chat, rest: str) -> None:
    """Stop being a member of a room."""
    name = room_of(chat, rest)
    send_asked(chat, "PART", name)
    chat.rooms.about_to_leave(name)


@slash(
    "room", usage=marked("/room ROOM"), what=marked("say what you type in that room from now on"), needs_text=True
)
def room(chat: Chat, rest: str) -> None:
    """Switch the current room."""
    known = chat.rooms.get(room_name_of(rest))
    if known is None:
        raise SlashError(_("You are not in {room}. /join {room} goes there.").format(room=room_name_of(rest)))
    chat.rooms.current = known.name


@slash("rooms", usage=marked("/rooms"), what=marked("list your rooms and those you could join"))
def rooms(chat: Chat, rest: str) -> None:  # noqa: ARG001 - every command is given the rest
    """List rooms; the handler of the list's end adds ours."""
    send_asked(chat, "LIST")


@slash("who", usage=marked("/who [ROOM]"), what=marked("list who is online in a room"))
def who(chat: Chat, rest: str) -> None:
    """List who is online."""
    name = room_of(chat, rest)
    send_asked(chat, "NAMES", name)
    chat.rooms.asked_about.add(fold(name))


@slash("whois", usage=marked("/whois NAME"), what=marked("tell about a person"), needs_text=True)
def whois(chat: Chat, rest: str) -> None:
    """Ask the server about a person."""
    send_asked(chat, "WHOIS", person_of(rest))


@slash("topic", usage=marked("/topic [text]"), what=marked("show or set the topic of this room"))
def topic(chat: Chat, rest: str) -> None:
    """Show or set the current room's topic."""
    send_asked(chat, "TOPIC", room_of(chat, ""), *([rest] if rest else []))


@slash("me", usage=marked("/me text"), what=marked("say what you do: /me waves"), needs_text=True)
def me(chat: Chat, rest: str) -> None:
    """Say an action in the current room."""
    chat.say_here(rest, Kind.ACTION)


@slash("away", usage=marked("/away [text]"), what=marked("tell that you are away; without text: back again"))
def away(chat: Chat, rest: str) -> None:
    """Be away, or back."""
    send_asked(chat, "AWAY", *([rest] if rest else []))


@slash("password", usage=marked("/password"), what=marked("change your password (it is asked for)"))
def password(chat: Chat, rest: str) -> None:  # noqa: ARG001
    """Only the keyboard can ask for passwords; `change_password` is what it calls."""
    raise SlashError(_("/password asks for the passwords itself, and only at a terminal."))


@slash(
    "say", usage=marked("/say text"), what=marked("say text as it is, even if it begins with /"), needs_text=True
)
def say(chat: Chat, rest: str) -> None:
    """Say text."""
    chat.say_here(rest)


@slash("help", usage=marked("/help [COMMAND]"), what=marked("list the commands, or tell about one"))
def show_help(chat: Chat, rest: str) -> None:
    """Show the table, or a row of it."""
    if not rest:
        width = max(len(_(row.usage)) for row in COMMANDS.values())
        for name, row in COMMANDS.items():
            if name == row.name:
                chat.tell(Tone.ANSWER, f"{_(row.usage):<{width}}  {_(row.what)}")
        return
    found = COMMANDS.get(rest.removeprefix("/").casefold())
    if found is None:
        raise SlashError(_("There is no command /{name}.").format(name=rest.removeprefix("/")))
    chat.tell(Tone.ANSWER, f"{_(found.usage)} - {_(found.what)}")


@slash("quit", "exit", usage=marked("/quit"), what=marked("leave the chat (also /exit, exit, Ctrl-D)"))
def leave_chat(chat: Chat, rest: str) -> None:  # noqa: ARG001
    """Go."""
    chat.quit()


def change_password(chat: Chat, old: Secret, new: Secret) -> None:
    """Send the old and the new password; the answer shows whether the new one holds. Raises SlashError."""
    require_connection(chat)
    *chunks, last = encode_chunks(f"{old.reveal()}\0{new.reveal()}".encode())
    for chunk in chunks:
        chat.send(Message("PASSWORD", (Secret(chunk),)))
    chat.next_password = new
    chat.ask("PASSWORD", Secret(last))


def send_asked(chat: Chat, command: str, *params: str) -> str | None:
    """Send a command with a label, and give the label. Raises SlashError without a connection."""
    require_connection(chat)
    return chat.ask(command, *params)


def require_connection(chat: Chat) -> None:
    """Raises SlashError without a connection."""
    if not chat.online:
        raise SlashError(_("There is no connection at the moment. Repeat this when it is back."))


def usage_of(name: str) -> SlashError:
    """What says how the command is written."""
    return SlashError(_("Write it like this: {usage}").format(usage=_(COMMANDS[name].usage)))


def first_and_rest(name: str, rest: str) -> tuple[str, str]:
    """The first word and what follows. Raises SlashError where there is only one."""
    first, _space, more = rest.partition(" ")
    if not more.strip():
        raise usage_of(name)
    return first, more.strip()


def person_of(name: str) -> str:
    """A person's name as typed. Raises SlashError where it cannot be one."""
    try:
        return check_account_name(name)
    except InvalidName as error:
        raise SlashError(_("“{name}” is not a name: {why}.").format(name=name, why=error)) from None


def room_name_of(name: str) -> str:
    """A room's name as typed, with or without its `#`."""
    try:
        return check_room_name(name if name.startswith("#") else f"#{name}")
    except InvalidName as error:
        raise SlashError(_("“{name}” is not a room: {why}.").format(name=name, why=error)) from None


def room_of(chat: Chat, name: str) -> str:
    """The room named, or else the current one."""
    if name:
        return room_name_of(name)
    if chat.rooms.current is None:
        raise SlashError(_("You are in no room. Go into one with /join ROOM."))
    return chat.rooms.current
