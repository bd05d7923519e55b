"""The dispatcher's queue. No put ever blocks."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from secure_chat.server.happenings import Happening

COMMANDS_LIMIT = 4_096
STILL_SECONDS = 1.0


class CommandQueue:
    """What happened, in order. Lines have a limited number of places; everything else always has one.

    (What else comes is bounded by its cause: one Opened and one Lost for each connection, one answer for each
    password job.) `on_place` is called, on the taking thread, when places are free again after a refusal.
    """

    def __init__(
        self,
        limit: int = COMMANDS_LIMIT,
        on_place: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = limit
        self._on_place = on_place
        self._happenings: deque[Happening] = deque()
        self._changed = threading.Condition()
        self._taker_waits = False
        self._clock = clock
        self._taken_at = clock()
        self._refused = False
        self._closed = False

    def put(self, happening: Happening, always: bool) -> bool:
        """Add something, if there is a place for it or `always`; whether it was added. Any thread.

        Once closed nothing is: who floods the queue must not keep the taker from its end.
        """
        with self._changed:
            if self._closed:
                return False
            if not always and len(self._happenings) >= self._limit:
                self._refused = True
                return False
            self._happenings.append(happening)
            if self._taker_waits:
                self._changed.notify()
            return True

    @property
    def stands_still(self) -> bool:
        """Whether the taker has been at what it took last for longer than STILL_SECONDS: the disk is slow. Any
        thread.
        """
        return not self._taker_waits and self._clock() - self._taken_at > STILL_SECONDS

    def close(self) -> None:
        """Take nothing more in, and let the taker end once nothing is left. Any thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def take(self, limit: int, timeout_seconds: float | None) -> Sequence[Happening] | None:
        """Up to `limit` of what happened, waiting for the first; empty after the timeout, None when closed."""
        with self._changed:
            if not self._happenings and not self._closed:
                self._taker_waits = True
                self._changed.wait(timeout_seconds)
                self._taker_waits = False
            if not self._happenings and self._closed:
                return None
            count = min(limit, len(self._happenings))
            taken = [self._happenings.popleft() for _ in range(count)]
            told, self._refused = self._refused, False
            self._taken_at = self._clock()
        if told:
            self._on_place()
        return taken
