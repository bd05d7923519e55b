"""The threads that hash passwords: bcrypt releases the interpreter lock, so they use the other cores (design §6).

The queue is bounded by the time it would take, and fair: addresses take turns, and pairs of address and account
that logged in before go first, so that a stranger's guesses do not keep the members waiting.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass

QUEUE_LIMIT_SECONDS = 120.0
# The last quarter of the queue is kept for known pairs: strangers from many addresses cannot fill it.
STRANGERS_LIMIT_SECONDS = 90.0
CLOSE_SECONDS = 5.0
SECONDS_AT_10_ROUNDS = 0.064

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """Work for a session that waits for it. `known`: this address and account logged in together before.

    `work` runs on a pool thread: it must not touch what other threads change.
    """

    key: Hashable
    address: str
    known: bool
    work: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Result:
    """What a job came to: its value, or the exception it raised (then `value` is None)."""

    key: Hashable
    value: object
    error: BaseException | None = None


def estimated_seconds_per_hash(rounds: int) -> float:
    """How long one bcrypt hash of this cost takes, by what was measured: 0.064 s at 10 rounds, doubling each."""
    return float(SECONDS_AT_10_ROUNDS * 2.0 ** (rounds - 10))


def default_threads() -> int:
    """All cores but one, which the dispatcher and the workers need; at least one."""
    return max(1, (os.cpu_count() or 1) - 1)


class _Turns:
    """Jobs by address; the addresses take turns. Guarded by the pool's lock."""

    def __init__(self) -> None:
        self._queues: OrderedDict[str, deque[Job]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    def add(self, job: Job) -> None:
        self._queues.setdefault(job.address, deque()).append(job)

    def take(self) -> Job | None:
        if not self._queues:
            return None
        address, queue = self._queues.popitem(last=False)
        job = queue.popleft()
        if queue:
            self._queues[address] = queue
        return job

    def remove(self, job: Job) -> None:
        queue = self._queues.get(job.address, deque())
        # By identity: two jobs with equal fields are still two.
        kept = deque(queued for queued in queue if queued is not job)
        if kept:
            self._queues[job.address] = kept
        else:
            self._queues.pop(job.address, None)


class PasswordPool:
    """A few daemon threads that take jobs in a fair order. `submit`, `cancel` and `close`: any thread."""

    def __init__(self, threads: int, seconds_per_job: float, on_result: Callable[[Result], None]) -> None:
        """Start the threads. `on_result` is called on a pool thread, once per finished job not cancelled before."""
        self._seconds_per_job = seconds_per_job
        self._on_result = on_result
        self._wake = threading.Condition()
        self._known, self._strangers = _Turns(), _Turns()
        self._places: dict[Hashable, Job] = {}
        self._closed = False
        self._threads = [
            threading.Thread(target=self._run, name=f"password-{number}", daemon=True) for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job) -> bool:
        """Queue `job`. False: "try again later", as the queue is full, the key has a job, or we are closed."""
        with self._wake:
            limit_seconds = QUEUE_LIMIT_SECONDS if job.known else STRANGERS_LIMIT_SECONDS
            if self._closed or job.key in self._places or self._seconds_with_another() > limit_seconds:
                return False
            self._places[job.key] = job
            (self._known if job.known else self._strangers).add(job)
            self._wake.notify()
            return True

    def cancel(self, key: Hashable) -> None:
        """Forget the job of `key`, if any: it is not begun, or its result is dropped. The key is free at once.

        A result that is being handed over at this moment may still arrive.
        """
        with self._wake:
            job = self._places.pop(key, None)
            if job is not None:
                (self._known if job.known else self._strangers).remove(job)

    def close(self, wait_seconds: float = CLOSE_SECONDS) -> None:
        """Drop what is queued, and wait up to `wait_seconds` for the jobs that run; their results are dropped too.

        Not on a pool thread. Without the wait a thread could come back from bcrypt into an interpreter that ends.
        """
        with self._wake:
            self._closed = True
            self._places.clear()
            self._known, self._strangers = _Turns(), _Turns()
            self._wake.notify_all()
        for thread in self._threads:
            thread.join(wait_seconds / len(self._threads))

    def _seconds_with_another(self) -> float:
        queued = len(self._known) + len(self._strangers) + 1
        return queued * self._seconds_per_job / len(self._threads)

    def _run(self) -> None:
        while (job := self._next()) is not None:
            result = _result_of(job)
            with self._wake:
                # By identity: the key may have been cancelled and taken again meanwhile.
                wanted = self._places.get(job.key) is job
                if wanted:
                    del self._places[job.key]
            if wanted:
                self._hand_over(result)

    def _next(self) -> Job | None:
        """The next job in fair order, waiting for one; None when closed."""
        with self._wake:
            while not self._closed:
                for turns in (self._known, self._strangers):
                    if (job := turns.take()) is not None:
                        return job
                self._wake.wait()
            return None

    def _hand_over(self, result: Result) -> None:
        try:
            self._on_result(result)
        except Exception:
            log.exception("the result of a password job could not be handed over")


def _result_of(job: Job) -> Result:
    try:
        return Result(job.key, job.work())
    except BaseException as error:  # noqa: BLE001 - a panic inside bcrypt is a BaseException; the session must hear of it
        return Result(job.key, None, error)
