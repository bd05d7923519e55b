"""What is due without anybody asking for it. Dispatcher thread only; times are µs since 1970 UTC."""

from __future__ import annotations

from collections.abc import Iterator

from secure_chat.chat.hub import Hub
from secure_chat.chat.positions import WRITE_SECONDS, WRITTEN_AT_ONCE
from secure_chat.server.forgetting import ForgettingRounds
from secure_chat.server.happenings import ForgettingDue, Happening, LingeringDue, PositionsDue, ReadingDue
from secure_chat.server.said_clock import is_due

RETRY_US = 1_000_000
"""How long after a failure of the store it is tried again."""
WRITE_US = WRITE_SECONDS * 1_000_000


class Due:
    """Knows when an account that lost its connections is gone, when positions are kept, and when to forget."""

    def __init__(self, hub: Hub, forgetting: ForgettingRounds) -> None:
        self._hub = hub
        self._forgetting = forgetting
        self._positions_at_us = 0
        """Not before this time are positions written again."""
        self._positions: list[tuple[int, str]] = []
        """Those to be written now."""
        self._written_first: dict[tuple[int, str], int] = {}
        """When those were that nothing was known of: since the last time of all, or a little longer."""
        self._held_until_us = 0
        """Till then none is: the store has just failed."""
        self._read_at_us: int | None = None

    def store_failed(self, now_us: int) -> None:
        """Leave the store alone for a moment: with a full disk it would be reopened all the time."""
        self._held_until_us = now_us + RETRY_US

    def read_again(self, now_us: int) -> None:
        """Ask again, a little later, for what sessions missed: it could not be read."""
        self._read_at_us = now_us + RETRY_US

    def happenings(self, now_us: int, *, idle: bool, store_down: bool) -> Iterator[Happening]:
        """What is due now. `idle`: nothing else happens."""
        grace_us = int(self._hub.settings.grace_seconds * 1e6)
        yield from [LingeringDue(id_) for id_, until_us in self._lingering() if is_due(until_us, now_us, grace_us)]
        if store_down:
            return
        positions = self._positions_due(now_us)
        if positions:
            yield PositionsDue(positions)
        if self._read_at_us is not None and is_due(self._read_at_us, now_us, RETRY_US):
            self._read_at_us = None
            yield ReadingDue()
        if self._forgetting.is_due(now_us):
            yield ForgettingDue(idle)

    def _positions_due(self, now_us: int) -> tuple[tuple[int, str], ...]:
        """The next ones to be written. Those that never were come at once: killed before, the server would take the
        device for a new one, which begins where others are.
        """
        if not is_due(self._held_until_us, now_us, RETRY_US):
            return ()
        self._written_first.update(dict.fromkeys(self._hub.never_written, now_us))
        if self._hub.unwritten and is_due(self._positions_at_us, now_us, WRITE_US):
            self._positions_at_us = now_us + WRITE_US
            since_us, first = now_us - WRITE_US, self._written_first
            self._written_first = {key: at_us for key, at_us in first.items() if since_us < at_us <= now_us}
            self._positions = [key for key in self._hub.unwritten if key not in self._written_first]
        if self._hub.never_written:
            self._positions = list(dict.fromkeys((*self._hub.never_written, *self._positions)))
        due, self._positions = self._positions[:WRITTEN_AT_ONCE], self._positions[WRITTEN_AT_ONCE:]
        return tuple(due)

    def next_us(self, retry_at_us: int | None) -> int | None:
        """When the next thing is due; a store that is down is tried again at `retry_at_us`."""
        times: list[int | None] = [until_us for _, until_us in self._lingering()]
        if retry_at_us is not None:
            times.append(retry_at_us)
        else:
            held_us = self._held_until_us
            positions_at_us = max(self._positions_at_us, held_us) if self._hub.unwritten else None
            at_once_us = held_us if self._positions or self._hub.never_written else None
            times += [self._forgetting.due_us, positions_at_us, at_once_us, self._read_at_us]
        return min((time_us for time_us in times if time_us is not None), default=None)

    def _lingering(self) -> Iterator[tuple[int, int]]:
        for account_id in self._hub.lingering:
            until_us = self._hub.presence[account_id].lingers_until_us
            if until_us is not None:
                yield account_id, until_us
