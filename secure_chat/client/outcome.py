"""How a run of the client ended."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of `secure-chat connect`; documented, so scripts may rely on them."""

    QUIT = 0
    USAGE = 2
    CANNOT_CONNECT = 3
    NOT_TRUSTED = 4
    LOGIN_REFUSED = 5
    CONNECTION_LOST = 6
