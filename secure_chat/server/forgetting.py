"""When the next step of forgetting is due, and who waits for the end of it. Dispatcher thread only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from secure_chat.chat.forgetting import ROUND_SECONDS, Progress
from secure_chat.commands.forgetting import BEGINS, ENDED, GOES_ON
from secure_chat.server.outcome import Outcome

IDLE_PAUSE_US = 5_000
"""Between two steps while nothing else happens."""
BUSY_PAUSE_US = 100_000
"""The same while people talk; and while another thread is waited for."""
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
        self._waiting: list[_Waiting] = []

    def begin(self) -> None:
        """From here on there are steps, the first at once."""
        self.due_us = 0

    def hold(self, outcomes: Iterable[Outcome], now_us: int) -> None:
        """Answer those that have begun an erasure only at its end. `outcomes`: of a tick that was committed, or is
        answered as one that was not.
        """
        for outcome in outcomes:
            if outcome.answered is not None and outcome.answer.get("erasing") == BEGINS:
                outcome.answer["erasing"] = GOES_ON
                held = Outcome(answer=outcome.answer, answered=outcome.answered, durable=True)
                outcome.answered = None
                self._waiting.append(_Waiting(held, now_us + WAIT_US))
                self.begin()

    def went_on(self, step: Outcome, now_us: int, *, idle: bool) -> Iterator[Outcome]:
        """After a step; who need not wait any more is answered. `idle`: nothing else happened in the tick."""
        progress = step.answer.get("progress", Progress.WAITS)
        error = step.answer.get("error")
        if progress is Progress.DONE or error is not None:
            self.due_us = now_us + ROUND_US
        else:
            self.due_us = now_us + (IDLE_PAUSE_US if idle and progress is Progress.GOES_ON else BUSY_PAUSE_US)
        for waiting in [*self._waiting]:
            if progress is Progress.DONE:
                waiting.outcome.answer["erasing"] = ENDED
            elif error is not None:
                waiting.outcome.answer["error"] = error
            elif now_us < waiting.until_us:
                continue
            self._waiting.remove(waiting)
            yield waiting.outcome
