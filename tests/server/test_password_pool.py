"""The pool: order, bounds, cancelling and ending. Gates and deadlines instead of sleeping."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator

import pytest

from secure_chat.server.password_pool import Job, PasswordPool, Result, default_threads, estimated_seconds_per_hash

DEADLINE_SECONDS = 10.0


class Scene:
    """Pools of a test, the results they hand over, and a gate that holds the first job of a pool."""

    def __init__(self) -> None:
        self.results: queue.Queue[Result] = queue.Queue()
        self.gate = threading.Event()
        self.begun = threading.Event()
        self.order: list[object] = []
        self._pools: list[PasswordPool] = []

    def pool(self, threads: int = 1, seconds_per_job: float = 1.0) -> PasswordPool:
        pool = PasswordPool(threads, seconds_per_job, self.results.put)
        self._pools.append(pool)
        return pool

    def held_pool(self, seconds_per_job: float = 1.0) -> PasswordPool:
        """A pool whose only thread is busy until `gate` is set."""
        pool = self.pool(1, seconds_per_job)
        assert pool.submit(Job("held", "nowhere", known=True, work=self.hold))
        assert self.begun.wait(DEADLINE_SECONDS)
        return pool

    def hold(self) -> str:
        self.begun.set()
        assert self.gate.wait(DEADLINE_SECONDS)
        return "held"

    def job(self, key: object, address: str = "a", *, known: bool = False) -> Job:
        return Job(key, address, known, lambda: self.order.append(key))

    def result(self) -> Result:
        return self.results.get(timeout=DEADLINE_SECONDS)

    def finish(self, count: int) -> list[object]:
        """Open the gate and take the results of `count` jobs and the held one; the order they ran in."""
        self.gate.set()
        for _ in range(count + 1):
            self.result()
        return self.order

    def end(self) -> None:
        self.gate.set()
        for pool in self._pools:
            pool.close()


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    scene.end()


def test_a_value_and_an_exception_come_back(scene: Scene) -> None:
    pool = scene.pool()

    def fail() -> None:
        raise KeyboardInterrupt

    pool.submit(Job(1, "a", known=False, work=fail))
    failed = scene.result()
    assert failed.key == 1
    assert isinstance(failed.error, KeyboardInterrupt)
    pool.submit(Job(2, "a", known=False, work=lambda: "right"))
    assert scene.result() == Result(2, "right", None)


def test_threads_work_at_the_same_time(scene: Scene) -> None:
    pool = scene.pool(threads=3)
    barrier = threading.Barrier(3)
    for key in range(3):
        pool.submit(Job(key, "a", known=False, work=lambda: barrier.wait(DEADLINE_SECONDS)))
    assert {scene.result().value for _ in range(3)} == {0, 1, 2}


def test_results_come_on_a_pool_thread() -> None:
    names: queue.Queue[str] = queue.Queue()
    pool = PasswordPool(1, 1.0, lambda _result: names.put(threading.current_thread().name))
    pool.submit(Job(1, "a", known=False, work=int))
    assert names.get(timeout=DEADLINE_SECONDS) == "password-0"
    pool.close()


def test_addresses_take_turns(scene: Scene) -> None:
    pool = scene.held_pool()
    for key in ("a1", "a2", "a3", "b1", "c1", "b2"):
        assert pool.submit(scene.job(key, key[0]))
    assert scene.finish(6) == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_known_pairs_go_first(scene: Scene) -> None:
    pool = scene.held_pool()
    pool.submit(scene.job("stranger 1"))
    pool.submit(scene.job("stranger 2", "b"))
    pool.submit(scene.job("member 1", known=True))
    pool.submit(scene.job("member 2", known=True))
    assert scene.finish(4) == ["member 1", "member 2", "stranger 1", "stranger 2"]


def test_the_queue_holds_120_seconds_of_work(scene: Scene) -> None:
    pool = scene.held_pool(seconds_per_job=10.0)
    accepted = [pool.submit(scene.job(key, str(key), known=True)) for key in range(14)]
    assert accepted == [True] * 12 + [False] * 2


def test_strangers_leave_room_for_known_pairs(scene: Scene) -> None:
    pool = scene.held_pool(seconds_per_job=10.0)
    accepted = [pool.submit(scene.job(key, str(key))) for key in range(10)]
    assert accepted == [True] * 9 + [False]
    assert pool.submit(scene.job("member", known=True))


def test_more_threads_hold_more(scene: Scene) -> None:
    pool = scene.pool(threads=2, seconds_per_job=60.0)
    begun = threading.Barrier(3)

    def hold() -> None:
        begun.wait(DEADLINE_SECONDS)
        scene.hold()

    for key in ("one", "two"):
        assert pool.submit(Job(key, "a", known=True, work=hold))
    begun.wait(DEADLINE_SECONDS)
    assert [pool.submit(scene.job(key, known=True)) for key in range(5)] == [True] * 4 + [False]


def test_one_place_per_key(scene: Scene) -> None:
    pool = scene.held_pool()
    assert not pool.submit(scene.job("held"))
    assert pool.submit(scene.job("session"))
    assert not pool.submit(scene.job("session"))
    scene.finish(1)
    assert pool.submit(scene.job("session"))
    assert scene.result().key == "session"


def test_cancelled_in_the_queue_never_runs(scene: Scene) -> None:
    pool = scene.held_pool()
    for key in ("a", "b", "c"):
        pool.submit(scene.job(key, "one address"))
    pool.submit(scene.job("d", "another"))
    pool.cancel("b")
    pool.cancel("d")
    pool.cancel("never submitted")
    assert scene.finish(2) == ["a", "c"]


def test_cancelled_while_running_is_dropped_and_the_key_is_free(scene: Scene) -> None:
    pool = scene.held_pool()
    pool.cancel("held")
    assert pool.submit(Job("held", "a", known=False, work=lambda: "the second"))
    scene.gate.set()
    assert scene.result() == Result("held", "the second")


def test_a_failing_receiver_does_not_stop_the_pool(caplog: pytest.LogCaptureFixture) -> None:
    received: queue.Queue[Result] = queue.Queue()

    def receive(result: Result) -> None:
        if result.key == "first":
            raise ValueError
        received.put(result)

    pool = PasswordPool(1, 1.0, receive)
    for key in ("first", "second"):
        pool.submit(Job(key, "a", known=False, work=int))
    assert received.get(timeout=DEADLINE_SECONDS).key == "second"
    pool.close()
    assert "could not be handed over" in caplog.text


def test_closing_drops_the_queue_and_waits_for_what_runs(scene: Scene) -> None:
    pool = scene.held_pool(seconds_per_job=0.0)
    pool.submit(scene.job("queued"))
    closing = threading.Thread(target=pool.close)
    closing.start()
    while pool.submit(scene.job(object())):
        pass
    scene.gate.set()
    closing.join(DEADLINE_SECONDS)
    assert not closing.is_alive()
    assert not scene.order
    assert scene.results.empty()
    assert not pool.submit(scene.job("late"))


def test_a_flood_from_many_threads_loses_nothing(scene: Scene) -> None:
    pool = scene.pool(threads=4, seconds_per_job=0.0)
    keys: Callable[[int], range] = lambda number: range(number * 200, number * 200 + 200)  # noqa: E731

    def flood(number: int) -> None:
        for key in keys(number):
            assert pool.submit(Job(key, str(key % 7), known=key % 2 == 0, work=lambda: None))

    threads = [threading.Thread(target=flood, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_SECONDS)
    assert {scene.result().key for _ in range(1000)} == set(range(1000))


def test_estimates() -> None:
    assert [round(estimated_seconds_per_hash(rounds), 3) for rounds in (10, 11, 12, 13)] == [
        0.064,
        0.128,
        0.256,
        0.512,
    ]
    assert default_threads() == max(1, (os.cpu_count() or 1) - 1)
