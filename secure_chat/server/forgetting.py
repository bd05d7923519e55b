"""When the next step of forgetting is due, and who waits for the end of it. Dispatcher thread only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from secure_chat.chat.forgetting import ROUND_SECONDS, Progress
from secure_chat.commands.forgetting import BEGINS, ENDED, GOES_ON
from secure_chat.server.outcome import Outcome
from secure_chat.server.said_clock import is_due

IDLE_PAUSE_US = 2_000
"""Between two steps while nothing else happens."""
BUSY_PAUSE_US = 12_000
"""The same while people talk; and while another thread is waited for."""
FAILED_PAUSE_US = 60_000_000
"""After a step that failed."""
WAIT_US = 45_000_000
"""How long the command-line tool waits for an erasure; then it is told that it goes on."""
ROUND_US = ROUND_SECONDS * 1_000_000


@dataclass(slots=True)
class _Waiting:
    outcome: Outcome
    until_us: int


class ForgettingRounds:
    """Steps follow each other until nothing is left; the next round is a day later. Times are µs since 1970 UTC."""

    def __init__(self) -> None:
        self.due_us: int | None = None
        """When the next step is due; None before `begin`."""
        self._put_off_us = 0
        """How long it was put off."""
        self._waiting: list[_Waiting] = []
        self._step: Outcome | None = None
        """That of this tick."""
        self._round_us: int | None = None
        """When the round began that goes on."""

    def begin(self) -> None:
        """From here on there are steps, the first at once."""
        self.due_us = 0

    def is_due(self, now_us: int) -> bool:
        """Whether the next step is due, also where the clock was put back since."""
        return self.due_us is not None and is_due(self.due_us, now_us, self._put_off_us)

    def round_us(self, now_us: int) -> int:
        """When the round began that the next step is of: now, where it is the first, or the round takes a day."""
        if self._round_us is None or not 0 <= now_us - self._round_us < ROUND_US:
            self._round_us = now_us
        return self._round_us

    def settle(self, outcomes: Iterable[Outcome], now_us: int) -> Iterator[Outcome]:
        """After a tick's commit, or when its failure is in its outcomes: those that have begun an erasure will be
        answered at its end; where a step failed, those that wait for that are told.
        """
        if self._step is not None and "error" in self._step.answer:
            # Not at once: with a full disk that would be tried, and the store reopened, all the time.
            self._put_off(FAILED_PAUSE_US, now_us)
            yield from self._told({"erasing": GOES_ON, "held_up": self._step.answer["error"]})
        self._step = None
        for outcome in outcomes:
            if outcome.answered is not None and outcome.answer.get("erasing") == BEGINS:
                outcome.answer["erasing"] = GOES_ON
                held = Outcome(answer=outcome.answer, answered=outcome.answered, durable=True)
                outcome.answered = None
                self._waiting.append(_Waiting(held, now_us + WAIT_US))
                self.begin()

    def went_on(self, step: Outcome, now_us: int, *, idle: bool) -> Iterator[Outcome]:
        """After a step; who need not wait any more is answered. `idle`: nothing else happened in the tick."""
        self._step = step
        progress = step.answer.get("progress", Progress.WAITS)
        if progress is Progress.DONE:
            self._round_us = None
            self._put_off(ROUND_US, now_us)
            yield from self._told({"erasing": ENDED})
        else:
            self._put_off(IDLE_PAUSE_US if idle and progress is Progress.GOES_ON else BUSY_PAUSE_US, now_us)
        late = [waiting for waiting in self._waiting if is_due(waiting.until_us, now_us, WAIT_US)]
        for waiting in late:
            self._waiting.remove(waiting)
            yield waiting.outcome

    def _put_off(self, pause_us: int, now_us: int) -> None:
        self.due_us, self._put_off_us = now_us + pause_us, pause_us

    def _told(self, news: Mapping[str, object]) -> Iterator[Outcome]:
        """All who wait are answered, with this in it."""
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.outcome.answer.update(news)
            yield one.outcome
