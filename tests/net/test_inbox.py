"""The worker's inbox: no ring is lost, and none is left over."""

from __future__ import annotations

import select
import threading
import time

from secure_chat.net.inbox import Inbox
from secure_chat.net.operations import Release

BATCHES = 100_000
DEADLINE_SECONDS = 20.0


def test_a_ring_is_never_swept_up_with_the_one_before() -> None:
    """While one thread posts and the other takes: whoever sleeps is woken for what has been posted."""
    inbox, slept_through = Inbox(), 0
    poster = threading.Thread(target=post_all, args=(inbox,))
    poster.start()
    taken, end = 0, time.monotonic() + DEADLINE_SECONDS
    while taken < BATCHES and time.monotonic() < end:
        rung, _, _ = select.select([inbox.receiver], [], [], 0.2)
        batches = inbox.take()
        taken += len(batches)
        slept_through += bool(batches) and not rung
    poster.join(DEADLINE_SECONDS)
    left_over, _, _ = select.select([inbox.receiver], [], [], 0)
    inbox.close()
    assert taken == BATCHES
    assert not slept_through
    assert not left_over


def post_all(inbox: Inbox) -> None:
    for number in range(BATCHES):
        inbox.post([Release(number)], 0)
