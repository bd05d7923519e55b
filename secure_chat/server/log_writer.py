"""Where log lines go out: a thread of its own, so that a terminal that nobody reads holds up no other."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections import deque

QUEUE_LIMIT_LINES = 10_000
"""Lines that wait for somebody to take them; what comes above that is dropped, and counted."""
GATHER_SECONDS = 0.02
"""So long after a write the next lines are gathered for one."""
FLUSH_SECONDS = 2.0
"""How long the end waits for lines to be taken."""
AGAIN_SECONDS = 0.05
"""Pause before a descriptor that takes nothing and does not block is tried again."""


class LogWriter(logging.Handler):
    """Queues records for a thread that formats and writes them. Any thread; logging never waits for a reader.

    What cannot be written because the terminal or the pipe is gone is lost, and ends nothing.
    """

    def __init__(self, descriptor: int) -> None:
        """Write to this file descriptor, which stays the caller's."""
        super().__init__()
        self._descriptor = descriptor
        self._records: deque[logging.LogRecord] = deque()
        self._dropped_lines = 0
        self._waits = False
        self._writes = False
        self._changed = threading.Condition()
        threading.Thread(target=self._run, name="log", daemon=True).start()

    def handle(self, record: logging.LogRecord) -> bool:
        """Take a record; `logging` calls it. Without the lock of `logging.Handler`: ours is enough."""
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record; drop and count it where too many wait."""
        with self._changed:
            if len(self._records) >= QUEUE_LIMIT_LINES:
                self._dropped_lines += 1
                return
            self._records.append(record)
            if self._waits:
                self._changed.notify_all()

    def flush(self) -> None:
        """Wait until all is written, at most FLUSH_SECONDS; `logging` calls it when the process ends."""
        end = time.monotonic() + FLUSH_SECONDS
        with self._changed:
            while (self._records or self._writes) and (left := end - time.monotonic()) > 0:
                self._changed.wait(left)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._records:
                    self._waits = True
                    self._changed.wait()
                self._waits, self._writes = False, True
                records, self._records = self._records, deque()
                dropped, self._dropped_lines = self._dropped_lines, 0
            if dropped:
                records.append(_of_dropped(dropped))
            self._write("".join(f"{self._text(record)}\n" for record in records))
            with self._changed:
                self._writes = False
                self._changed.notify_all()
            time.sleep(GATHER_SECONDS)

    def _text(self, record: logging.LogRecord) -> str:
        try:
            return self.format(record)
        except Exception as error:  # noqa: BLE001 - a line that is wrong must not end the log
            return f"a log line could not be written: {record.msg!r}: {error!r}"

    def _write(self, text: str) -> None:
        data = memoryview(text.encode(errors="backslashreplace"))
        with contextlib.suppress(OSError):
            while data:
                try:
                    data = data[os.write(self._descriptor, data) :]
                except BlockingIOError:
                    time.sleep(AGAIN_SECONDS)


def _of_dropped(lines: int) -> logging.LogRecord:
    facts = {"lines": lines}
    level = logging.WARNING
    return logging.makeLogRecord(
        {
            "levelno": level,
            "levelname": logging.getLevelName(level),
            "msg": "log lines were dropped: nobody took them",
            "facts": facts,
        }
    )
