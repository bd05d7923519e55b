"""What the dispatcher is told of, beside the workers' reports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct

from secure_chat.commands.history import HistoryRead
from secure_chat.commands.login import PasswordChecked
from secure_chat.commands.missed import MissedRead
from secure_chat.commands.redeeming import PasswordHashed
from secure_chat.net.operations import Drained, Lost, Opened, Proven, Received


@dataclass(frozen=True, slots=True)
class Asked:
    """The command-line tool asks for an operation; `answer` is called, in any thread, once it is on disk.

    It gets the operation's values, or `{"error": text}`.
    """

    operation: str
    request: dict[str, Any] = field(repr=False)
    answer: Callable[[dict[str, object]], None] = field(repr=False)


class LingeringDue(Struct, frozen=True):
    """The grace of an account that lost its connections is over."""

    account_id: int


class ForgettingDue(Struct, frozen=True):
    """It is time for the next step of forgetting; `idle`: nothing else happens."""

    idle: bool


class PositionsDue(Struct, frozen=True):
    """Positions of devices have moved: these, by account and device, are to be kept."""

    keys: tuple[tuple[int, str], ...]


class ReadingDue(Struct, frozen=True):
    """What sessions missed could not be read some time ago: it is asked for again."""


Answered = PasswordChecked | PasswordHashed | HistoryRead | MissedRead
"""What another thread was asked for."""
Due = LingeringDue | ForgettingDue | PositionsDue | ReadingDue
Happening = Opened | Received | Lost | Drained | Proven | Answered | Asked | Due
