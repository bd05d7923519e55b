"""From a line to the decisions that it asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from typing import NoReturn

from msgspec import Struct, field

import secure_chat.commands.accounts
import secure_chat.commands.capabilities
import secure_chat.commands.devices
import secure_chat.commands.exporting
import secure_chat.commands.history
import secure_chat.commands.ignoring
import secure_chat.commands.invitations
import secure_chat.commands.messages
import secure_chat.commands.moderation
import secure_chat.commands.presence
import secure_chat.commands.queries
import secure_chat.commands.recovery
import secure_chat.commands.redeeming
import secure_chat.commands.registration
import secure_chat.commands.room_modes
import secure_chat.commands.rooms
import secure_chat.commands.searching  # noqa: F401 - they enter their commands into the table
from secure_chat.chat.errors import CommandError, need_more_params
from secure_chat.chat.sessions import Session
from secure_chat.commands.context import Context
from secure_chat.commands.registry import COMMANDS, Command, Lists
from secure_chat.errors import ProtocolError
from secure_chat.protocol.capabilities import Capability
from secure_chat.protocol.lines import LineTooLong
from secure_chat.protocol.message import NO_TAGS, InvalidUtf8, Message
from secure_chat.protocol.names import fold
from secure_chat.protocol.numerics import Numeric

LABEL_LIMIT_BYTES = 64
Line = Message | ProtocolError


class Unit(Struct, frozen=True):
    """A command and what it asks for: a decision for each element of its list."""

    command: str
    decisions: Sequence[Callable[[Context], None]]
    tags: Mapping[str, str] = field(default_factory=lambda: NO_TAGS)
    label: str | None = None


def units_of(session: Session, line: Line) -> Unit:
    """What this line asks for: at least a refusal."""
    if isinstance(line, ProtocolError):
        return Unit("*", [_refusal(_unreadable(line))])
    label = line.tags.get("label")
    if not label or not session.has(Capability.LABELED_RESPONSE) or len(label.encode()) > LABEL_LIMIT_BYTES:
        label = None
    try:
        row = _row(session, line)
        decisions = [_call(row, params) for params in _elements(row, line.params)]
    except CommandError as error:
        decisions = [_refusal(error)]
    return Unit(line.command, decisions, line.tags, label)


def _unreadable(error: ProtocolError) -> CommandError:
    match error:
        case LineTooLong():
            return CommandError(str(error), Numeric.ERR_INPUTTOOLONG)
        case InvalidUtf8():
            return CommandError(str(error), code="INVALID_UTF8")
        case _:
            return CommandError(f"This line is not an IRC message: {error}", code="MALFORMED")


def _row(session: Session, line: Message) -> Command:
    row = COMMANDS.get(line.command)
    if not session.welcomed and (row is None or not row.before_login):
        text = "You have not registered: log in first"
        raise CommandError(text, Numeric.ERR_NOTREGISTERED)
    if row is None:
        raise CommandError("Unknown command", Numeric.ERR_UNKNOWNCOMMAND, (line.command,))
    if session.welcomed and not row.after_login:
        raise CommandError("You may not reregister", Numeric.ERR_ALREADYREGISTERED)
    if len(line.params) < row.min_params or "" in line.params[: row.min_params]:
        raise need_more_params(row.name, row.usage)
    return row


_PLACES = {Lists.NONE: None, Lists.FIRST: 0, Lists.PAIRED: 0, Lists.SECOND: 1}
"""Which parameter is the list."""


def _elements(row: Command, params: tuple[str, ...]) -> Sequence[tuple[str, ...]]:
    """The parameters for each element of the command's list, at most `list_limit` of them. Raises CommandError."""
    place = _PLACES[row.lists]
    if place is None or len(params) <= place:
        return [params]
    listed = params[place]
    if listed and "," not in listed and row.lists is not Lists.PAIRED:
        return [params]
    words = listed.split(",")
    keys = params[1].split(",") if row.lists is Lists.PAIRED and len(params) > 1 else []
    if len({*words} - {""}) > row.list_limit:
        text = f"{row.name} takes at most {row.list_limit} targets at once; nothing was done"
        raise CommandError(text, Numeric.ERR_UNKNOWNERROR, (row.name,), "TOO_MANY_TARGETS")
    # An element that stands there twice, however it is spelled, counts once: as it does first, with that key.
    elements: dict[str, tuple[str, str | None]] = {}
    for word, key in zip_longest(words, keys[: len(words)]):
        if word:
            elements.setdefault(fold(word), (word, key or None))
    found = list(elements.values()) or [("", None)]
    if row.lists is Lists.PAIRED:
        return [(element,) if key is None else (element, key) for element, key in found]
    return [(*params[:place], element, *params[place + 1 :]) for element, _ in found]


def _call(row: Command, params: tuple[str, ...]) -> Callable[[Context], None]:
    return lambda ctx: row.handler(ctx, *params[: row.max_params])


def _refusal(error: CommandError) -> Callable[[Context], NoReturn]:
    def refuse(_: Context) -> NoReturn:
        raise error

    return refuse
