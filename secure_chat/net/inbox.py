"""A worker's inbox: what other threads ask of it, and how they wake it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Sequence

from secure_chat.net.operations import Operation

WAKES_READ_BYTES = 64
WAIT_SECONDS = 5.0
"""Longest wait for a worker; then who waits looks whether the world has changed."""


class Inbox:
    """Operations in the order they were asked for. `post` and `wake` are for any thread and never block.

    The bell is rung and silenced under the lock that guards `_awake`. Outside it a ring could come between the
    two and be swept up with the one before: nobody would ring again until the worker woke by itself.
    `waiting_bytes` is how much is waiting here; who posts looks at it to see whether the worker keeps up.
    """

    def __init__(self) -> None:
        self._batches: list[Sequence[Operation]] = []
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._awake = False
        self.receiver, self._sender = socket.socketpair()
        self.receiver.setblocking(False)
        self._sender.setblocking(False)
        self.waiting_bytes = 0
        self._posted = self._taken_count = self._done = 0

    def post(self, operations: Sequence[Operation], size_bytes: int) -> None:
        """Ask for these operations after those asked for before."""
        with self._lock:
            self._batches.append(operations)
            self._posted += 1
            self.waiting_bytes += size_bytes
            self._ring()

    def wake(self) -> None:
        """Make the worker turn once, even with nothing to do."""
        with self._lock:
            self._ring()

    def _ring(self) -> None:
        if self._awake:
            return
        self._awake = True
        # A closed socket means that the worker has ended.
        with contextlib.suppress(OSError):
            self._sender.send(b"\0")

    def take(self) -> list[Sequence[Operation]]:
        """What has been asked for since the last time. Worker thread only."""
        with self._lock:
            batches, self._batches = self._batches, []
            self.waiting_bytes = 0
            self._taken_count = self._posted
            if self._awake:
                self._awake = False
                with contextlib.suppress(OSError):
                    self.receiver.recv(WAKES_READ_BYTES)
            self._changed.notify_all()
        return batches

    def wait_until_below(self, limit_bytes: int) -> None:
        """Until not more than this is waiting. The worker never waits for anybody, so this ends. Not its thread."""
        with self._changed:
            self._changed.wait_for(lambda: self.waiting_bytes <= limit_bytes, WAIT_SECONDS)

    def done(self) -> None:
        """What was taken is carried out and flushed. Worker thread only."""
        if self._done != self._taken_count:
            with self._lock:
                self._done = self._taken_count
                self._changed.notify_all()

    def wait_until_done(self, seconds: float) -> None:
        """Until all that was posted is carried out and flushed, but not longer. Not the worker's thread."""
        with self._changed:
            self._changed.wait_for(lambda: self._done == self._posted, seconds)

    def close(self) -> None:
        """Free the sockets."""
        self.receiver.close()
        self._sender.close()
