"""Growing delays for wrong passwords, per address and per pair of address and account; never a lock-out."""

from __future__ import annotations

from dataclasses import dataclass, field

PAIR_FREE_FAILURES = 3
ADDRESS_FREE_FAILURES = 10
DELAY_LIMIT_SECONDS = 60
FORGET_SECONDS = 900
ENTRIES_LIMIT = 10_000


@dataclass(slots=True)
class _Failures:
    count: int = 0
    last_us: int = 0


@dataclass(slots=True)
class Quota:
    """So many of something from one address within a time. Memory is bounded as that of Throttle."""

    limit: int
    seconds: int
    _times_us: dict[str, list[int]] = field(default_factory=dict)

    def wait_seconds(self, address: str, now_us: int) -> int:
        """How long the address has to wait; 0 = go on."""
        recent = self._recent(address, now_us)
        if len(recent) < self.limit:
            return 0
        return int(max(1, self.seconds - (now_us - recent[0]) // 1_000_000))

    def used(self, address: str, now_us: int) -> None:
        """Count one."""
        recent = self._recent(address, now_us)
        self._times_us.pop(address, None)
        self._times_us[address] = [*recent, now_us]
        while len(self._times_us) > ENTRIES_LIMIT:
            del self._times_us[next(iter(self._times_us))]

    def _recent(self, address: str, now_us: int) -> list[int]:
        since_us = now_us - self.seconds * 1_000_000
        return [time_us for time_us in self._times_us.get(address, []) if time_us > since_us]


@dataclass(slots=True)
class Throttle:
    """Counts failures. `folded` is the folded name that was tried; whether it exists plays no part.

    Past the free failures each one doubles the wait, up to DELAY_LIMIT_SECONDS; FORGET_SECONDS without a
    failure forget them. Memory is bounded: past ENTRIES_LIMIT the oldest are forgotten.
    """

    _failures: dict[tuple[str, str], _Failures] = field(default_factory=dict)

    def wait_seconds(self, address: str, folded: str, now_us: int, *, known: bool) -> int:
        """How long this pair has to wait; 0 = go on. A known pair does not wait for its address."""
        wait = self._wait(address, folded, PAIR_FREE_FAILURES, now_us)
        return wait if known else max(wait, self._wait(address, "", ADDRESS_FREE_FAILURES, now_us))

    def failed(self, address: str, folded: str, now_us: int) -> None:
        """Note a failure."""
        for key in ((address, folded), (address, "")):
            failures = self._failures.pop(key, None) or _Failures()
            if now_us - failures.last_us > FORGET_SECONDS * 1_000_000:
                failures.count = 0
            failures.count += 1
            failures.last_us = now_us
            self._failures[key] = failures
        while len(self._failures) > ENTRIES_LIMIT:
            del self._failures[next(iter(self._failures))]

    def succeeded(self, address: str, folded: str) -> None:
        """Forget the pair's failures."""
        self._failures.pop((address, folded), None)

    def _wait(self, address: str, folded: str, free: int, now_us: int) -> int:
        failures = self._failures.get((address, folded))
        if failures is None or failures.count <= free:
            return 0
        delay: int = min(1 << min(failures.count - free, 16), DELAY_LIMIT_SECONDS)
        return max(0, -((now_us - failures.last_us) // 1_000_000) + delay)
