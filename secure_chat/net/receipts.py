"""Proof of receipt: a PING behind what was delivered. Who answers it has read everything that came before.

The owner worker's thread only. A receipt is the worker's own business, as its keep-alive is: the dispatcher hears
no more of it than `Proven`.
"""

from __future__ import annotations

import contextlib
import fcntl
import socket
import struct
import termios

from secure_chat.errors import ProtocolError
from secure_chat.protocol.message import Message

QUIET_SECONDS = 2.0
"""So long after the last delivery receipt is asked for."""
LATEST_SECONDS = 9.0
"""And so long after the first one that was not asked for, where deliveries do not end: ten at most, as it is looked
twice a second, for the first one and for the end.
"""
TOKEN = "secure-chat-receipt-"  # noqa: S105 - not a secret


class Receipts:
    """What one connection was given and has shown to have. Ids of messages; times in seconds, monotonic."""

    __slots__ = ("asked_id", "delivered_at", "delivered_id", "proven_id", "taken_id", "unasked_since")

    def __init__(self) -> None:
        self.delivered_id = 0
        self.delivered_at = 0.0
        self.proven_id = 0
        self.asked_id = 0
        """The id that the PING under way carries; 0 where none is."""
        self.unasked_since: float | None = None
        """When it was seen first that more is given than the last PING has asked for."""
        self.taken_id: int | None = None
        """Up to where the peer's kernel had everything at the end; None before it."""

    def deliver(self, message_id: int, now: float) -> None:
        """Note that a message is on its way, behind all that came before."""
        self.delivered_id = message_id
        self.delivered_at = now

    def ask(self, now: float) -> bytes:
        """The PING that is due now, at most one at a time; b"" where none is."""
        if self.delivered_id <= max(self.proven_id, self.asked_id):
            return b""
        if self.unasked_since is None:
            self.unasked_since = self.delivered_at
        is_due = now - self.delivered_at >= QUIET_SECONDS or now - self.unasked_since >= LATEST_SECONDS
        if self.asked_id or not is_due:
            return b""
        self.asked_id, self.unasked_since = self.delivered_id, None
        return f"PING :{TOKEN}{self.asked_id}\r\n".encode()

    def answered(self, line: Message | ProtocolError) -> bool:
        """Whether a line is the answer to the PING under way; what it carried is proven then."""
        if not self.asked_id or not isinstance(line, Message) or line.command != "PONG":
            return False
        if not line.params or line.params[-1] != f"{TOKEN}{self.asked_id}":
            return False
        self.proven_id, self.asked_id = self.asked_id, 0
        return True

    def end(self, sock: socket.socket, outstanding_bytes: int) -> None:
        """The socket is about to be closed, or there was a QUIT, whichever is seen first: what is given after that
        nobody reads.
        """
        if self.taken_id is None:
            all_taken = not outstanding_bytes and not _unacknowledged_bytes(sock)
            self.taken_id = self.delivered_id if all_taken else self.proven_id

    def parted(self, sock: socket.socket, outstanding_bytes: int) -> bool:
        """Whether a QUIT proves more than was proven before: the peer's kernel has acknowledged everything."""
        self.end(sock, outstanding_bytes)
        if self.taken_id is None or self.taken_id <= self.proven_id:
            return False
        self.proven_id = self.taken_id
        return True


def _unacknowledged_bytes(sock: socket.socket) -> int:
    """What the kernel holds for a socket until the peer acknowledges it; 1 where it does not say."""
    with contextlib.suppress(OSError):
        (count,) = struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)))
        return int(count)
    return 1
