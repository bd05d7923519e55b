"""Signals that ask the program to go, as the wish to leave: nothing is cut off, and the server is told goodbye."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = tuple(signal.Signals[name] for name in ("SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name))
"""What a system sends to end a program, or when its terminal is closed: SIGHUP on Unix, SIGBREAK on Windows."""
WAIT_SECONDS = 0.2 if os.name == "nt" else 1.0
"""How long the main thread may wait at once: before that ends it takes no signal, Ctrl-C included, on Windows, nor
elsewhere one that came in the very moment in which the waiting began.
"""


@contextmanager
def leaving_at(*wanted: signal.Signals, leave: Callable[[], None]) -> Iterator[None]:
    """Inside, the first of these signals calls `leave`, and each after it raises KeyboardInterrupt: the user does
    not want to wait. Main thread. A signal that whoever started us wants ignored (nohup) stays ignored.

    The first raises nothing, because until Python 3.13 an exception out of `Thread.join` makes a running thread
    count as ended (bpo-45274).
    """
    asked = False

    def obey(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        leave()

    before = {number: signal.getsignal(number) for number in wanted}
    ours = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in ours:
        signal.signal(number, obey)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, before[number])
