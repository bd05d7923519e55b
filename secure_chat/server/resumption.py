"""After the store has come back: what sessions are told so that they agree with it again."""

from __future__ import annotations

from collections.abc import Iterator, Set

from secure_chat.chat.deliveries import Enrol, PageOnDrain, Withdraw
from secure_chat.chat.effects import Effect, RoomShown
from secure_chat.chat.hub import Hub
from secure_chat.net.operations import Operation, Publish, Send, SendEach
from secure_chat.server.outcome import Outcome


def rooms_agreed(hub: Hub, rooms_lost: Set[int]) -> Iterator[Effect]:
    """Sessions are enrolled exactly where their accounts are members; `rooms_lost` are rooms that are no more.

    A session that came in the tick that was lost was enrolled by what was true then.
    """
    rooms = hub.rooms.keys() | rooms_lost
    for account_id in hub.presence:
        mine = hub.rooms_of.get(account_id, set())
        for session in hub.sessions_of(account_id):
            yield from (Withdraw(session.id, room_id) for room_id in rooms - mine)
            yield from (Enrol(session.id, room_id) for room_id in mine)


def rooms_shown(hub: Hub, now_us: int) -> Iterator[Effect]:
    """Sessions see the rooms they are in now."""
    for account_id in hub.presence:
        for session in hub.sessions_of(account_id):
            for room in hub.rooms_by_name(account_id):
                yield RoomShown(session.id, room.id, now_us)


def replays_resumed(hub: Hub) -> Iterator[Effect]:
    """What was lost of replays, or not begun while the store was down, is given now."""
    return (PageOnDrain(session.id) for session in hub.sessions.values() if session.replay is not None)


def sayings(outcome: Outcome) -> Iterator[Operation]:
    """What an outcome says to people; but a label is answered once, and that was the refusal."""
    for operation in outcome.operations:
        match operation:
            case Publish() | SendEach():
                yield operation
            case Send(connection_id) if outcome.label is None or connection_id != outcome.session_id:
                yield operation
            case _:
                pass
