"""How many connections are let in: in all and per address, until they have authenticated."""

from __future__ import annotations

import threading
from collections import Counter

from secure_chat.net.limits import Limits


class Admission:
    """Counts unfinished handshakes and unauthenticated connections. Any thread; never blocks for long."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._handshakes: Counter[str] = Counter()
        self._unauthenticated: Counter[str] = Counter()

    def admit(self, address: str) -> str | None:
        """Count a new connection from this address; None, or why it is refused (it is not counted then)."""
        with self._lock:
            if self._handshakes.total() >= self._limits.handshakes:
                return "too many unfinished handshakes"
            if self._handshakes[address] >= self._limits.handshakes_per_address:
                return "too many unfinished handshakes from this address"
            if self._unauthenticated[address] >= self._limits.unauthenticated_per_address:
                return "too many connections from this address that have not logged in"
            self._handshakes[address] += 1
            self._unauthenticated[address] += 1
            return None

    def handshake_ended(self, address: str) -> None:
        """A handshake is complete, or given up."""
        self._less(self._handshakes, address)

    def authenticated(self, address: str) -> None:
        """A connection has logged in, or is gone without."""
        self._less(self._unauthenticated, address)

    def _less(self, counter: Counter[str], address: str) -> None:
        with self._lock:
            counter[address] -= 1
            if counter[address] <= 0:
                del counter[address]
