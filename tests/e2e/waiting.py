"""Waiting for a condition, with a deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

STEP_SECONDS = 0.01


def wait_for(
    condition: Callable[[], object], seconds: float = 10.0, explain: Callable[[], str] = lambda: "it did not happen"
) -> None:
    """Until the condition holds; fails after so many seconds with the explanation."""
    end = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < end, explain()
        pause.wait(STEP_SECONDS)
