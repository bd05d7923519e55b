"""A store that fails, in words: for the log, and for who wanted something of it."""

from __future__ import annotations

from secure_chat.chat.errors import CommandError
from secure_chat.chat.ports import StoreFailed
from secure_chat.protocol.numerics import Numeric

NOTHING_DONE = "nothing was sent or changed; try again later"
UNKNOWN = "it is not known whether this was kept; look before you repeat it"


def with_cause(error: StoreFailed) -> str:
    """What the log says of a disk that fails: that is no bug, and a traceback would say nothing of it."""
    return f"{error} ({error.__cause__})" if error.__cause__ is not None else str(error)


def storage_error(command: str, outcome: str) -> CommandError:
    """The refusal of a command; `outcome` is what has become of it."""
    text = f"The server could not write to its disk; {outcome}"
    return CommandError(text, Numeric.ERR_UNKNOWNERROR, (command,), "STORAGE_ERROR")
