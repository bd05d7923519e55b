"""What the dispatcher is told of, beside the workers' reports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from secure_chat.commands.history import HistoryRead
from secure_chat.commands.login import PasswordChecked
from secure_chat.commands.redeeming import PasswordHashed
from secure_chat.net.operations import Drained, Lost, Opened, Received


@dataclass(frozen=True, slots=True)
class Asked:
    """The command-line tool asks for an operation; `answer` is called, in any thread, once it is on disk.

    It gets the operation's values, or `{"error": text}`.
    """

    operation: str
    request: dict[str, Any] = field(repr=False)
    answer: Callable[[dict[str, object]], None] = field(repr=False)


@dataclass(frozen=True, slots=True)
class LingeringDue:
    """The grace of an account that lost its connections is over."""

    account_id: int


@dataclass(frozen=True, slots=True)
class ForgettingDue:
    """It is time for the next step of forgetting; `idle`: nothing else happens."""

    idle: bool


Answered = PasswordChecked | PasswordHashed | HistoryRead
"""What a session waited for."""
Happening = Opened | Received | Lost | Drained | Answered | Asked | LingeringDue | ForgettingDue
