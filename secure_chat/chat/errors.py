"""Refusals: well-formed commands that are not carried out."""

from __future__ import annotations

from dataclasses import dataclass

from secure_chat.errors import SecureChatError
from secure_chat.protocol.numerics import Numeric


@dataclass
class CommandError(SecureChatError):
    """The command is refused. `text` tells the user what and why.

    With a `numeric` that one is sent, with `params` before the text. With a `code` (IRCv3 `standard-replies`)
    FAIL is sent to whoever asked for that capability; where neither can be sent, a NOTICE.
    """

    text: str
    numeric: Numeric | None = None
    params: tuple[str, ...] = ()
    code: str | None = None

    def __str__(self) -> str:
        return self.text


@dataclass
class Hopeless(CommandError):
    """The session cannot go on: it gets the refusal, then ERROR with the same text, and is closed."""


def no_such_room(name: str) -> CommandError:
    """403: there is no such room, or none that this person may know of."""
    return CommandError("No such room", Numeric.ERR_NOSUCHCHANNEL, (name,))


def no_such_nick(name: str) -> CommandError:
    """401: there is no such account."""
    return CommandError("No such nick", Numeric.ERR_NOSUCHNICK, (name,))


def not_on_room(name: str) -> CommandError:
    """442: only members may."""
    return CommandError("You are not in that room", Numeric.ERR_NOTONCHANNEL, (name,))


def operator_needed(name: str) -> CommandError:
    """482: only operators of the room may."""
    return CommandError("Only operators of the room may do that", Numeric.ERR_CHANOPRIVSNEEDED, (name,))


def administrator_needed() -> CommandError:
    """481: only administrators of the server may."""
    return CommandError("Permission denied: only administrators may do that", Numeric.ERR_NOPRIVILEGES)


def need_more_params(command: str, usage: str) -> CommandError:
    """461, with the usage."""
    text = f"Not enough parameters. Usage: {usage}"
    return CommandError(text, Numeric.ERR_NEEDMOREPARAMS, (command,))
