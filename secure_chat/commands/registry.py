"""The table of commands."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, TypeVar

from secure_chat.chat.errors import CommandError

Handler = Callable[..., None]
H = TypeVar("H", bound=Handler)


class Lists(Enum):
    """Which parameters may be lists: a command over a list is carried out for one element after another."""

    NONE = auto()
    FIRST = auto()
    """`PRIVMSG a,b :text`"""
    PAIRED = auto()
    """`JOIN #a,#b key,key`"""
    SECOND = auto()
    """`KICK #a alice,bob :text`"""


class Weight(Enum):
    """What a command costs its sender; the owner's configuration says how many points each is."""

    FREE = auto()
    QUERY = auto()
    POST = auto()
    LIST = auto()
    """A query with a long answer."""
    HISTORY = auto()
    """A page of what was said before."""
    SEARCH = auto()


@dataclass(frozen=True, slots=True)
class Command:
    """A row of the table."""

    name: str
    usage: str
    handler: Handler
    min_params: int
    before_login: bool
    after_login: bool
    weight: Weight
    lists: Lists
    list_limit: int
    max_params: int
    """Parameters past these are left out; with `*` in the handler's signature none are."""

    @property
    def summary(self) -> str:
        """The first line of the handler's docstring."""
        return (self.handler.__doc__ or "").strip().partition("\n")[0]


PARAMS_LIMIT = 512
"""More than a line can hold."""

COMMANDS: dict[str, Command] = {}


def command(
    name: str,
    *,
    usage: str,
    min_params: int = 0,
    before_login: bool = False,
    after_login: bool = True,
    weight: Weight = Weight.QUERY,
    lists: Lists = Lists.NONE,
    list_limit: int = 1,
) -> Callable[[H], H]:
    """Enter a handler into the table.

    It is called with the context and the command's parameters; those past its own are left out, those that it
    wants beyond `min_params` have defaults. It changes nothing: it adds effects to the context, or raises
    CommandError.
    """

    def register(handler: H) -> H:
        assert name not in COMMANDS
        COMMANDS[name] = Command(
            name,
            usage,
            handler,
            min_params,
            before_login,
            after_login,
            weight,
            lists,
            list_limit,
            _max_params(handler),
        )
        return handler

    return register


def _max_params(handler: Handler) -> int:
    parameters = list(inspect.signature(handler).parameters.values())[1:]
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return PARAMS_LIMIT
    return len(parameters)


Operation = Callable[[Any, dict[str, Any]], None]
OPERATIONS: dict[str, Operation] = {}
"""What the command-line tool can ask for, by name: called with the context and the request's values."""


def operation(name: str, *needed: str) -> Callable[[Operation], Operation]:
    """Enter an operation of the command-line tool into its table; `needed` are the texts that a request has."""

    def register(function: Operation) -> Operation:
        def checked(ctx: Any, request: dict[str, Any]) -> None:
            for key in needed:
                if not isinstance(request.get(key), str):
                    text = f"A request {name} has to say the {key.removesuffix('_hash')}"
                    raise CommandError(text)
            function(ctx, request)

        OPERATIONS[name] = checked
        return function

    return register
