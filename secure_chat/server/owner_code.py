"""The owner code: how the first administrator comes to be (design §6). No default password, no first come."""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from secure_chat.commands.invitations import owner_code
from secure_chat.errors import ConfigError
from secure_chat.protocol.message import Secret
from secure_chat.server.engine import Engine
from secure_chat.server.happenings import Asked
from secure_chat.server.home import Home

LOOK_SECONDS = 0.4
SURE_TIMES = 2
"""The first answer may be of a tick that is lost."""
log = logging.getLogger("secure_chat.server")


@dataclass(frozen=True, slots=True)
class OwnerCode:
    """What is to be shown at the terminal; `code` is None where it was put into a file instead."""

    code: Secret | None = field(repr=False)
    expires: str
    home: Home

    def text(self) -> Iterator[str]:
        """What the owner does next."""
        yield ""
        yield "There is no administrator yet. Become it, in another terminal on this machine: secure-chat connect"
        yield "(in a checkout: scripts/connect). It asks for a name, a password and this code, which works once:"
        yield ""
        shown = self.code.reveal() if self.code is not None else f"in the file {self.home.owner_code}"
        yield f"    owner code: {shown}"
        yield ""
        yield f"It is valid until {self.expires}; each start of the server makes a new one until it is used."


def make_owner_code(engine: Engine, home: Home, *, at_terminal: bool) -> OwnerCode | None:
    """A new owner code, None where there is an administrator. Without a terminal it goes into a 0600 file, alone.

    Raises ConfigError where that cannot be written.
    """
    forget_code_file(home)
    answer = engine.run_once(lambda ctx: owner_code(ctx, {})).answer
    if "code" not in answer:
        return None
    code, expires = Secret(str(answer["code"])), str(answer["expires"])
    if at_terminal:
        return OwnerCode(code, expires, home)
    try:
        descriptor = os.open(home.owner_code, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(code.reveal() + "\n")
    except OSError as error:
        text = f"{home.owner_code} cannot be written ({error.strerror}); give the server's user a home it can write"
        raise ConfigError(text) from error
    log.info("owner code", extra={"facts": {"file": home.owner_code, "valid_until": expires}})
    return OwnerCode(None, expires, home)


def forget_code_file(home: Home) -> None:
    """The code in it is worth nothing, or is made anew at the next start."""
    with suppress(OSError):
        home.owner_code.unlink(missing_ok=True)


class CodeFile(threading.Thread):
    """Takes the file away within a second of there being an administrator; ends then, or with the server.

    It asks the dispatcher, which touches no files; so there is nothing to ask where there is no such file.
    """

    def __init__(self, home: Home, ask: Callable[[Asked], None], ending: threading.Event) -> None:
        super().__init__(name="owner-code", daemon=True)
        self._home = home
        self._ask = ask
        self._ending = ending

    def run(self) -> None:
        """See the class."""
        sure = 0
        while sure < SURE_TIMES:
            if self._ending.wait(LOOK_SECONDS):
                return
            sure = sure + 1 if self._has_administrator() else 0
        forget_code_file(self._home)

    def _has_administrator(self) -> bool:
        answers: queue.SimpleQueue[dict[str, object]] = queue.SimpleQueue()
        self._ask(Asked("owner known", {}, answers.put))
        with suppress(queue.Empty):
            return bool(answers.get(timeout=LOOK_SECONDS).get("known"))
        return False
