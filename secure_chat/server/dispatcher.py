"""The dispatcher: the one thread that owns the chat. Takes what happened, runs a tick, releases what came of it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from secure_chat.chat.deliveries import Job
from secure_chat.commands.receipts import keep_positions
from secure_chat.errors import StorageError
from secure_chat.net import operations as op
from secure_chat.net.worker import Worker
from secure_chat.protocol.message import Message
from secure_chat.server.engine import Engine
from secure_chat.server.outcome import Outcome
from secure_chat.server.queue import CommandQueue

TICK_COMMANDS = 1_024
"""Commands in one tick at most."""
DUE_LIMIT_SECONDS = 10.0
"""So often, at least, it is asked what is due: the clock may have been put back meanwhile."""
SLOW_TICK_SECONDS = 1.0
TICK_SECONDS = 0.015
"""Under load a tick begins so long after the last one, and when the workers have sent what came of that; but at
most twice this later. When idle nothing waits."""
BUSY_COMMANDS = 2
"""Commands in the last tick from which on it counts as load."""
log = logging.getLogger("secure_chat.server")


class Dispatcher:
    """See the module. `start`, `stop` and `join` are for other threads."""

    def __init__(
        self,
        engine: Engine,
        queue: CommandQueue,
        workers: Sequence[Worker],
        check: Callable[[Job], None],
        forget_check: Callable[[int], None],
        inbox_limit_bytes: int,
        on_death: Callable[[BaseException], None],
    ) -> None:
        self._engine = engine
        self._queue = queue
        self._workers = workers
        self._check = check
        self._forget_check = forget_check
        self._inbox_limit_bytes = inbox_limit_bytes
        self._on_death = on_death
        self._goodbye = ""
        self._begun = 0.0
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, goodbye: str) -> None:
        """Finish what is queued, tell every session `ERROR :goodbye`, end."""
        self._goodbye = goodbye
        self._queue.close()

    def join(self, timeout_seconds: float) -> None:
        """Wait for the end."""
        self._thread.join(timeout_seconds)

    @property
    def is_alive(self) -> bool:
        """Whether it has not come to its end."""
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            busy = False
            while True:
                self._wait_for_workers()
                if busy:
                    self._wait_for_company()
                happenings = self._queue.take(TICK_COMMANDS, self._seconds_until_due())
                if happenings is None:
                    break
                self._tick(happenings)
                busy = len(happenings) >= BUSY_COMMANDS
            self._keep_positions()
            self._say_goodbye()
        except BaseException as error:  # noqa: BLE001 - whatever it is, the process must not live on half-dead
            self._on_death(error)

    def _tick(self, happenings: Sequence[object]) -> None:
        begun = self._begun = time.monotonic()
        outcomes = self._engine.tick(happenings)  # type: ignore[arg-type]
        taken = time.monotonic() - begun
        if taken > SLOW_TICK_SECONDS:
            log.warning("a tick of %d commands took %.1f s; is the disk slow?", len(happenings), taken)
        self._release(outcomes)
        for happening in happenings:
            if isinstance(happening, op.Lost):
                # Nobody waits for its password any more; who comes and goes must not fill the pool.
                self._forget_check(happening.connection_id)

    def _seconds_until_due(self) -> float:
        due_us = self._engine.next_due_us()
        if due_us is None:
            return DUE_LIMIT_SECONDS
        return min(max(0.0, due_us / 1e6 - time.time()) + 0.001, DUE_LIMIT_SECONDS)

    def _wait_for_workers(self) -> None:
        """Do not make more while a worker has too much to do."""
        for worker in self._workers:
            worker.inbox.wait_until_below(self._inbox_limit_bytes)

    def _wait_for_company(self) -> None:
        """Let commands gather while the workers send: fewer syncs, fewer and larger TLS records.

        Measured on one core (200 clients, 1,000 messages/s, other work on the machine): 4.5 µs of CPU per delivery
        with ticks 10 ms apart, 3.6 µs with 15 ms. Each flush costs about 23 µs per connection, of which 20 are TLS
        and the kernel, so fewer flushes are what helps.
        """
        for worker in self._workers:
            worker.inbox.wait_until_done(max(0.0, self._begun + 2 * TICK_SECONDS - time.monotonic()))
        time.sleep(max(0.0, self._begun + TICK_SECONDS - time.monotonic()))

    def _release(self, outcomes: Sequence[Outcome]) -> None:
        batches: list[list[op.Operation]] = [[] for _ in self._workers]
        sizes = [0] * len(self._workers)
        for outcome in outcomes:
            for operation in outcome.operations:
                self._sort(operation, batches, sizes)
        for worker, batch, size in zip(self._workers, batches, sizes, strict=True):
            if batch:
                worker.inbox.post(batch, size)
        for outcome in outcomes:
            for line in outcome.logs:
                log.info(line.event, extra={"facts": dict(line.facts)})
            for job in outcome.jobs:
                self._check(job)
            if outcome.answered is not None:
                outcome.answered(outcome.answer)

    def _sort(self, operation: op.Operation, batches: list[list[op.Operation]], sizes: list[int]) -> None:
        """Put an operation into the batch of the worker that owns the connection, or of all of them."""
        workers = len(batches)
        if isinstance(operation, op.Publish):
            size = sum(map(len, operation.variants.values()))
            for index in range(workers):
                batches[index].append(operation)
                sizes[index] += size
        elif isinstance(operation, op.SendEach):
            size = sum(map(len, operation.variants.values()))
            for index in range(workers):
                ids = operation.connection_ids
                mine = ids if workers == 1 else tuple(i for i in ids if i % workers == index)
                if mine:
                    batches[index].append(op.SendEach(mine, operation.variants, operation.message_id))
                    sizes[index] += size
        else:
            index = operation.connection_id % workers
            batches[index].append(operation)
            sizes[index] += len(operation.data) if isinstance(operation, op.Send) else 0

    def _keep_positions(self) -> None:
        """Write at the end what would have been written later; what cannot be is given to devices again."""
        with suppress(StorageError):
            while self._engine.hub.unwritten:
                self._engine.run_once(keep_positions)

    def _say_goodbye(self) -> None:
        data = Message("ERROR", (self._goodbye,)).encode()
        batches: list[list[op.Operation]] = [[] for _ in self._workers]
        sizes = [0] * len(self._workers)
        for session_id in self._engine.hub.sessions:
            log.info("disconnect", extra={"facts": {"session": session_id, "reason": self._goodbye}})
            self._sort(op.Send(session_id, data), batches, sizes)
            self._sort(op.Close(session_id, self._goodbye), batches, sizes)
        for worker, batch, size in zip(self._workers, batches, sizes, strict=True):
            worker.inbox.post(batch, size)
