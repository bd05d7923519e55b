"""The dispatcher's queue: order, places, waiting, closing."""

from __future__ import annotations

import threading

from secure_chat.net.operations import Drained
from secure_chat.server.queue import STILL_SECONDS, CommandQueue
from tests.e2e.waiting import wait_for

DEADLINE_SECONDS = 10.0


def test_order_and_limit_of_a_take() -> None:
    """What was put first is taken first, so many at once."""
    queue = CommandQueue()
    for number in range(5):
        assert queue.put(Drained(number), always=False)
    assert queue.take(3, 0) == [Drained(0), Drained(1), Drained(2)]
    assert queue.take(9, 0) == [Drained(3), Drained(4)]
    assert queue.take(9, 0) == []


def test_lines_have_places_and_the_rest_always_has_one() -> None:
    """Who was refused is told once there are places again."""
    told: list[int] = []
    queue = CommandQueue(limit=2, on_place=lambda: told.append(1))
    assert queue.put(Drained(1), always=False)
    assert queue.put(Drained(2), always=False)
    assert not queue.put(Drained(3), always=False)
    assert queue.put(Drained(4), always=True)
    assert told == []
    assert queue.take(9, None) == [Drained(1), Drained(2), Drained(4)]
    assert told == [1]
    assert queue.put(Drained(5), always=False)
    assert queue.take(9, None) == [Drained(5)]
    assert told == [1]


def test_it_is_known_when_the_taker_is_long_at_what_it_took() -> None:
    """But not while it waits for more."""
    now = 0.0
    queue = CommandQueue(clock=lambda: now)
    queue.put(Drained(1), always=True)
    queue.take(9, None)
    seen = []
    for now in (STILL_SECONDS, STILL_SECONDS + 0.1):  # noqa: B007 - the queue's clock
        seen.append(queue.stands_still)
    assert seen == [False, True]
    taker = threading.Thread(target=queue.take, args=(9, DEADLINE_SECONDS))
    taker.start()
    wait_for(lambda: not queue.stands_still)
    queue.close()
    taker.join()


def test_closing_lets_the_rest_be_taken() -> None:
    """Then None, as often as asked; nothing more comes in."""
    queue = CommandQueue()
    queue.put(Drained(1), always=True)
    queue.close()
    assert not queue.put(Drained(2), always=False)
    assert not queue.put(Drained(3), always=True)
    assert queue.take(9, None) == [Drained(1)]
    assert queue.take(9, None) is None
    assert queue.take(9, None) is None


def test_a_waiting_taker_wakes() -> None:
    """By a put, and by closing."""
    queue = CommandQueue()
    taken: list[object] = []

    def take_all() -> None:
        while (some := queue.take(1, DEADLINE_SECONDS)) is not None:
            taken.extend(some)

    taker = threading.Thread(target=take_all)
    taker.start()
    for number in range(100):
        queue.put(Drained(number), always=True)
    queue.close()
    taker.join(DEADLINE_SECONDS)
    assert not taker.is_alive()
    assert taken == [Drained(number) for number in range(100)]


def test_two_slots_flooded_make_progress() -> None:
    """Putters never block: refused, they try again when told, and all of it arrives in each one's order."""
    places = threading.Event()
    queue = CommandQueue(limit=2, on_place=places.set)

    def flood(first: int) -> None:
        for number in range(first, first + 500):
            while not queue.put(Drained(number), always=False):
                places.wait(0.05)
                places.clear()

    floods = [threading.Thread(target=flood, args=(start,)) for start in (0, 1000)]
    for thread in floods:
        thread.start()
    taken: list[int] = []
    while len(taken) < 1000:
        some = queue.take(2, DEADLINE_SECONDS)
        assert some
        taken += [happening.connection_id for happening in some if isinstance(happening, Drained)]
    for thread in floods:
        thread.join(DEADLINE_SECONDS)
    assert sorted(taken) == [*range(500), *range(1000, 1500)]
    assert [number for number in taken if number < 1000] == [*range(500)]
