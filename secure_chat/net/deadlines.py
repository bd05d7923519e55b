"""What time does to a connection: deadlines, keep-alive, slowness."""

from __future__ import annotations

from dataclasses import dataclass

from secure_chat.net.connection import Connection, Stage
from secure_chat.net.limits import Limits

KEEP_ALIVE_TOKEN = "secure-chat-keep-alive"  # noqa: S105 - not a secret


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is to be done: a keep-alive PING, or the end, with ERROR (`farewell`) or at once."""

    reason: str = ""
    ping: bool = False
    farewell: bool = False


def next_trouble(connection: Connection, limits: Limits, now: float) -> Trouble | None:
    """What is due for a connection at this time (seconds, monotonic); None where nothing is.

    While it is not read from, its clocks stand still (design: clocks stop while we do not read).
    """
    if connection.stage is Stage.GONE or connection.held_since is not None:
        return None
    due = connection.deadline is not None and now >= connection.deadline
    if due and connection.refused_since is None:
        return _DEADLINES[connection.stage]
    if connection.stage is not Stage.OPEN:
        return None
    return _slowness(connection, limits, now) or _silence(connection, limits, now)


_DEADLINES = {
    Stage.HANDSHAKE: Trouble("the TLS handshake took too long"),
    Stage.OPEN: Trouble("Registration timed out: log in sooner", farewell=True),
    Stage.CLOSING: Trouble("closed"),
}


def _slowness(connection: Connection, limits: Limits, now: float) -> Trouble | None:
    if connection.outstanding_bytes <= limits.pending_bytes:
        connection.slow_since = None
    elif connection.slow_since is None:
        connection.slow_since = now
    elif now - connection.slow_since >= limits.pending_seconds:
        return Trouble("the client reads too slowly")
    return None


def _silence(connection: Connection, limits: Limits, now: float) -> Trouble | None:
    if connection.unread:
        connection.heard_at = now
        return None
    if connection.pinged_at is not None:
        if now - connection.pinged_at < limits.pong_seconds:
            return None
        return Trouble(f"Ping timeout: {limits.silence_seconds + limits.pong_seconds:.0f} seconds", farewell=True)
    return Trouble(ping=True) if now - connection.heard_at >= limits.silence_seconds else None
