"""The clock on the wall may be put back: what is due then, and what time what is said gets all the same."""

from __future__ import annotations

STEP_US = 1_000
"""How much goes by from tick to tick while the clock is behind: the unit in which clients are told times."""


class SaidClock:
    """Times that never go back, so that asking by time and asking by order agree (design: one order per room).

    A clock that was put back, also while the server was down, is waited for in steps of STEP_US. One thread.
    """

    def __init__(self) -> None:
        self._last_us = 0

    def at(self, now_us: int, stored_us: int) -> int:
        """The time for what is said now; `stored_us`: that of the last message in the store. µs since 1970 UTC."""
        last_us = max(self._last_us, stored_us)
        self._last_us = now_us if now_us >= last_us else last_us + STEP_US
        return self._last_us


def is_due(at_us: int, now_us: int, within_us: int) -> bool:
    """Whether what was put off by at most `within_us`, to `at_us`, is due; also where the clock was put back."""
    return not 0 < at_us - now_us <= within_us
