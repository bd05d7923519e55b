"""When positions are written."""

from __future__ import annotations

from secure_chat.chat.hub import Hub
from secure_chat.chat.positions import WRITE_SECONDS, WRITTEN_AT_ONCE, Position
from secure_chat.chat.settings import Settings
from secure_chat.server.due import Due
from secure_chat.server.forgetting import ForgettingRounds
from secure_chat.server.happenings import PositionsDue

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
    """The others wait for their time."""
    hub = Hub(Settings())
    due = Due(hub, ForgettingRounds())
    hub.unwritten[1, "pad"] = None
    assert [*due.happenings(50, idle=True, store_down=False)] == [PositionsDue(((1, "pad"),))]
    hub.unwritten[2, "pad"] = None
    assert due.next_us(None) == 0
    assert [*due.happenings(60, idle=True, store_down=False)] == [PositionsDue(((2, "pad"),))]
    assert [*due.happenings(70, idle=True, store_down=False)] == []
