"""When positions are written."""

from __future__ import annotations

from collections.abc import Iterator

from secure_chat.chat.apply import apply
from secure_chat.chat.effects import Effect, PositionMoved, PositionSet
from secure_chat.chat.hub import Hub
from secure_chat.chat.ports import Snapshot
from secure_chat.chat.positions import WRITE_SECONDS, WRITTEN_AT_ONCE, Position
from secure_chat.chat.settings import Settings
from secure_chat.server.due import Due
from secure_chat.server.forgetting import ForgettingRounds
from secure_chat.server.happenings import Happening, PositionsDue

DEVICES = 2 * WRITTEN_AT_ONCE + 1


def test_all_that_have_moved_are_written_in_ticks_that_follow_each_other() -> None:
    """Who moves meanwhile waits for the next time: nothing is written more often."""
    hub = Hub(Settings())
    due = Due(hub, ForgettingRounds())
    for account_id in range(DEVICES):
        hub.positions[account_id] = {"pad": Position(1, 0)}
        hub.unwritten[account_id, "pad"] = None
    now_us, written = 50, []
    while happenings := [*due.happenings(now_us, idle=True, store_down=False)]:
        (asked,) = happenings
        assert isinstance(asked, PositionsDue)
        assert len(asked.keys) <= WRITTEN_AT_ONCE
        for key in asked.keys:
            written.append(key)
            del hub.unwritten[key]
            hub.unwritten[key] = None  # it has moved again
        if len(written) < DEVICES:
            assert due.next_us(None) == 0
    assert sorted(written) == sorted(hub.unwritten)
    assert due.next_us(None) == now_us + WRITE_SECONDS * 1_000_000


def test_a_device_that_is_seen_first_is_written_at_once() -> None:
    """The others wait for their time; what has been written is known from then on."""
    hub = Hub(Settings())
    due = Due(hub, ForgettingRounds())
    for account_id, now_us in ((1, 50), (2, 60)):
        assert [*moves(hub, account_id, due, now_us)] == [PositionsDue(((account_id, "pad"),))]
        run(hub, PositionSet(account_id, "pad", hub.positions[account_id]["pad"]))
    assert [*moves(hub, 1, due, 70)] == []
    assert [*moves(hub, 3, due, 80)] == [PositionsDue(((3, "pad"),))]


def test_a_device_that_was_seen_first_is_not_written_again_soon() -> None:
    """Not even where the time of the others is soon after: at most once in WRITE_SECONDS."""
    hub = Hub(Settings())
    due = Due(hub, ForgettingRounds())
    a_round_us, soon_us = WRITE_SECONDS * 1_000_000, 1_000_000
    assert [*moves(hub, 1, due, soon_us)] == [PositionsDue(((1, "pad"),))]  # all were due: the first round begins
    run(hub, PositionSet(1, "pad", hub.positions[1]["pad"]))
    assert [*moves(hub, 2, due, a_round_us)] == [PositionsDue(((2, "pad"),))]
    run(hub, PositionSet(2, "pad", hub.positions[2]["pad"]))
    assert [*moves(hub, 2, due, a_round_us + soon_us - 1)] == []
    assert [*moves(hub, 1, due, a_round_us + soon_us)] == [PositionsDue(((1, "pad"),))]
    run(hub, PositionSet(1, "pad", hub.positions[1]["pad"]))
    next_us = 2 * a_round_us + soon_us
    assert due.next_us(None) == next_us
    assert [*due.happenings(next_us, idle=True, store_down=False)] == [PositionsDue(((2, "pad"),))]
    run(hub, PositionSet(2, "pad", hub.positions[2]["pad"]))
    later_us = 100 * a_round_us
    assert [*moves(hub, 3, due, later_us)] == [PositionsDue(((3, "pad"),))]
    run(hub, PositionSet(3, "pad", hub.positions[3]["pad"]))
    # After a quiet time it is written as soon as it moves.
    assert [*moves(hub, 3, due, 2 * later_us)] == [PositionsDue(((3, "pad"),))]


def test_a_device_whose_first_position_was_lost_is_written_at_once_again() -> None:
    """The store has failed, and knows nothing of it; of the other it does."""
    hub = Hub(Settings())
    known = Position(1, 0)
    for account_id in (1, 2):
        run(hub, PositionMoved(account_id, "pad", known))
    hub.load(Snapshot(positions=[(1, "pad", known)]))
    assert sorted(hub.unwritten) == [(1, "pad"), (2, "pad")]
    assert [*hub.never_written] == [(2, "pad")]


def moves(hub: Hub, account_id: int, due: Due, now_us: int) -> Iterator[Happening]:
    """What is due when the account's device has received more."""
    run(hub, PositionMoved(account_id, "pad", Position(now_us, now_us)))
    assert (due.next_us(None) == 0) == bool(hub.never_written)
    yield from due.happenings(now_us, idle=True, store_down=False)


def run(hub: Hub, effect: Effect) -> None:
    """Change the hub; nobody hears of it."""
    assert [*apply(hub, [effect])] == []
