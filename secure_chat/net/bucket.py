"""How fast a connection may send commands: a bucket of points that fills again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Costs:
    """How many points commands cost, and which of them only ask: whose sender is gone needs no answer."""

    of: Callable[[str], float]
    questions: frozenset[str]


@dataclass(slots=True)
class Bucket:
    """Points left. It may go below zero by one command; then nothing more is taken until it is not."""

    rate: float
    burst: float
    points: float
    filled_at: float

    def fill(self, now: float) -> None:
        """Add what has come since the last time; `now` is in seconds of a monotonic clock."""
        if self.points < self.burst:
            self.points = min(self.burst, self.points + (now - self.filled_at) * self.rate)
        self.filled_at = now

    def take(self, cost: float) -> None:
        """Pay for a command."""
        self.points -= cost

    @property
    def empty(self) -> bool:
        """Whether the next command has to wait."""
        return self.points < 0

    def wait_seconds(self) -> float:
        """How long until it is not empty."""
        return max(0.0, -self.points / self.rate)
